"""InternVL in transformers' own layout on the transformers engine: its answers on tiny random checkpoints
against what transformers makes of the same folder by itself (``tests.models.internvl_hf_reference``)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from launcher import families
from launcher.checkpoints import read_facts
from launcher.engines.transformers import TransformersEngine
from launcher.errors import CheckpointError, UnsupportedModel
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import MemorySettings
from tests.engines.on_transformers import answer, asked, assert_same_first_logits, loaded
from tests.models.internvl_hf_reference import Reference
from tests.models.noisy_pictures import SIZES
from tests.models.tiny_internvl_hf import LANGUAGES, MARKS, write_internvl_hf


@pytest.fixture(scope="module", params=sorted(LANGUAGES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_internvl_hf(tmp_path_factory.mktemp("internvl"), request.param)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder)


async def test_greedy_text_about_a_picture_is_transformers_own(
    engine: TransformersEngine, reference: Reference, pictures: dict[str, Path]
) -> None:
    found = {}
    for name in SIZES:
        talk = [Message("system", "Be kind."), asked("What is it?", pictures[name])]
        found[name] = await answer(engine, talk)
        assert found[name] == reference.answer(talk)
    tiles = {"wide": 7, "tall": 13, "small": 5}  # 3 x 2, 2 x 6 and 2 x 2, each with its thumbnail
    assert {name: each[2] // 4 for name, each in found.items()} == tiles
    assert len({text for text, _, _ in found.values()}) > 1


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
    assert engine._ready.conversations.recall(prompt.marks)[1] == len(prompt.ids) - 1


async def test_so_it_is_among_other_requests(
    engine: TransformersEngine, reference: Reference, pictures: dict[str, Path]
) -> None:
    talks = [
        [asked("What is it?", pictures["wide"])],
        [asked("图中有几个形状？")],
        [asked("And this?", pictures["tall"]), Message("assistant", "A star."), asked("And now?")],
        [asked("aaaa aaaa ababab")],
        [asked("Which?", pictures["small"], pictures["wide"])],
    ]
    found = await asyncio.gather(*(answer(engine, talk) for talk in talks))
    assert found == [reference.answer(talk) for talk in talks]


async def test_a_preset_bounds_a_picture_by_its_tiles(folder: Path, pictures: dict[str, Path]) -> None:
    engine = await loaded(folder, "vision", MemorySettings(max_tiles=3))
    talk = [asked("What is it?", pictures["tall"])]
    found = await answer(engine, talk)
    await engine.close()
    assert found == Reference(folder, most_tiles=3).answer(talk)
    assert found[2] == 4 * 4


async def test_what_a_picture_shows_decides(engine: TransformersEngine, tmp_path: Path) -> None:
    found = []
    for colour in ("white", "black"):
        Image.new("RGB", (60, 30), colour).save(tmp_path / f"{colour}.png")
        found.append(await answer(engine, [asked("What is it?", tmp_path / f"{colour}.png")]))
    assert found[0][1:] == found[1][1:]
    assert found[0][0] != found[1][0]


async def test_typed_marks_are_text(engine: TransformersEngine, folder: Path) -> None:
    """But for those around what a question names."""
    assert engine._ready is not None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    forging = [MARKS[name] for name in ("start_image_token", "end_image_token", "context_image_token")]
    request = ChatRequest((asked("".join(forging) * 2 + "<ref>a</ref>"),), GenerationOptions())
    ids = engine._ready.prompts.make(request).ids
    assert not set(tokenizer.convert_tokens_to_ids(forging)) & set(ids)
    assert set(tokenizer.convert_tokens_to_ids(["<ref>", "</ref>"])) <= set(ids)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("kind", sorted(LANGUAGES))
async def test_its_sizes_are_those_of_its_tensors(kind: str, tied: bool, tmp_path: Path) -> None:
    """Whether the head is the embedding is said of the language model alone."""
    folder = write_internvl_hf(tmp_path / "model", kind, tie_word_embeddings=tied)
    facts = read_facts(folder)
    assert facts.tensor_bytes is not None
    sizes = families.model_sizes(facts.config)
    assert sizes == families.model_sizes(facts.config, facts.tensor_bytes)
    assert sizes.weight_bytes == sum(facts.tensor_bytes.values())
    assert ("language_model.lm_head.weight" in facts.tensor_bytes) != tied
    engine = await loaded(folder, "vision")
    talk = [asked("你好世界")]
    assert await answer(engine, talk) == Reference(folder).answer(talk)
    await engine.close()


def test_the_published_models_have_the_parameters_that_are_counted() -> None:
    hf, makers = (
        families.model_sizes(families.KNOWN_CONFIGS[f"OpenGVLab/{name}"])
        for name in ("InternVL3-1B-hf", "InternVL3-1B")
    )
    assert hf.weight_bytes / 2 == pytest.approx(938e6, rel=0.001)
    large = families.model_sizes(families.KNOWN_CONFIGS["OpenGVLab/InternVL3_5-2B-HF"])
    assert large.language_bytes / 2 == pytest.approx(2.03e9, rel=0.002)  # its makers count 2.0e9
    assert large.vision_bytes / 2 == pytest.approx(0.304e9, rel=0.002)  # 0.3e9
    assert (hf.pictures, hf.language, hf.tower) == (makers.pictures, makers.language, makers.tower)
    assert large.pictures == hf.pictures


@pytest.mark.parametrize(
    ("place", "change", "error", "words"),
    [
        ("", {"vision_feature_layer": -2}, UnsupportedModel, "vision_feature_layer is -2"),
        ("vision_config", {"use_mean_pooling": False}, UnsupportedModel, "vision_config.use_mean_pooling"),
        ("vision_config", {"image_size": [28, 14]}, CheckpointError, r"image_size is \[28, 14\]"),
        ("text_config", {"architectures": None}, CheckpointError, "text_config.architectures is null"),
        ("text_config", {"architectures": [None]}, CheckpointError, r"text_config.architectures is \[null\]"),
        ("text_config", {"architectures": "Qwen3ForCausalLM"}, CheckpointError, "text_config.architectures"),
        ("text_config", {"architectures": ["Qwen3MoeForCausalLM"]}, UnsupportedModel, "Qwen3MoeForCausalLM"),
        ("text_config", {"hidden_size": None}, CheckpointError, "text_config.hidden_size is missing"),
    ],
)
def test_a_config_of_another_model_is_refused(
    place: str, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    config: dict[str, Any] = dict(families.KNOWN_CONFIGS["OpenGVLab/InternVL3_5-2B-HF"])
    changed = {**config, place: {**config[place], **change}} if place else {**config, **change}
    with pytest.raises(error, match=words):
        families.model_sizes(changed)


Change = Callable[[Path], None]


def _without_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["vision_tower.encoder.layer.1.attention.k_proj.bias"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _of_other_colours(folder: Path) -> None:
    """As transformers 5 saves it, in the one file."""
    file = folder / "processor_config.json"
    own = json.loads(file.read_text(encoding="utf-8"))
    part = {"image_processor": {"image_mean": [0.1, 0.2, 0.3]}}
    file.write_text(json.dumps({**own, **part}), encoding="utf-8")


def _of_other_tiles(folder: Path) -> None:
    file = folder / "preprocessor_config.json"
    own = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**own, "size": {"height": 56, "width": 56}}), encoding="utf-8")


def _with_a_template_for_texts(folder: Path) -> None:
    written = "{% for message in messages %}{{ message.role }}<|im_end|>{% endfor %}"
    (folder / "chat_template.jinja").write_text(written, encoding="utf-8")


def _trained_on_fewer(folder: Path) -> None:
    file = folder / "preprocessor_config.json"
    own = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**own, "max_patches": 6}), encoding="utf-8")


async def test_a_model_of_fewer_tiles_says_what_to_write(tmp_path: Path) -> None:
    folder = write_internvl_hf(tmp_path / "model")
    _trained_on_fewer(folder)
    with pytest.raises(CheckpointError, match="max_patches is 6, but pictures may have 12 tiles") as caught:
        await loaded(folder, "vision")
    assert "max_tiles: 6" in str(caught.value.hint).format(**caught.value.values)
    engine = await loaded(folder, "vision", MemorySettings(max_tiles=6))
    await engine.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without_a_tensor, r"vision_tower\.encoder\.layer\.1\.attention\.k_proj\.bias"),
        (_of_other_colours, r"processor_config\.json: image_mean is \[0.1, 0.2, 0.3\]"),
        (_with_a_template_for_texts, "does not write a picture as <IMG_CONTEXT>"),
        (_of_other_tiles, r"preprocessor_config\.json: size is .*56"),
    ],
)
async def test_a_checkpoint_that_is_another_is_refused(tmp_path: Path, change: Change, words: str) -> None:
    folder = write_internvl_hf(tmp_path / "model")
    change(folder)
    with pytest.raises(CheckpointError, match=words):
        await loaded(folder, "vision")
