"""A model's process that was taken over can end itself and its own answers, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from launcher.errors import LauncherError, WorkerDied
from launcher.messages import Chunk
from launcher.workers import process
from launcher.workers.protocol import Heartbeat, Sleep
from launcher.workers.wire import to_bytes
from tests.workers.stage import BRISK, Stage, children, question
from tests.workers.taken_over import BOOT, framed


def take_over(monkeypatch: pytest.MonkeyPatch, attack: str, argument: object = "") -> None:
    """Every process that is spawned from now on is an attacker's."""
    monkeypatch.setattr(process, "_BOOT", BOOT.format(attack=attack, argument=str(argument)))


def refused(stage: Stage) -> LauncherError:
    with pytest.raises(WorkerDied) as told:
        stage.manager(limits=replace(BRISK, load_silence_s=1.0)).ensure_ready("one")
    assert not children()
    return told.value


def test_a_pickle_is_no_message(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = stage.folder / "the launcher ran it"
    take_over(monkeypatch, "pickled", mark)
    assert "one's process said something that cannot be read" in refused(stage).message
    assert not mark.exists()


SAID = msgspec.msgpack.encode(["Said", 1, {"text": 5}])


def failing(kind: str, sentence: str) -> bytes:
    return msgspec.msgpack.encode(["LoadFailed", [kind, sentence, "", {"x": "1", "n": 1}]])


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff" * 100,
        b"\x91" * 10_000 + b"\x01",  # a list in a list, and so on
        to_bytes(Heartbeat())[:-1],
        to_bytes(Heartbeat()) + b"\x00",
        to_bytes(Sleep()),  # the launcher's to say
        SAID,
        msgspec.msgpack.encode(["Progressed", "weights", float("nan")]),
        msgspec.msgpack.encode(["Ready", {"engine": "scripted"}]),
        failing("SystemExit", "{x}"),
        failing("EngineError", "{x.__class__.__mro__}"),
        failing("EngineError", "{x:>999999999}"),
        failing("EngineError", "{n:,.999999999f}"),
        failing("EngineError", "{x:.1f}"),
        failing("EngineError", "{gone}"),
        failing("EngineError", "{"),
    ],
)
def test_what_is_no_message_ends_the_process(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, message: bytes
) -> None:
    take_over(monkeypatch, "raw", framed(message).hex())
    assert "one's process said something that cannot be read" in refused(stage).message


def test_an_endless_message_is_not_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    take_over(monkeypatch, "raw", "ffffffff")
    assert "it announces 4294967295 bytes" in refused(stage).message


def test_half_a_message_is_silence(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    take_over(monkeypatch, "half")
    assert "no progress for 1 s" in refused(stage).message


def test_words_for_another_models_reader_do_not_reach_him(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = stage.manager(stage.model("one"), stage.model("two"), limits=BRISK)
    stage.gate("more")
    reader = manager.ask("two", question("hello\n/wait more\nthere"))
    assert next(reader) == Chunk("hello ")
    take_over(monkeypatch, "foreign", 1)
    with pytest.raises(WorkerDied, match="it answers question 1, which it was not asked"):
        list(manager.ask("one", question("hello")))
    stage.open("more")
    assert "".join(chunk.text for chunk in reader) == "there "
