"""Which of LMDeploy's ends mean that its engine is broken, and what a first answer that fails makes of a
load. Over LMDeploy's own front half; runs without a GPU."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from launcher.engines.base import LOG_VARIABLE, EngineSpec
from launcher.errors import EngineBroken, EngineError, LauncherError, OutOfMemory
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import ChatSettings, Preset
from tests.models.tiny import write_internlm2

if find_spec("lmdeploy") is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)

from lmdeploy.messages import ResponseType

from launcher.engines.lmdeploy import LmdeployEngine
from tests.engines.lmdeploy_stand import Script, Stand

BROKEN = (
    ResponseType.ENGINE_STOP_ERROR,
    ResponseType.SESSION_NOT_EXIST,
    ResponseType.HANDLER_NOT_EXIST,
    ResponseType.NO_QUEUE,
    ResponseType.INTERNAL_ENGINE_ERROR,
)
NOT_BROKEN = (
    ResponseType.INPUT_LENGTH_ERROR,
    ResponseType.NOT_SUPPORTED,
    ResponseType.SESSION_REPEAT,
    ResponseType.OUT_OF_MEMORY,
)


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setenv(LOG_VARIABLE, "/logs/one.log")
    folder = write_internlm2(tmp_path / "text", max_position_embeddings=4096)
    stand = Stand(folder, Script(), ChatSettings())
    yield stand
    stand.close()


async def ask(stand: Stand, text: str = "Hello") -> None:
    request = ChatRequest((Message("user", text),), GenerationOptions())
    async for _ in stand.requests(request).chunks():
        pass


@pytest.mark.parametrize("status", BROKEN, ids=lambda status: status.name)
async def test_an_end_that_is_the_engines_own_says_that_it_is_broken(
    stand: Stand, status: ResponseType
) -> None:
    stand.script.end = status
    with pytest.raises(EngineBroken) as told:
        await ask(stand)
    assert told.value.hint.startswith("Ask again: the model starts anew.")
    assert "/logs/one.log" in told.value.hint


@pytest.mark.parametrize("status", NOT_BROKEN, ids=lambda status: status.name)
async def test_an_end_that_is_this_questions_leaves_the_engine_alone(
    stand: Stand, status: ResponseType
) -> None:
    stand.script.end = status
    with pytest.raises(LauncherError) as told:
        await ask(stand)
    assert not isinstance(told.value, EngineBroken)


async def test_an_exception_while_generating_breaks_and_one_before_does_not(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.script.error = RuntimeError("CUDA error: an illegal memory access was encountered")
    with pytest.raises(EngineBroken):
        await ask(stand)
    stand.script.error = None

    def confused(*_: Any, **__: Any) -> None:
        raise TypeError("TextEncodeInput must be Union")

    monkeypatch.setattr("launcher.engines.lmdeploy_request.messages_for", confused)
    with pytest.raises(EngineError, match="could not prepare the question: TypeError") as told:
        await ask(stand)
    assert not isinstance(told.value, EngineBroken)


def engine_over(stand: Stand) -> LmdeployEngine:
    """The engine as it is once its pipeline is built, before its first answer."""
    preset = Preset.model_validate(
        {"name": "one", "title": {"en": "one", "zh": "one"}, "kind": "text", "sources": ("/x",)}
    )
    engine = LmdeployEngine(EngineSpec("pytorch", preset, Path("x"), "cuda:0", stand.plan))
    engine._pipe, engine._requests = stand, stand.requests  # type: ignore[assignment]
    return engine


async def test_a_first_answer_without_memory_is_a_load_without_memory(stand: Stand) -> None:
    stand.script.end = ResponseType.OUT_OF_MEMORY
    with pytest.raises(OutOfMemory, match="one ran out of memory while loading"):
        await engine_over(stand)._rehearse()


async def test_a_main_loop_that_died_of_memory_in_the_first_answer_is_that_too(stand: Stand) -> None:
    """LMDeploy's PyTorch engine only says that it stopped; the exception stays in its task."""

    async def died() -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")

    task = asyncio.create_task(died())
    await asyncio.wait([task])
    stand.async_engine.engine._loop_main = task
    stand.script.end = ResponseType.ENGINE_STOP_ERROR
    with pytest.raises(OutOfMemory, match="Tried to allocate 20"):
        await engine_over(stand)._rehearse()


@pytest.mark.parametrize("loop", ["none", "alive"])
async def test_a_first_answer_that_fails_otherwise_stays_what_it_is(stand: Stand, loop: str) -> None:
    stand.script.end = ResponseType.ENGINE_STOP_ERROR
    if loop == "alive":
        stand.async_engine.engine._loop_main = SimpleNamespace(done=lambda: False)
    with pytest.raises(EngineBroken, match="The engine has stopped"):
        await engine_over(stand)._rehearse()
