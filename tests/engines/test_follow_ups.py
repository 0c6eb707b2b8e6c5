"""Follow-ups on the transformers engine, with the built-in models: nothing is read or looked at twice, and
every answer is the one of a model that reads everything anew."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import torch

import launcher.demo
from launcher.engines.base import EngineSpec
from launcher.engines.transformers import TransformersEngine
from launcher.errors import OutOfMemory
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import read_presets

DEMO = Path(launcher.demo.__file__).parent
TWO, THREE, FOUR = (DEMO / "pictures" / f"{number}-shapes.png" for number in (2, 3, 4))

TALKS: dict[str, list[tuple[str, tuple[Path, ...]]]] = {
    "shapes-internvl2": [
        ("What colour is the star?", (TWO,)),
        ("How many shapes are there?", ()),
        ("Describe the image.", (THREE,)),
        ("图中有几个形状？", (FOUR, TWO)),
    ],
    "shapes-xcomposer2": [
        ("What colour is the star?", (TWO,)),
        ("How many shapes are there?", ()),
        ("描述这张图片。", (THREE, THREE)),
        ("Describe the image.", ()),
    ],
    "tiny-chat": [
        ("My name is Ada.", ()),
        ("What is 7 + 5?", ()),
        ("Reverse the word stone.", ()),
        ("What is my name?", ()),
    ],
}
VISION = [name for name in TALKS if name.startswith("shapes")]
Talk = tuple[Message, ...]


class Model:
    """A built-in model that counts what it reads (tokens) and looks at (tiles)."""

    def __init__(self, name: str) -> None:
        spec = EngineSpec("transformers", read_presets().find(name), DEMO / "checkpoints" / name, "cpu")
        self.engine = TransformersEngine(spec)
        self.read = self.looked_at = 0

    async def load(self) -> None:
        await self.engine.prepare()
        await self.engine.load(lambda _stage, _fraction: None)
        model = self._ready.loaded.model
        model.register_forward_pre_hook(self._reads, with_kwargs=True)
        towers_first = next((each for each in model.modules() if isinstance(each, torch.nn.Conv2d)), None)
        if towers_first is not None:
            towers_first.register_forward_pre_hook(self._looks)

    @property
    def _ready(self) -> Any:
        assert self.engine._ready is not None
        return self.engine._ready

    def _reads(self, _: object, __: object, given: dict[str, Any]) -> None:
        self.read += (given["inputs_embeds"] if "inputs_embeds" in given else given["input_ids"]).shape[1]

    def _looks(self, _: object, given: tuple[torch.Tensor]) -> None:
        self.looked_at += len(given[0])

    def forget(self) -> None:
        """As if it was just loaded; behind what is still being kept of its last answer."""
        self.engine._thread.submit(self._ready.let_go).result()

    def layers(self) -> Any:
        """Those of the language model."""
        return next(
            module
            for name, module in self._ready.loaded.model.named_modules()
            if name.endswith("layers") and "vi" not in name
        )

    async def answer(self, talk: Talk, max_new_tokens: int = 40) -> str:
        """What it says; all that is kept of earlier answers is kept by then."""
        self.read = self.looked_at = 0
        request = ChatRequest(talk, GenerationOptions(max_new_tokens=max_new_tokens))
        return "".join([chunk.text async for chunk in self.engine.stream(request)])


class Pair:
    """The same model twice: one that keeps what it has read, and one that has always just been loaded."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.keeping, self.fresh = Model(name), Model(name)

    async def answer(self, talk: Talk, max_new_tokens: int = 40) -> str:
        """The answer of both, who have to agree."""
        said = await self.keeping.answer(talk, max_new_tokens)
        self.fresh.forget()
        assert said == await self.fresh.answer(talk, max_new_tokens)
        return said

    def turns(self) -> list[Message]:
        return [Message("user", text, pictures) for text, pictures in TALKS[self.name]]


async def loaded(name: str) -> AsyncIterator[Pair]:
    pair = Pair(name)
    for model in (pair.keeping, pair.fresh):
        await model.load()
    yield pair
    for model in (pair.keeping, pair.fresh):
        await model.engine.close()


@pytest_asyncio.fixture(params=TALKS)
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    async for each in loaded(request.param):
        yield each


@pytest_asyncio.fixture(params=VISION)
async def vision(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    async for each in loaded(request.param):
        yield each


async def test_a_conversation_goes_on_with_the_same_words_and_reads_only_what_is_new(pair: Pair) -> None:
    talk: Talk = ()
    before, seen = 0, set[Path]()
    for turn in pair.turns():
        talk = (*talk, turn)
        said = await pair.answer(talk)
        assert pair.keeping.read <= pair.fresh.read - before
        assert (pair.keeping.looked_at > 0) == bool(set(turn.pictures) - seen)
        before, seen = pair.fresh.read, seen.union(turn.pictures)
        talk = (*talk, Message("assistant", said))


async def test_conversations_that_take_turns_keep_their_own_words(pair: Pair) -> None:
    """And each goes on from what it has read, although all begin alike."""
    first, second, third, _ = pair.turns()
    talks: list[Talk] = [(first,), (first, Message("assistant", "Yes."), second), (third,)]
    for _ in range(2):
        talks = [(*talk, Message("assistant", await pair.answer(talk)), second) for talk in talks]
    for talk in talks:
        await pair.answer(talk)
        assert pair.keeping.read < pair.fresh.read / 2


async def test_what_was_said_before_a_stop_is_gone_on_from(pair: Pair) -> None:
    first, second, *_ = pair.turns()
    request = ChatRequest((first,), GenerationOptions(max_new_tokens=40))
    stream = pair.keeping.engine.stream(request)
    said = (await anext(stream)).text
    await stream.aclose()
    await pair.fresh.answer((first,), 1)
    asked = pair.fresh.read
    await pair.answer((first, Message("assistant", said), second))
    assert pair.keeping.read <= pair.fresh.read - asked


async def test_the_same_question_again_reads_one_token_of_it(pair: Pair) -> None:
    first = pair.turns()[0]
    await pair.answer((first,), 1)
    await pair.answer((first,), 1)
    assert (pair.keeping.read, pair.keeping.looked_at) == (1, 0)


async def test_answers_side_by_side_go_on_from_the_same_beginning(pair: Pair) -> None:
    first, second, *others = pair.turns()
    beginning = (first, Message("assistant", await pair.answer((first,))))
    talks: list[Talk] = [(*beginning, turn) for turn in (second, *others, second)]
    alone = []
    for talk in talks:
        pair.fresh.forget()
        alone.append(await pair.fresh.answer(talk))
    assert await asyncio.gather(*map(pair.keeping.answer, talks)) == alone


async def test_another_conversation_about_the_same_picture_looks_at_it_no_more(
    vision: Pair, tmp_path: Path
) -> None:
    """Whatever its file is called, and wherever it stands."""
    await vision.answer((Message("user", "Describe the image.", (TWO,)),))
    assert vision.keeping.looked_at > 0
    again = shutil.copy(TWO, tmp_path / "another name.png")
    before = (Message("user", "Hi"), Message("assistant", "Hi."))
    await vision.answer((*before, Message("user", "What colour is the star?", (again,))))
    assert vision.keeping.looked_at == 0
    assert vision.fresh.looked_at > 0


async def test_another_picture_of_the_same_name_is_another_picture(vision: Pair, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    said = []
    for picture in (TWO, FOUR):
        shutil.copy(picture, path)
        said.append(await vision.answer((Message("user", "How many shapes are there?", (path,)),)))
        assert vision.keeping.looked_at > 0
    assert said[0] != said[1]


async def test_what_was_read_half_when_memory_ran_out_is_not_gone_on_from(pair: Pair) -> None:
    first, second, *_ = pair.turns()
    talk = (first, Message("assistant", await pair.answer((first,))), second)
    layers = pair.keeping.layers()

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("no memory")

    hook = layers[len(layers) // 2].register_forward_hook(full)
    with pytest.raises(OutOfMemory):
        await pair.keeping.answer(talk)
    hook.remove()
    await pair.answer(talk)
