from __future__ import annotations

import pytest

from launcher.ui.guard import rates
from launcher.ui.guard.rates import Rate, address_of, stands_for_many


def test_a_burst_then_one_at_a_time() -> None:
    now_s = 100.0
    rate = Rate(3, 60, lambda: now_s)
    for _ in range(3):
        assert rate.wait_s("a") == 0
        rate.happened("a")
    assert rate.wait_s("a") == pytest.approx(20)
    assert rate.wait_s("b") == 0
    now_s += 20
    assert rate.wait_s("a") == pytest.approx(0)
    rate.happened("a")
    assert rate.wait_s("a") == pytest.approx(20)
    now_s += 1000
    for _ in range(3):
        assert rate.wait_s("a") == 0
        rate.happened("a")
    assert rate.wait_s("a") > 0


def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_KEYS_KEPT", 10)
    rate = Rate(1, 60, lambda: 0.0)
    for number in range(100):
        rate.happened(str(number))
    assert len(rate._full_at_s) == 10
    assert rate.wait_s("99") > 0


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_where_a_request_comes_from(client: str, address: str) -> None:
    assert address_of({"client": (client, 1)}) == address


def test_loopback_stands_for_many() -> None:
    assert [stands_for_many(each) for each in ("127.0.0.1", "::1", "192.0.2.7", "", "2001:db8::")] == [
        True,
        True,
        False,
        False,
        False,
    ]
