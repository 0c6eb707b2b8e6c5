"""The order of the page's tabs."""

from __future__ import annotations

import pytest

from launcher.cli.page_order import TUTORIAL, page_order, ready_first
from launcher.presets import read_presets
from launcher.readiness import Readiness, ReadyState

READY, ABSENT = ReadyState.READY, ReadyState.NEEDS_DOWNLOAD
BUILT_IN = ["shapes-internvl2", "shapes-xcomposer2", "tiny-chat"]
SHIPPED = [preset.name for preset in read_presets().presets]


def shipped(ready: list[str]) -> list[Readiness]:
    presets = read_presets().presets
    return [Readiness(preset, READY if preset.name in ready else ABSENT) for preset in presets]


def names(models: list[Readiness]) -> list[str]:
    return [model.preset.name for model in models]


def test_the_tutorials_presets_are_shipped() -> None:
    assert set(TUTORIAL) <= set(SHIPPED)


def test_built_in_models_come_first_where_there_is_nothing_else() -> None:
    order = names(page_order(shipped(BUILT_IN)))
    assert order[:6] == [*BUILT_IN, *TUTORIAL]


@pytest.mark.parametrize("here", ["internlm2-chat-1_8b", "qwen3-1_7b"])
def test_and_last_where_there_is(here: str) -> None:
    order = names(page_order(shipped([here, *BUILT_IN])))
    assert order[0] == here
    others = [name for name in TUTORIAL if name != here]
    assert order[1 : 1 + len(others)] == others
    assert order[-3:] == BUILT_IN


def test_the_tutorials_come_before_the_others() -> None:
    assert names(page_order(shipped(SHIPPED)))[:3] == list(TUTORIAL)


def test_presets_that_somebody_chose_stay_in_order() -> None:
    given = shipped(["tiny-chat", "internvl2-2b"])
    order = names(ready_first(given))
    assert order[:2] == ["internvl2-2b", "tiny-chat"]
    assert order[2:] == [name for name in names(given) if name not in order[:2]]
