"""In which order is measured. That figures are true of what was asked, tests/cli/test_bench.py shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from launcher.bench.figures import Round, Timing
from launcher.bench.scripted_models import scripted_models
from launcher.bench.throughput import Ask, Plan, _fits_twice, _measured
from launcher.bench.workload import Workload
from launcher.devices import Gpu
from launcher.families import model_sizes
from launcher.memory import GIB, Card, plan_memory
from launcher.presets import read_presets
from tests.published import KNOWN_CONFIGS


def test_all_are_asked_in_turns_after_each_has_warmed_up() -> None:
    asked: list[tuple[str, int, int]] = []

    def asks(name: str) -> Ask:
        def ask(users: int, tokens: int) -> Round:
            asked.append((name, users, tokens))
            return Round((Timing(0.1, float(len(asked))),) * users, users * tokens, 1.0)

        return ask

    told: list[str] = []
    work = Workload(100, None)
    found = _measured({"a": asks("a"), "b": asks("b")}, work, Plan((1, 3), 2), told.append)
    assert [name for name, *_ in asked] == ["a", "b"] * 6
    assert [each[1:] for each in asked[::2]] == [(1, 32), (1, 100), (1, 100), (3, 32), (3, 100), (3, 100)]
    assert {key: [each.tokens for each in one.rounds] for key, one in found.items()} == {
        ("a", 1): [100, 100],
        ("b", 1): [100, 100],
        ("a", 3): [300, 300],
        ("b", 3): [300, 300],
    }
    assert found["b", 1].rounds[1].timings[0].end_s == 6.0  # the last of its own run
    assert told[1] == "b: 1 at once, run 1 of 2, 100 tokens"


def test_a_model_is_loaded_twice_where_there_is_room(tmp_path: Path) -> None:
    (small,) = scripted_models(tmp_path)
    assert _fits_twice(small)
    assert not _fits_twice(replace(small, size_bytes=2**30)), "nobody knows whether RAM holds it twice"
    preset = read_presets().find("internvl2-2b")
    plan = plan_memory(
        preset.memory, model_sizes(KNOWN_CONFIGS["internvl2-2b"]), "turbomind", Card(8 * GIB, 8 * GIB)
    )
    for free_bytes, fits in ((2 * plan.peak_bytes, True), (2 * plan.peak_bytes - 1, False)):
        card = Gpu("H200", "GPU-0", 141 * GIB, free_bytes, (9, 0), "580", (13, 0))
        assert _fits_twice(replace(small, plan=plan, gpu=card)) is fits
