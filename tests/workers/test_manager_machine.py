"""The manager with real processes against people who ask, leave, wake and unload while workers are killed at
any moment."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from launcher.errors import WorkerDied
from launcher.workers.answers import Answer
from tests.workers.stage import Stage, children, question, read

MODELS = {"large": 6, "small": 4, "free": None}  # large and small do not fit together into 8
models = st.sampled_from(sorted(MODELS))
which = st.integers(0, 99)


class People(RuleBasedStateMachine):
    """Talks end by themselves; silences do not and hold their model's memory until their reader leaves."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        stage = Stage(Path(self.folder.name), [])
        self.manager = stage.manager(
            *(stage.model(name, size_bytes=size) for name, size in MODELS.items()), budget_bytes=8
        )
        self.talks: list[tuple[Answer, str]] = []
        self.silences: list[Answer] = []
        self.asked = 0
        self.killed = False

    @rule(model=models)
    def ask(self, model: str) -> None:
        self.asked += 1
        expected = model + "".join(f"{number} " for number in range(50)) + f"to {self.asked} "
        self.talks.append((self.manager.ask(model, question(f"/name\n/say 50\nto {self.asked}")), expected))

    @rule(model=models)
    def ask_for_silence(self, model: str) -> None:
        self.silences.append(self.manager.ask(model, question("/stall")))

    @precondition(lambda self: self.talks)
    @rule(which=which)
    def leave(self, which: int) -> None:
        answer, expected = self.talks.pop(which % len(self.talks))
        answer.cancel()
        with contextlib.suppress(WorkerDied):
            assert expected.startswith(read(answer))

    @precondition(lambda self: self.silences)
    @rule(which=which)
    def leave_silence(self, which: int) -> None:
        self.silences.pop(which % len(self.silences)).cancel()

    @precondition(lambda self: self.talks and not self.silences)
    @rule(which=which)
    def listen(self, which: int) -> None:
        self.hear(*self.talks.pop(which % len(self.talks)))

    @rule(model=models)
    def wake(self, model: str) -> None:
        self.manager.wake(model)

    @rule(model=models)
    def unload(self, model: str) -> None:
        self.manager.unload(model)

    @rule(which=which)
    def kill(self, which: int) -> None:
        if workers := sorted(children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(workers[which % len(workers)], signal.SIGKILL)
            self.killed = True

    def hear(self, answer: Answer, expected: str) -> None:
        """An answer is whole, or its worker died on the way."""
        heard: list[str] = []
        try:
            heard.extend(chunk.text for chunk in answer)
        except WorkerDied:
            assert self.killed
            assert expected.startswith("".join(heard))
        else:
            assert "".join(heard) == expected

    def teardown(self) -> None:
        """Whatever happened, everyone is heard, the next question to each model works, and no process
        stays."""
        if not hasattr(self, "manager"):
            return
        with contextlib.ExitStack() as cleaning:
            cleaning.callback(self.folder.cleanup)
            with self.manager:
                for silence in self.silences:
                    silence.cancel()
                for answer, expected in self.talks:
                    self.hear(answer, expected)
                for model in MODELS:
                    self.hear(
                        self.manager.ask(model, question("/name")), model
                    )  # its worker may have been killed just now
                    self.manager.ensure_ready(model)
                    assert read(self.manager.ask(model, question("/name"))) == model
            assert not children()


People.TestCase.settings = settings(max_examples=8, stateful_step_count=15, deadline=None)
TestPeople = People.TestCase
