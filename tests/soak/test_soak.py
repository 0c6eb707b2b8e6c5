"""A short soak: the same people, a few seconds long. ``python -m tests.soak`` is the long one."""

from __future__ import annotations

from pathlib import Path

from tests.soak.__main__ import soak
from tests.soak.processes import Held, growth


def test_nothing_is_lost_and_nothing_stays_behind(tmp_path: Path) -> None:
    told = soak(tmp_path, minutes=0.3, people=5, tabs=20, every_s=1)
    assert told["wrong"] == []
    assert told["left"] == []
    assert sum(told["done"].values()) > 5


def test_growth_is_seen() -> None:
    samples = [{"launcher": Held(100.0 + number, 8, 16 + number // 20)} for number in range(40)]
    assert growth(samples, "launcher") == {"rss_mib": 20.0, "threads": 0, "files": 1}
