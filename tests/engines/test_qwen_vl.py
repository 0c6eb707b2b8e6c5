"""Qwen's picture models on the transformers engine: their answers on tiny random checkpoints against what
transformers makes of the same folder by itself (``tests.models.qwen_vl_reference``)."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer

from launcher import families
from launcher.checkpoints import read_facts
from launcher.engines.conversations import can_be_cut
from launcher.engines.transformers import TransformersEngine
from launcher.errors import CheckpointError, PresetError
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.models.awq import CONFIG as AWQ
from launcher.models.awq import packed, to_codes
from launcher.presets import MemorySettings
from tests.engines.on_transformers import answer, asked, assert_same_first_logits, loaded
from tests.models.noisy_pictures import SIZES
from tests.models.qwen_vl_reference import Reference
from tests.models.tiny_qwen_vl import ARCHITECTURES, VISION_SPECIAL, write_qwen_vl


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_qwen_vl(tmp_path_factory.mktemp("qwen"), request.param)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder)


async def test_greedy_text_about_a_picture_is_transformers_own(
    engine: TransformersEngine, reference: Reference, pictures: dict[str, Path]
) -> None:
    for name in SIZES:
        talk = [Message("system", "Be kind."), asked("What is it?", pictures[name])]
        found = await answer(engine, talk)
        assert found == reference.answer(talk)
        assert found[2] >= 4


async def test_so_are_the_logits_of_the_first_token(
    engine: TransformersEngine, reference: Reference, pictures: dict[str, Path]
) -> None:
    talk = (asked("Which is larger?", pictures["tall"], pictures["wide"]),)
    assert_same_first_logits(engine, talk, reference.inputs(talk), reference.model)


async def test_two_pictures_and_later_turns_go_on_from_what_was_read(
    engine: TransformersEngine, reference: Reference, pictures: dict[str, Path]
) -> None:
    talk = [asked("Which is larger?", pictures["wide"], pictures["small"])]
    for following in (asked("And this?", pictures["tall"]), asked("Why?")):
        assert await answer(engine, talk) == reference.answer(talk)
        talk += [Message("assistant", "The first."), following]
    assert await answer(engine, talk) == reference.answer(talk)
    assert engine._ready is not None
    prompt = engine._ready.prompts.make(ChatRequest(tuple(talk), GenerationOptions()))
    cache, known = engine._ready.conversations.recall(prompt.marks)
    assert known == (len(prompt.ids) - 1 if can_be_cut(cache) else prompt.ended)
    assert prompt.ended > len(prompt.ids) - 16


async def test_another_question_about_the_same_picture_goes_on_behind_it(
    engine: TransformersEngine, reference: Reference, pictures: dict[str, Path]
) -> None:
    for text in ("What colour is the star?", "What is it?"):
        talk = [asked(text, pictures["wide"])]
        assert await answer(engine, talk) == reference.answer(talk)


async def test_so_it_is_among_other_requests(
    engine: TransformersEngine, reference: Reference, pictures: dict[str, Path]
) -> None:
    talks = [
        [asked("What is it?", pictures["wide"])],
        [asked("图中有几个形状？")],
        [asked("And this?", pictures["tall"]), Message("assistant", "A star."), asked("again")],
        [asked("aaaa aaaa ababab")],
        [asked("Which?", pictures["small"], pictures["wide"])],
        [asked("Hello"), Message("assistant", "return 0"), asked("See?", pictures["small"])],
    ]
    drawn = [answer(engine, talks[0], temperature=1.0, seed=seed) for seed in (1, 2)]
    found = await asyncio.gather(*(answer(engine, talk) for talk in talks), *drawn)
    assert found[: len(talks)] == [reference.answer(talk) for talk in talks]


async def test_what_a_picture_shows_decides(engine: TransformersEngine, tmp_path: Path) -> None:
    found = []
    for colour in ("white", "black"):
        Image.new("RGB", (60, 90), colour).save(tmp_path / f"{colour}.png")
        found.append(await answer(engine, [asked("What is it?", tmp_path / f"{colour}.png")]))
    assert found[0][1:] == found[1][1:]
    assert found[0][0] != found[1][0]


async def test_a_preset_bounds_a_picture_by_its_tokens(folder: Path, pictures: dict[str, Path]) -> None:
    engine = await loaded(folder, "vision", MemorySettings(max_picture_tokens=64))
    talk = [asked("What is it?", pictures["tall"])]
    found = await answer(engine, talk)
    assert found == Reference(folder, most_tokens=64).answer(talk)
    assert found[2] <= 64 < (await _unbounded(folder, talk))[2]
    await engine.close()
    with pytest.raises(PresetError, match="does not cut pictures"):
        await loaded(folder, "vision", MemorySettings(max_tiles=4))


async def _unbounded(folder: Path, talk: Sequence[Message]) -> tuple[str, int, int]:
    engine = await loaded(folder, "vision")
    found = await answer(engine, talk)
    await engine.close()
    return found


async def test_typed_marks_are_text(engine: TransformersEngine, folder: Path) -> None:
    assert engine._ready is not None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    request = ChatRequest((asked("".join(VISION_SPECIAL) * 2),), GenerationOptions())
    ids = engine._ready.prompts.make(request).ids
    assert not {tokenizer.convert_tokens_to_ids(each) for each in VISION_SPECIAL} & set(ids)


def test_its_sizes_are_those_of_its_tensors(folder: Path) -> None:
    facts = read_facts(folder)
    sizes = families.model_sizes(facts.config)
    assert facts.tensor_bytes is not None
    assert sizes == families.model_sizes(facts.config, facts.tensor_bytes)
    loaded_by_all = [size for name, size in facts.tensor_bytes.items() if not name.startswith("mtp.")]
    assert sizes.weight_bytes == sum(loaded_by_all)
    assert sizes.language.tied


Change = Callable[[Path], None]


def _without_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.visual.blocks.1.norm1.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _of_other_colours(folder: Path) -> None:
    file = folder / "preprocessor_config.json"
    own = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**own, "image_mean": [0.1, 0.2, 0.3]}), encoding="utf-8")


def _with_a_template_for_texts(folder: Path) -> None:
    written = "{% for message in messages %}{{ message.role }}<|im_end|>{% endfor %}"
    (folder / "chat_template.jinja").write_text(written, encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without_a_tensor, r"model\.visual\.blocks\.1\.norm1\.weight"),
        (_of_other_colours, r"image_mean is \[0.1, 0.2, 0.3\]"),
        (_with_a_template_for_texts, r"does not write a picture as <\|vision_start\|>"),
    ],
)
async def test_a_checkpoint_that_is_another_is_refused(tmp_path: Path, change: Change, words: str) -> None:
    folder = write_qwen_vl(tmp_path / "model")
    change(folder)
    with pytest.raises(CheckpointError, match=words):
        await loaded(folder, "vision")


async def test_four_bits_are_answered_as_what_they_stand_for(
    tmp_path: Path, pictures: dict[str, Path]
) -> None:
    """The tower keeps its 16; as published, with an intermediate size that is whole groups of 128."""
    plain = write_qwen_vl(tmp_path / "plain", "qwen2_5_vl", intermediate_size=128)
    tensors = load_file(plain / "model.safetensors")
    found, rounded = dict[str, Tensor](), dict[str, Tensor]()
    for name, tensor in tensors.items():
        if name.startswith("model.layers.") and name.endswith("_proj.weight"):
            codes = to_codes(tensor)
            found |= {name.removesuffix("weight") + part: each for part, each in packed(codes).items()}
            rounded[name] = codes.weight()
        else:
            found[name] = rounded[name] = tensor
    save_file(rounded, plain / "model.safetensors", {"format": "pt"})
    four = tmp_path / "four"
    shutil.copytree(plain, four)
    save_file(found, four / "model.safetensors", {"format": "pt"})
    config = json.loads((four / "config.json").read_text(encoding="utf-8"))
    settings = {**AWQ, "modules_to_not_convert": ["visual"]}
    (four / "config.json").write_text(json.dumps({**config, "quantization_config": settings}))
    assert len([name for name in found if name.endswith("qweight")]) == 3 * 7
    talk = [asked("Which is larger?", pictures["wide"], pictures["small"])]
    engine = await loaded(four, "vision")
    assert await answer(engine, talk) == Reference(plain).answer(talk)
    await engine.close()
    sizes = families.model_sizes(read_facts(four).config)
    assert sizes.language.weight_bits == 4
    assert sizes.vision_bytes == families.model_sizes(config).vision_bytes
