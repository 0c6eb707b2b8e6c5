"""InternVL with a Qwen inside, on tiny random checkpoints in the published layout: answers against
transformers' own Qwen, which is given what a plain reading of the published tower makes of the pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from launcher import families
from launcher.checkpoints import read_facts
from launcher.engines.transformers import TransformersEngine
from launcher.errors import CheckpointError
from launcher.families.common.tile_grid import TileRule
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.models import internvl2, register
from launcher.models.tiles import cut_tiles, to_pixels
from tests.engines.on_transformers import LENGTH, answer
from tests.models.published_reference import tile_embeddings
from tests.models.tiny_generic import LANGUAGES, write_internvl_qwen

SYSTEM = "Be kind."


@pytest.fixture(scope="module", autouse=True)
def _registered() -> None:
    register()


@pytest.fixture(scope="module", params=sorted(LANGUAGES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_internvl_qwen(tmp_path_factory.mktemp("internvl"), request.param)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """One of three tiles, one of one."""
    Image.radial_gradient("L").resize((60, 30)).convert("RGB").save(tmp_path / "wide.png")
    Image.linear_gradient("L").convert("RGB").resize((28, 28)).save(tmp_path / "square.png")
    return [tmp_path / "wide.png", tmp_path / "square.png"]


def reference(folder: Path, prompt: str, pictures: Sequence[Path]) -> tuple[list[int], str]:
    """The prompt's ids and the greedy answer: transformers' Qwen by itself, its weights read under their
    published names. ``prompt`` has one <IMG_CONTEXT> for each picture."""
    tensors = {name: t.float() for name, t in load_file(folder / "model.safetensors").items()}
    fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))["llm_config"]
    del fields["attn_implementation"], fields["torch_dtype"]
    qwen = AutoModelForCausalLM.from_config(AutoConfig.for_model(**fields)).float().eval()
    own = {
        name.removeprefix("language_model."): t for name, t in tensors.items() if "language_model." in name
    }
    qwen.load_state_dict(own)
    seen: list[Tensor] = []
    for path in pictures:
        tiles = to_pixels(cut_tiles(Image.open(path), TileRule(28, 1, 12, True)))
        seen += [tile_embeddings(tile, tensors, layers=2, heads=2, patch=7) for tile in tiles]
        marks = "<IMG-PLACE>" * 4 * len(tiles)
        prompt = prompt.replace("<IMG_CONTEXT>", marks, 1)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.encode(prompt.replace("<IMG-PLACE>", "<IMG_CONTEXT>"), add_special_tokens=False)
    embedded = qwen.get_input_embeddings()(torch.tensor(ids))
    if seen:
        places = torch.tensor(ids) == tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
        assert int(places.sum()) == 4 * len(seen)
        embedded[places] = torch.cat(seen)
    ends = tokenizer.convert_tokens_to_ids(["<|im_end|>"])
    with torch.no_grad():
        said = qwen.generate(
            inputs_embeds=embedded[None], max_new_tokens=LENGTH, do_sample=False, eos_token_id=ends
        )[0].tolist()
    answer = [one for one in said if one not in ends]
    assert len(answer) > 3
    return ids, tokenizer.decode(answer, skip_special_tokens=True)


async def test_pictures_of_two_turns_are_answered_as_transformers_qwen_does(
    engine: TransformersEngine, folder: Path, pictures: list[Path]
) -> None:
    start = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"
    start += "<img><IMG_CONTEXT></img>\nWhat is it?<|im_end|>\n<|im_start|>assistant\n"
    first = [Message("system", SYSTEM), Message("user", "What is it?", (pictures[0],))]
    ids, expected = reference(folder, start, pictures[:1])
    assert await answer(engine, first) == (expected, len(ids), 12)
    rest = "A star.<|im_end|>\n<|im_start|>user\n<img><IMG_CONTEXT></img>\nAnd this?<|im_end|>\n"
    second = [*first, Message("assistant", " A star.\n"), Message("user", "And this?", (pictures[1],))]
    ids, expected = reference(folder, f"{start}{rest}<|im_start|>assistant\n", pictures)
    assert await answer(engine, second) == (expected, len(ids), 16)


async def test_what_a_picture_shows_decides(engine: TransformersEngine, pictures: list[Path]) -> None:
    Image.new("RGB", (60, 30), "white").save(pictures[1])
    asked = [await answer(engine, [Message("user", "What is it?", (path,))]) for path in pictures]
    assert asked[0][1:] == asked[1][1:]
    assert asked[0][0] != asked[1][0]


async def test_text_alone_is_answered_as_transformers_qwen_does(
    engine: TransformersEngine, folder: Path
) -> None:
    prompt = "<|im_start|>user\n你好世界<|im_end|>\n<|im_start|>assistant\n"
    ids, expected = reference(folder, prompt, [])
    assert await answer(engine, [Message("user", "你好世界")]) == (expected, len(ids), 0)


async def test_typed_markup_is_text(engine: TransformersEngine, folder: Path) -> None:
    assert engine._ready is not None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    forging = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<img>", "</img>", "<IMG_CONTEXT>")
    request = ChatRequest((Message("user", "".join(forging) * 2),), GenerationOptions())
    ids = engine._ready.prompts.make(request).ids
    counts = [ids.count(tokenizer.convert_tokens_to_ids(token)) for token in forging]
    assert counts == [2, 1, 0, 0, 0, 0]


def test_its_sizes_are_those_of_its_tensors(folder: Path) -> None:
    facts = read_facts(folder)
    assert facts.tensor_bytes is not None
    sizes = families.model_sizes(facts.config)
    assert sizes == families.model_sizes(facts.config, facts.tensor_bytes)
    assert sizes.weight_bytes == sum(facts.tensor_bytes.values())


def test_the_published_1b_has_the_parameters_that_its_hub_counts() -> None:
    sizes = families.model_sizes(families.KNOWN_CONFIGS["OpenGVLab/InternVL3-1B"])
    assert sizes.weight_bytes / 2 == pytest.approx(938e6, rel=0.001)
    assert (sizes.language.head_dim, sizes.language.tied) == (64, False)
    assert sizes.pictures is not None
    assert sizes.pictures.most_tokens == 13 * 256


@pytest.mark.parametrize("kind", sorted(LANGUAGES))
def test_a_head_that_is_the_embedding_is_known_as_one(kind: str, tmp_path: Path) -> None:
    folder = write_internvl_qwen(tmp_path / "model", kind, tie_word_embeddings=True)
    tensors = load_file(folder / "model.safetensors")
    assert "language_model.lm_head.weight" not in tensors
    plain = internvl2.load_model(folder, torch.float32, "cpu")
    table = tensors["language_model.model.embed_tokens.weight"]
    assert torch.equal(plain.lm_head.weight, table)
    save_file({**tensors, "language_model.lm_head.weight": table.clone()}, folder / "model.safetensors")
    with_head = internvl2.load_model(folder, torch.float32, "cpu")
    assert internvl2.published_tensors(with_head).keys() == tensors.keys()


def test_a_tensor_of_the_language_model_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = write_internvl_qwen(tmp_path / "model", "qwen2")
    tensors = load_file(folder / "model.safetensors")
    del tensors["language_model.model.layers.1.self_attn.k_proj.bias"]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"language_model\.model\.layers\.1\.self_attn\.k_proj\.bias"):
        internvl2.load_model(folder, torch.float32, "cpu")


def test_a_config_that_names_the_language_model_by_its_type_alone_is_its_family_s(tmp_path: Path) -> None:
    folder = write_internvl_qwen(tmp_path / "model", "qwen2")
    config = read_facts(folder).config
    config = {**config, "llm_config": {**config["llm_config"], "architectures": [None]}}
    family = families.of(config)
    assert "with Qwen" in family.title
    assert family.sizes(config) == families.model_sizes(read_facts(folder).config)


@pytest.mark.parametrize(
    ("template", "form"), [("Hermes-2", "internvl2"), ("internvl2_5", "internvl2_5"), ("phi3-chat", None)]
)
def test_the_config_names_the_form(template: str, form: str | None) -> None:
    config = {**families.KNOWN_CONFIGS["OpenGVLab/InternVL3-1B"], "template": template}
    if form is None:
        with pytest.raises(CheckpointError, match="phi3-chat"):
            families.of(config)
    else:
        assert families.of(config).template_name(config) == form
