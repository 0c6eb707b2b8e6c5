"""In which order is measured. That figures are true of what was asked, tests/cli/test_bench.py shows."""

from __future__ import annotations

from launcher.bench.figures import Round, Timing
from launcher.bench.throughput import Ask, Plan, _measured
from launcher.bench.workload import Workload


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
