"""What crosses the pipe arrives as it was, and only as what it may be."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from string import Formatter

import pytest

from launcher.engines.base import EngineFacts, EngineSpec
from launcher.errors import EngineError, LauncherError, RequestError, WorkerDied
from launcher.memory import PlanChange
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message, Usage
from launcher.presets import Preset, default_folder, read_presets
from launcher.workers.crossing_errors import MOST_CHARACTERS
from launcher.workers.message_pipe import UnreadableMessage
from launcher.workers.protocol import (
    Ask,
    Cancel,
    Failed,
    FromWorker,
    Heartbeat,
    Load,
    Prepare,
    Progressed,
    Ready,
    Said,
    Shutdown,
    Sleep,
    Slept,
    StandingBy,
    ToWorker,
)
from launcher.workers.wire import from_worker, to_bytes, to_worker
from tests.ui.error_templates import sentences
from tests.workers.stage import a_plan

PRESETS = [Preset.model_validate(preset.model_dump()) for preset in read_presets((default_folder(),)).presets]
"""Without where they were found, which no worker needs to know."""

ODD = os.fsdecode(b"/odd/\xff \xe7\x8c\xab.png")
SPECS = [
    EngineSpec("turbomind", preset, Path(ODD), "cuda:0", a_plan(1 << 40), True, 7, "GPU-a")
    for preset in PRESETS
]
RUNS = "launcher.engines.lmdeploy:LmdeployEngine"
PLACED = [told(RUNS, spec) for told in (Prepare, Load) for spec in SPECS]
REQUEST = ChatRequest(
    (Message("system", "be brief"), Message("user", "猫\u202e?", (Path(ODD), Path("b.png")))),
    GenerationOptions(seed=2**63 - 1, temperature=0.1, top_p=1.0),
    one_tile=frozenset({Path(ODD)}),
)


@pytest.mark.parametrize("message", [*PLACED, Sleep(), Ask(1, REQUEST), Cancel(1), Shutdown()])
def test_the_launchers_messages_arrive_as_they_were(message: ToWorker) -> None:
    assert to_worker(to_bytes(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Heartbeat(),
        StandingBy(),
        Progressed("weights", 1.0),
        Ready(EngineFacts("turbomind", "cuda:0", 1024, None, 1.5, True)),
        Slept(),
        Said(2**40, Chunk("")),
        Said(1, Chunk("end\0", "stop", Usage(1, 2, 3, 0.5, 1.5))),
    ],
)
def test_a_workers_messages_arrive_as_they_were(message: FromWorker) -> None:
    assert from_worker(to_bytes(message)) == message


def test_what_a_plan_changed_arrives_with_its_figures() -> None:
    change = PlanChange("{old} became {new:.1f}", (("old", 1), ("new", 0.5)))
    plan = replace(a_plan(1 << 40), changes=(change,))
    told = to_worker(to_bytes(Prepare(RUNS, replace(SPECS[0], plan=plan))))
    assert isinstance(told, Prepare)
    assert told.spec.plan == plan


def across(error: LauncherError) -> LauncherError:
    message = from_worker(to_bytes(Failed(1, error)))
    assert isinstance(message, Failed)
    return message.error


class TooLongError(RequestError):
    """A class that the launcher process does not know."""


class ForeignError(Exception):
    """A value that only its own library knows."""


def test_an_error_crosses_with_known_class_and_plain_values() -> None:
    error = TooLongError(
        "{count:.1f} of {path}: {why}",
        "Try {other}.",
        count=1.25,
        path=Path("/a"),
        why=ForeignError("no"),
        other="less",
    )
    back = across(error)
    assert type(back) is RequestError
    assert back.values == {"count": 1.25, "path": "/a", "why": "no", "other": "less"}
    assert str(back) == "1.2 of /a: no\nTry less."


@pytest.mark.parametrize("kind", [WorkerDied, EngineError])
def test_known_classes_stay_what_they_are(kind: type[LauncherError]) -> None:
    assert type(across(kind("gone"))) is kind


class Tokens(int):
    """As NumPy's and PyTorch's numbers: no plain one."""


@pytest.mark.parametrize(
    ("error", "reads"),
    [
        (EngineError("{n:,} tokens", n=Tokens(4096)), "4,096 tokens"),
        (EngineError("{n:,} tokens", n=2**70), "1,180,591,620,717,411,303,424 tokens"),
        (EngineError("{a.name} of {b!s:>4}", a=Path("x/y"), b=1), "y of    1"),
        (EngineError("{gone}", there=1), "{gone}"),
        (EngineError("{} and {0}"), "{} and {0}"),
        (EngineError("half \ud800 {a}", a="\udfff"), "half \ufffd \ufffd"),
        (EngineError('{{"a"}} {b}', "Try {b}.", b=1), '{"a"} 1\nTry 1.'),
    ],
)
def test_an_error_that_cannot_cross_as_it_is_crosses_as_it_reads(error: LauncherError, reads: str) -> None:
    assert str(across(error)) == reads


def test_the_story_of_a_librarys_error_is_cut() -> None:
    back = across(EngineError("It failed: {story}", story="x" * (8 << 20)))
    assert len(back.message) == len("It failed: ") + MOST_CHARACTERS


def test_every_sentence_of_ours_crosses_as_a_template() -> None:
    """Else it would not be found in the Chinese table."""
    for place, text in sentences():
        values = _values_for(text)
        assert across(EngineError(text, **values)).template == text, place


def _values_for(template: str) -> dict[str, object]:
    return {
        name: 1 if (form or "")[-1:] in ("d", "f", "g", "X", ",") else "text"
        for _, name, form, _ in Formatter().parse(template)
        if name
    }


def test_a_text_that_is_none_does_not_cross() -> None:
    with pytest.raises(UnicodeEncodeError):
        to_bytes(Said(1, Chunk("\ud800")))


def test_the_launcher_is_told_nothing_that_it_says_itself() -> None:
    with pytest.raises(UnreadableMessage, match="Invalid value 'Load'"):
        from_worker(to_bytes(Load(RUNS, SPECS[0])))
