"""Two cards, with real processes of the scripted engine; what NVML tells is played."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from launcher.devices import VISIBLE_DEVICES
from launcher.engines.base import EngineSpec
from launcher.workers.engine_host import EngineHost
from launcher.workers.manager import Manager
from launcher.workers.offered import RunnableModel
from launcher.workers.protocol import Load, Prepare
from launcher.workers.states import ModelState, Seen
from tests.scripted_engine import SCRIPTED
from tests.workers.stage import Stage, a_plan, question, read, status, wait_for_state

SIZE_BYTES = 6
CARD_BYTES = 8


class Cards:
    """Two cards as NVML tells of them: what our processes hold there, and what other programs have taken."""

    def __init__(self) -> None:
        self.taken = {"GPU-a": 0, "GPU-b": 0}
        self.manager: Manager | None = None

    def measure(self, device: str, pids: Mapping[str, int]) -> Seen | None:
        assert self.manager is not None
        on = {one.name: one.device for one in self.manager.statuses()}
        held = {name: SIZE_BYTES for name in pids if on[name] == device}
        return Seen(max(0, CARD_BYTES - self.taken[device] - sum(held.values())), held)


def model(stage: Stage, name: str) -> RunnableModel:
    (spec,) = stage.model(name, loading="/loaded loads", size_bytes=SIZE_BYTES).specs.values()
    return RunnableModel(name, {card: replace(spec, card=card) for card in ("GPU-a", "GPU-b")})


def on_two_cards(stage: Stage, *names: str) -> tuple[Manager, Cards]:
    cards = Cards()
    manager = stage.manager(*(model(stage, name) for name in names), measure=cards.measure)
    cards.manager = manager
    return manager, cards


def test_two_models_are_awake_and_twenty_ask_three(stage: Stage) -> None:
    manager, _ = on_two_cards(stage, "one", "two", "three")
    manager.ensure_ready("one")
    manager.ensure_ready("two")
    assert {status(manager, name).device for name in ("one", "two")} == {"GPU-a", "GPU-b"}
    assert [use.budget_bytes for use in manager.device_uses()] == [CARD_BYTES, CARD_BYTES]
    names = [("one", "two", "three")[number % 3] for number in range(20)]
    with ThreadPoolExecutor(20) as people:
        answers = list(people.map(lambda name: read(manager.ask(name, question("/name"))), names))
    assert answers == names


def test_a_card_that_fills_up_behind_the_launchers_back_is_passed_by(stage: Stage) -> None:
    manager, cards = on_two_cards(stage, "one")
    manager.ensure_ready("one")
    before = status(manager, "one").device
    manager.unload("one")
    wait_for_state(manager, ModelState.ASLEEP, "one")
    cards.taken[before] = CARD_BYTES - 1
    assert read(manager.ask("one", question("/name"))) == "one"
    assert status(manager, "one").device not in ("", before)


async def test_a_process_that_stands_by_is_given_its_card_when_it_is_to_load(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another plan it builds its engine anew; with another card alone it does not."""
    monkeypatch.setenv(VISIBLE_DEVICES, "GPU-a,GPU-b")
    specs = list(model(stage, "one").specs.values())
    host = EngineHost(lambda _message: None)
    await host.obey(Prepare(SCRIPTED.runs, specs[0]))
    prepared = host._engine
    assert os.environ[VISIBLE_DEVICES] == "GPU-a,GPU-b"
    await host.obey(Load(SCRIPTED.runs, specs[1]))
    assert os.environ[VISIBLE_DEVICES] == "GPU-b"
    assert host._engine is prepared
    other: EngineSpec = replace(specs[0], plan=a_plan(5))
    await host.obey(Load(SCRIPTED.runs, other))
    assert os.environ[VISIBLE_DEVICES] == "GPU-a"
    assert host._engine is not prepared
