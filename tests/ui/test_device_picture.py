"""The picture of a device's memory: what adds up to what, what is measured and what planned, in both
languages."""

from __future__ import annotations

import re

import pytest

from launcher.ui.device_picture import BRIEF, WHOLE, device_places, devices_html
from launcher.ui.texts import Language
from launcher.workers.states import DeviceUse, Share

GIB = 1 << 30
NAMES = ("one", "two", "<b>three")
AWAKE = Share(6 * GIB, is_measured=True, weight_bytes=4 * GIB, cache_bytes=GIB)
LOADING = Share(3 * GIB)
ASLEEP = Share(GIB // 2, is_measured=True, is_asleep=True)
USE = DeviceUse(
    "GPU-a",
    {"two": AWAKE, "<b>three": LOADING, "one": ASLEEP},
    22 * GIB,
    "1",
    total_bytes=24 * GIB,
    others_bytes=2 * GIB,
)


def picture(use: DeviceUse, language: Language = "en") -> str:
    return device_places([use], NAMES, language)[WHOLE]


def widths(shown: str) -> dict[str, float]:
    """Segment -> its part of the bar, in percent."""
    found = re.findall(r'<i class="([^"]+)" style="width:([\d.]+)%"', shown)
    return {kind: float(width) for kind, width in found}


def test_a_bar_is_the_whole_card() -> None:
    found = widths(picture(USE))
    assert list(found) == ["m1 weights", "m1 cache", "m1 rest", "m2 whole", "m0 asleep", "free", "others"]
    assert sum(found.values()) == pytest.approx(100, abs=0.1)
    assert found["m1 weights"] == pytest.approx(100 * 4 / 24, abs=0.01)
    assert found["free"] == pytest.approx(100 * 12.5 / 24, abs=0.01)
    assert 'style="left:91.67%"' in picture(USE)


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "en",
            [
                "GPU 1: 11.5 of 24.0 GiB in use",
                "two: 6.0 GiB, measured (planned: weights 4.0, KV cache 1.0)",
                "&lt;b&gt;three: 3.0 GiB, as planned",
                "one, asleep: 0.5 GiB, measured",
                "Others: 2.0 GiB, measured",
                "Free: 12.5 GiB",
                "Models may hold 22.0 GiB together",
            ],
        ),
        (
            "zh",
            [
                "GPU 1：已用 11.5 / 24.0 GiB",
                "two：6.0 GiB（实测），其中计划用于权重 4.0、KV 缓存 1.0",
                "&lt;b&gt;three：3.0 GiB（计划）",
                "one，浅睡：0.5 GiB（实测）",
                "其他程序：2.0 GiB（实测）",
                "空闲：12.5 GiB",
                "模型合计最多可用 22.0 GiB",
            ],
        ),
    ],
)
def test_who_cannot_see_the_bar_reads_the_same(language: Language, lines: list[str]) -> None:
    shown = picture(USE, language)
    heading, *said = lines
    assert f"<h3>{heading}</h3>" in shown
    assert [re.sub("<.*?>", "", each) for each in re.findall(r"<li.*?</li>", shown)] == said
    assert f'role="img" aria-label="{"; ".join(said)}"' in shown
    assert "<b>three" not in shown
    brief = device_places([USE], NAMES, language)[BRIEF]
    assert heading in brief
    assert 'aria-hidden="true"' in brief
    assert "aria-label" not in brief


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "one: 3.0 GiB, as planned (weights 2.0, KV cache 1.0)"),
        ("zh", "one：3.0 GiB（计划），其中权重 2.0、KV 缓存 1.0"),
    ],
)
def test_of_a_plan_it_is_said_once_that_it_is_one(language: Language, line: str) -> None:
    share = Share(3 * GIB, weight_bytes=2 * GIB, cache_bytes=GIB)
    assert f">{line}</li>" in picture(DeviceUse("GPU-a", {"one": share}, 8 * GIB, "0"), language)


def test_less_than_planned_is_still_all_there_is() -> None:
    use = DeviceUse("GPU-a", {"one": Share(3 * GIB, True, False, 4 * GIB, 2 * GIB)}, 8 * GIB, "0", 8 * GIB)
    found = widths(picture(use))
    assert found == pytest.approx({"m0 weights": 25, "m0 cache": 12.5, "free": 62.5})


def test_a_device_of_unknown_size_shows_what_models_may_hold() -> None:
    shown = picture(DeviceUse("GPU-a", {"one": Share(2 * GIB)}, 8 * GIB, "0"))
    assert widths(shown) == {"m0 whole": 25.0, "free": 75.0}
    assert "GPU 0: models hold 2.0 of 8.0 GiB" in shown


def test_plans_that_pass_the_card_stay_in_the_bar() -> None:
    use = DeviceUse(
        "GPU-a", {"one": Share(20 * GIB)}, 8 * GIB, "0", total_bytes=16 * GIB, others_bytes=5 * GIB
    )
    assert sum(widths(picture(use)).values()) == pytest.approx(100, abs=0.1)
    assert use.free_bytes == 0


def test_ram_where_models_share_it() -> None:
    use = DeviceUse("cpu", {"one": Share(2 * GIB)}, 8 * GIB, total_bytes=16 * GIB, others_bytes=8 * GIB)
    assert "Memory: 10.0 of 16.0 GiB in use" in picture(use)
    assert "Others, with 1 GiB that models leave them: 8.0 GiB, measured" in picture(use)
    assert "内存：已用 10.0 / 16.0 GiB" in picture(use, "zh")


def test_nothing_is_shown_where_nothing_is_shared() -> None:
    assert device_places([], NAMES, "en") == {BRIEF: "", WHOLE: ""}
    assert devices_html().startswith(
        '<details class="devices"><summary data-place="@devices-brief"></summary>'
    )
