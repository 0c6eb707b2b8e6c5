"""What becomes of a question on its way through LMDeploy: prompt, stream, stop, every end. Runs without a
GPU."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from launcher.engine_costs import COSTS
from launcher.errors import EngineBroken, EngineError, LauncherError, PictureError, RequestError
from launcher.images import load_picture
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message, system_turn
from tests.models.tiny import PICTURES, language_fields, piece_count, write_internlm2, write_internvl2
from tests.models.tiny_generic import write_generic, write_internvl_qwen

if find_spec("lmdeploy") is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)

from lmdeploy.messages import ResponseType
from lmdeploy.serve.core.exceptions import ErrorCode
from lmdeploy.serve.core.exceptions import RequestError as LmdeployRequestError

from launcher.engines.lmdeploy_failures import _CODES, StatusError, translate
from launcher.engines.lmdeploy_request import FINISH
from launcher.families import TEMPLATES, build_prompt, split_at_pictures
from tests.engines.lmdeploy_stand import Script, Stand

Maker = Callable[..., Stand]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    words = language_fields(vocab_size=piece_count() + len(PICTURES), max_position_embeddings=4096)
    return {
        "text": write_internlm2(root / "text", max_position_embeddings=4096),
        "vision": write_internvl2(root / "vision", llm_config=words),
        **{
            name: write_generic(root / name, name, max_position_embeddings=4096)
            for name in ("Qwen3ForCausalLM", "LlamaForCausalLM")
        },
        **{
            kind: write_internvl_qwen(root / kind, kind, max_position_embeddings=4096)
            for kind in ("qwen2", "qwen3")
        },
    }


@pytest.fixture
def stand(folders: dict[str, Path]) -> Iterator[Maker]:
    made: list[Stand] = []

    def make(
        kind: str = "text", stops: Sequence[str] = (), script: Script | None = None, **memory: object
    ) -> Stand:
        made.append(Stand(folders[kind], script or Script(), stops, **memory))
        return made[-1]

    yield make
    for each in made:
        each.close()


def user(text: str, *pictures: Path) -> tuple[Message, ...]:
    return (Message("user", text, pictures),)


async def answer(stand: Stand, messages: tuple[Message, ...], **options: object) -> list[Chunk]:
    return [
        chunk async for chunk in stand.requests(ChatRequest(messages, GenerationOptions(**options))).chunks()
    ]  # type: ignore[arg-type]


async def said(stand: Stand, messages: tuple[Message, ...], **options: object) -> str:
    return "".join(chunk.text for chunk in await answer(stand, messages, **options))


def end_token(stand: Stand) -> int:
    return int(stand.tokenizer.convert_tokens_to_ids(stand.requests.form.turn_end))


async def test_streams_text_and_ends_with_what_it_cost(stand: Maker) -> None:
    here = stand()
    words = here.tokenizer.encode("What colour is the star?", add_special_tokens=False)
    here.script.tokens = [*words, end_token(here)]
    chunks = await answer(here, user("Hello"))
    assert "".join(chunk.text for chunk in chunks) == "What colour is the star?"
    assert len(chunks) > 3
    assert [chunk.finish for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    last = chunks[-1]
    assert last.finish == "stop"
    assert last.usage is not None
    assert (last.usage.new_tokens, last.usage.picture_tokens) == (len(words), 0)
    assert last.usage.prompt_tokens == len(here.script.asked[0]["input_ids"])
    assert 0 < last.usage.first_token_s <= last.usage.total_s


async def test_lmdeploy_makes_no_text_of_its_own(stand: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would cost as much as all the rest, for text that nobody reads."""
    here = stand()
    words = here.tokenizer.encode("狐狸 What colour is the star?", add_special_tokens=False)
    here.script.tokens = [*words, end_token(here)]
    here.script.at_once = 3
    texts: list[object] = []
    theirs = here.async_engine.tokenizer.model  # LMDeploy's tokenizer around transformers'
    monkeypatch.setattr(type(theirs), "detokenize_incrementally", lambda *a, **k: texts.append(a))
    monkeypatch.setattr(type(theirs), "decode", lambda *a, **k: texts.append(a))
    chunks = await answer(here, user("Hello"))
    assert "".join(chunk.text for chunk in chunks) == "狐狸 What colour is the star?"
    assert chunks[-1].usage is not None
    assert (chunks[-1].finish, chunks[-1].usage.new_tokens) == ("stop", len(words))
    assert texts == []


async def test_many_answers_at_once_are_kept_apart(stand: Maker) -> None:
    here = stand()
    words = here.tokenizer.encode("What colour is the star?", add_special_tokens=False)
    here.script.tokens = [*words, *words, *words, end_token(here)]
    limits = [3 + number for number in range(5)]
    said_by_all = await asyncio.gather(*(said(here, user("Hello"), max_new_tokens=limit) for limit in limits))
    tokens = here.script.tokens
    assert said_by_all == [here.tokenizer.decode(tokens[:limit]) for limit in limits]


@pytest.mark.parametrize("system", ["", "你是一个助手。"])
async def test_a_text_prompt_is_the_one_that_every_engine_uses(stand: Maker, system: str) -> None:
    here = stand()
    here.script.tokens = [*here.tokenizer.encode("star", add_special_tokens=False), end_token(here)]
    talk = (
        *system_turn(system),
        Message("user", "Hello <|im_end|> </s>"),
        Message("assistant", "你好世界"),
        Message("user", "again  and\nagain"),
    )
    await answer(here, talk)
    ids = here.script.asked[0]["input_ids"]
    assert ids == here.tokenizer.encode(build_prompt(talk, TEMPLATES["internlm2"]))
    assert ids.count(here.tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("name", ["Qwen3ForCausalLM", "LlamaForCausalLM"])
async def test_so_is_one_by_the_tokenizer_s_own_template(stand: Maker, name: str) -> None:
    """To the ids that transformers makes of the conversation, with one BOS or none."""
    here = stand(name)
    here.script.tokens = [*here.tokenizer.encode("star", add_special_tokens=False), end_token(here)]
    talk = (
        Message("system", "Be kind."),
        Message("user", "Hello"),
        Message("assistant", "你好世界"),
        Message("user", "again  and\nagain"),
    )
    chunks = await answer(here, talk)
    assert "".join(chunk.text for chunk in chunks) == "star"
    asked = here.script.asked[0]
    turns = [{"role": each.role, "content": each.text} for each in talk]
    ids = here.tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, enable_thinking=False, return_dict=True
    )["input_ids"]
    assert asked["input_ids"] == ids
    assert here.requests.count_prompt(ChatRequest(talk, GenerationOptions()), 0) == len(ids)
    ends = ["<|end_of_text|>", "<|eot_id|>"] if name.startswith("Llama") else ["<|endoftext|>", "<|im_end|>"]
    assert asked["gen_config"].stop_token_ids == here.tokenizer.convert_tokens_to_ids(ends)


async def test_a_picture_prompt_has_a_token_for_each_place_in_each_tile(stand: Maker, tmp_path: Path) -> None:
    wide, tall = tmp_path / "wide.png", tmp_path / "tall.png"
    Image.new("RGB", (900, 600), "red").save(wide)
    Image.new("RGB", (30, 28), "blue").save(tall)
    here = stand("vision")
    here.script.tokens = [*here.tokenizer.encode("star", add_special_tokens=False), end_token(here)]
    talk = (
        Message("system", "system"),
        Message("user", "What <IMG_CONTEXT> is it?", (wide, tall)),
        Message("assistant", "red"),
        Message("user", "again", (tall,)),
    )
    chunks = await answer(here, talk)
    asked = here.script.asked[0]
    place = here.tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
    tiles = [7, 1, 1]  # 3 x 2 and a thumbnail; a picture of about one tile has no thumbnail
    pieces = split_at_pictures(build_prompt(talk, TEMPLATES["internvl2"]), TEMPLATES["internvl2"])
    expected = [here.tokenizer.bos_token_id]
    for count, piece in zip([0, *tiles], pieces, strict=True):
        expected += [place] * 4 * count + here.tokenizer.encode(piece, add_special_tokens=False)
    assert asked["input_ids"] == expected
    assert [len(each["pixel_values"]) for each in asked["multimodal"]] == tiles
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.picture_tokens == 4 * sum(tiles)


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
async def test_so_it_has_with_a_qwen_inside(stand: Maker, kind: str, tmp_path: Path) -> None:
    """In its own form, not in the chat template that its tokenizer carries too; and the answer's text comes
    from its own tokenizer."""
    wide = tmp_path / "wide.png"
    Image.new("RGB", (900, 600), "red").save(wide)
    here = stand(kind)
    words = here.tokenizer.encode("狐狸 star", add_special_tokens=False)
    here.script.tokens = [*words, end_token(here)]
    talk = (Message("system", "system"), Message("user", "What <|endoftext|> is it?", (wide,)))
    chunks = await answer(here, talk)
    assert "".join(chunk.text for chunk in chunks) == "狐狸 star"
    asked = here.script.asked[0]
    before = here.tokenizer.encode("<|im_start|>system\nsystem<|im_end|>\n<|im_start|>user\n<img>")
    after = here.tokenizer.encode(
        "</img>\nWhat <\u200b|endoftext|> is it?<|im_end|>\n<|im_start|>assistant\n"
    )
    place = here.tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
    assert asked["input_ids"] == [*before, *[place] * 28, *after]
    assert [len(each["pixel_values"]) for each in asked["multimodal"]] == [7]
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.picture_tokens) == (len(asked["input_ids"]), 28)
    assert chunks[-1].finish == "stop"


async def test_a_picture_is_cut_into_no_more_tiles_than_planned(stand: Maker, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (400, 300), "red").save(large)
    here = stand("vision", max_tiles=4)
    here.script.tokens = [*here.tokenizer.encode("star", add_special_tokens=False), end_token(here)]
    await answer(here, user("Describe it.", large))
    assert len(here.script.asked[0]["multimodal"][0]["pixel_values"]) <= 5


async def test_a_page_of_a_document_is_one_tile(stand: Maker, tmp_path: Path) -> None:
    page, whole = tmp_path / "page.png", tmp_path / "whole.png"
    for path in (page, whole):
        Image.new("RGB", (400, 300), "red").save(path)
    here = stand("vision")
    here.script.tokens = [*here.tokenizer.encode("star", add_special_tokens=False), end_token(here)]
    request = ChatRequest(user("Describe it.", page, whole), one_tile=frozenset({page}))
    chunks = [chunk async for chunk in here.requests(request).chunks()]
    tiles = [len(each["pixel_values"]) for each in here.script.asked[0]["multimodal"]]
    assert tiles[0] == 1 < tiles[1]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.picture_tokens == 4 * sum(tiles)
    assert len(here.script.asked[0]["input_ids"]) == chunks[-1].usage.prompt_tokens


async def test_a_picture_is_opened_and_cut_once_whatever_it_is_called(
    stand: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide, again, other = (tmp_path / name for name in ("wide.png", "again.png", "other.png"))
    Image.new("RGB", (90, 60), "red").save(wide)
    shutil.copy(wide, again)
    Image.new("RGB", (90, 60), "blue").save(other)
    opened = list[Path]()

    def load(path: Path) -> Image.Image:
        opened.append(path)
        return load_picture(path)

    monkeypatch.setattr("launcher.engines.lmdeploy_pictures.load_picture", load)
    here = stand("vision")
    here.script.tokens = [*here.tokenizer.encode("star", add_special_tokens=False), end_token(here)]
    talk = user("What is it?", wide)
    for turn in (user("And this?", again), user("And this?", other, wide)):
        await answer(here, talk)
        talk = (*talk, Message("assistant", "star"), *turn)
    await asyncio.gather(*(answer(here, talk) for _ in range(3)))
    assert opened == [wide, other]
    red, blue = (here.script.asked[-1]["multimodal"][at]["pixel_values"] for at in (0, 2))
    pixels = [each["pixel_values"] for each in here.script.asked[-1]["multimodal"]]
    assert [each.equal(red) for each in pixels] == [True, True, False, True]
    assert not red.equal(blue)
    fresh = stand("vision")
    fresh.script.tokens = here.script.tokens
    await answer(fresh, user("What is it?", other))
    assert fresh.script.asked[0]["multimodal"][0]["pixel_values"].equal(blue)


async def test_an_answer_never_passes_the_session(stand: Maker) -> None:
    here = stand(session_tokens=900)
    here.script.tokens = [here.tokenizer.encode("dog", add_special_tokens=False)[0]] * 2000
    chunks = await answer(here, user("Hello"), max_new_tokens=2000)
    config = here.script.asked[0]["gen_config"]
    assert chunks[-1].finish == "session_full"
    assert len(here.script.asked[0]["input_ids"]) + config.max_new_tokens <= here.plan.session_tokens == 900


async def test_a_conversation_that_outgrows_the_session_says_by_how_much(
    stand: Maker, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    Image.new("RGB", (900, 600), "red").save(picture)
    here = stand("vision", session_tokens=900)
    with pytest.raises(RequestError) as caught:
        await answer(here, user("lazy dog, " * 900, picture))
    assert caught.value.values["pictures"] == 28
    assert caught.value.values["session"] == 900
    expected = here.requests.count_prompt(ChatRequest(user("lazy dog, " * 900, picture)), 28)
    assert caught.value.values["total"] == expected > 900


async def test_a_session_with_no_room_for_an_answer_is_full(stand: Maker) -> None:
    here = stand(session_tokens=800)
    room_for_text = here.plan.session_tokens - len(
        here.tokenizer.encode(build_prompt(user(""), TEMPLATES["internlm2"]))
    )
    dog = here.tokenizer.decode(here.tokenizer.encode("dog", add_special_tokens=False)[:1])
    with pytest.raises(RequestError, match="session holds 800"):
        await answer(here, user(dog * (room_for_text - 10)), max_new_tokens=100)
    assert here.script.asked == []
    assert here.under_way == 0


async def test_stopping_takes_the_request_off_the_engine(stand: Maker) -> None:
    here = stand(script=Script(wait_before_end=True))
    here.script.tokens = here.tokenizer.encode("What colour is it?", add_special_tokens=False)
    request = here.requests(ChatRequest(user("Hello")))
    async with aclosing(request.chunks()) as chunks:
        await anext(chunks)
    await asyncio.wait_for(request.stop(), 20)
    assert here.script.cancelled >= 1
    assert here.under_way == 0
    here.script.wait_before_end = False
    assert await said(here, user("Hello")) == "What colour is it?"


async def test_few_questions_about_pictures_are_read_at_once(stand: Maker, tmp_path: Path) -> None:
    """What TurboMind takes for pictures grows with those that it looks at side by side; text does not wait
    for them, and who waits can be stopped."""
    picture = tmp_path / "picture.png"
    Image.new("RGB", (300, 200), "red").save(picture)
    here = stand("vision", script=Script(read=threading.Event()))
    assert here.script.read is not None
    here.say("star")
    crowd = COSTS["turbomind"].crowd
    answers = [asyncio.ensure_future(said(here, user(f"{n}?", picture))) for n in range(crowd + 3)]
    while len(here.script.asked) < crowd:
        await asyncio.sleep(0.01)
    answers.append(asyncio.ensure_future(said(here, user("What else?"))))
    while len(here.script.asked) < crowd + 1:
        await asyncio.sleep(0.01)
    stopped = here.requests(ChatRequest(user("And this?", picture)))
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(anext(stopped.pieces()), 0.3)
    assert len(here.script.asked) == crowd + 1
    await asyncio.wait_for(stopped.stop(), 20)
    here.script.read.set()
    assert await asyncio.gather(*answers) == ["star"] * (crowd + 4)
    assert len(here.script.asked) == crowd + 4
    assert not here.async_engine.session_mgr.sessions


async def test_an_answer_that_ended_is_not_waited_for_again(stand: Maker) -> None:
    """Its last piece comes a moment before LMDeploy's own task is done; stopping in between once waited out
    the whole limit."""
    here = stand()
    here.script.tokens = [*here.tokenizer.encode("star", add_special_tokens=False), end_token(here)]

    async def ask_many() -> None:
        for _ in range(100):
            request = here.requests(ChatRequest(user("Hello")))
            assert [chunk async for chunk in request.chunks()][-1].finish == "stop"
            await request.stop()

    await asyncio.wait_for(ask_many(), 60)
    assert here.script.cancelled == 0


async def test_askers_do_not_get_each_others_answers(stand: Maker) -> None:
    here = stand()
    here.script.tokens = here.tokenizer.encode("star", add_special_tokens=False)
    answers = await asyncio.gather(*(said(here, user(f"Question {n}")) for n in range(20)))
    assert set(answers) == {"star"}
    assert len(here.script.asked) == 20


_STOPPED = (EngineBroken, "The engine has stopped.", "Ask again: the model starts anew.")
_CONFUSED = (EngineError, "LMDeploy confused this question with another one.", "Ask again.")
BAD_ENDS = {
    "INPUT_LENGTH_ERROR": (RequestError, "The conversation is too long", "Clear the conversation."),
    "NOT_SUPPORTED": (RequestError, "LMDeploy refuses the question", "Change the question or its options."),
    "SESSION_REPEAT": _CONFUSED,
    "PREFIX_CACHE_CONFLICT": _CONFUSED,
    "ENGINE_STOP_ERROR": _STOPPED,
    "SESSION_NOT_EXIST": _STOPPED,
    "HANDLER_NOT_EXIST": _STOPPED,
    "NO_QUEUE": _STOPPED,
    "INTERNAL_ENGINE_ERROR": (
        EngineBroken,
        "The engine failed while answering",
        "Ask again: the model starts",
    ),
    "OUT_OF_MEMORY": (EngineError, "The KV cache has no room left", "Wait for the other answers"),
}
"""What a person is told: of which kind, what failed, what to do."""


@pytest.mark.parametrize("status", sorted(_CODES, key=lambda status: status.name))
async def test_every_bad_end_is_an_error_for_a_person(stand: Maker, status: ResponseType) -> None:
    kind, message, hint = BAD_ENDS[status.name]
    here = stand(script=Script(end=status))
    with pytest.raises(LauncherError) as caught:
        await answer(here, user("Hello"))
    assert type(caught.value) is kind
    assert caught.value.message.startswith(message)
    assert caught.value.hint.startswith(hint)
    assert here.under_way == 0


def test_every_response_type_and_code_has_a_meaning() -> None:
    good = {ResponseType.SUCCESS, ResponseType.FINISH, ResponseType.CANCEL}
    assert set(ResponseType) == good | set(_CODES)
    for code in ErrorCode:
        assert isinstance(translate(LmdeployRequestError(code)), EngineError | RequestError)
    assert "KV cache" in str(translate(StatusError(ResponseType.OUT_OF_MEMORY)))
    assert set(FINISH) == {"stop", "length", "abort"}


async def test_an_empty_answer_is_an_error(stand: Maker) -> None:
    here = stand()
    here.script.tokens = [end_token(here)]
    with pytest.raises(EngineError, match="without a word"):
        await answer(here, user("Hello"))


async def test_a_limit_before_the_first_token_is_no_answer(stand: Maker) -> None:
    with pytest.raises(EngineError, match="stopped in the middle"):
        await answer(stand(), user("Hello"))


async def test_an_engine_that_breaks_says_so(stand: Maker) -> None:
    here = stand(script=Script(error=RuntimeError("CUDA error: an illegal memory access was encountered")))
    with pytest.raises(EngineError):
        await answer(here, user("Hello"))


async def test_a_broken_picture_is_a_picture_error(stand: Maker, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    with pytest.raises(PictureError):
        await answer(stand("vision"), user("Describe it.", broken))


async def test_a_picture_for_a_text_model_is_refused(stand: Maker, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    Image.new("RGB", (30, 30)).save(picture)
    with pytest.raises(RequestError):
        await answer(stand(), user("Describe it.", picture))


@pytest.mark.parametrize("wanted", [1, 40, 800])
async def test_an_answer_that_was_cut_off_says_by_what(stand: Maker, wanted: int) -> None:
    here = stand(session_tokens=800)
    here.script.tokens = [here.tokenizer.encode("dog", add_special_tokens=False)[0]] * 2000
    last = (await answer(here, user("Hello"), max_new_tokens=wanted))[-1]
    assert last.usage is not None
    if wanted == 800:
        assert last.finish == "session_full"
        assert last.usage.prompt_tokens + last.usage.new_tokens == 800
    else:
        assert (last.finish, last.usage.new_tokens) == ("length", wanted)


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
@pytest.mark.parametrize("stop", ["over the", "ver", "o", "lazy dog", "never"])
async def test_stop_texts_end_an_answer_however_its_tokens_come(
    stand: Maker, at_once: int, stop: str
) -> None:
    here = stand(stops=(stop,), script=Script(at_once=at_once))
    text = "The quick brown fox jumps over the lazy dog, over the lazy dog"
    here.script.tokens = [*here.tokenizer.encode(text, add_special_tokens=False), end_token(here)]
    chunks = await answer(here, user("Hello"))
    assert "".join(chunk.text for chunk in chunks) == text.partition(stop)[0]
    assert chunks[-1].finish == "stop"
