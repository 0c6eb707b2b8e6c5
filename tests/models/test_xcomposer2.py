"""The XComposer2 model against a plain reference, its weights in both file formats, and its pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoConfig

from launcher.errors import CheckpointError, RequestError
from launcher.models import register
from launcher.models.partial_lora import PartialLoraLinear
from launcher.models.xcomposer2 import (
    POSITION_TABLE,
    XComposer2Config,
    XComposer2ForCausalLM,
    build_model,
    load_model,
    picture_pixels,
    published_tensors,
    resized_positions,
)
from tests.models.xcomposer2_reference import Sizes, reference_logits

SIZES = Sizes(layers=3, heads=6, kv_heads=2, vision_layers=2, vision_heads=2, patch=7)
Part = list[int] | Tensor
FIRST, SECOND = torch.randn(2, 3, 21, 21, generator=torch.Generator().manual_seed(1))
CASES: dict[str, list[Part]] = {
    "text only": [[1, 5, 9, 13, 40, 2]],
    "picture only": [FIRST],
    "mixed": [[1, 7, 30], FIRST, [8, 4, 19]],
    "two pictures": [[1, 7], FIRST, SECOND, [8, 4, 19]],
    "pictures apart": [FIRST, [3, 3], SECOND],
    "picture in the second turn": [[1, 7, 11, 60, 50, 49, 61, 12], SECOND, [8, 61, 22]],
}


def small_config(**changes: object) -> XComposer2Config:
    sizes = {
        "vocab_size": 64,
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": SIZES.layers,
        "num_attention_heads": SIZES.heads,
        "num_key_value_heads": SIZES.kv_heads,
        "rope_theta": SIZES.rope_theta,
        "rope_scaling": {"type": "dynamic", "factor": 1.0},
        "img_size": 21,
        "plora_rank": 4,
        "architectures": ["InternLMXComposer2ForCausalLM"],
        "vit_config": {
            "hidden_size": 32,
            "intermediate_size": 56,
            "num_hidden_layers": SIZES.vision_layers,
            "num_attention_heads": SIZES.vision_heads,
            "patch_size": SIZES.patch,
        },
    }
    return XComposer2Config(**(sizes | changes))


@pytest.fixture(scope="module")
def model() -> XComposer2ForCausalLM:
    torch.manual_seed(7)
    made = build_model(small_config()).eval()
    with torch.no_grad():  # norms, biases and low-rank parts big enough that leaving one out shows
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return made


def ids_of(parts: list[Part], config: XComposer2Config) -> list[int]:
    places = [config.image_token_id] * config.picture_tokens
    return [token for part in parts for token in (part if isinstance(part, list) else places)]


def pixels_of(*conversations: list[Part]) -> Tensor | None:
    pictures = [part for parts in conversations for part in parts if isinstance(part, Tensor)]
    return torch.stack(pictures) if pictures else None


def logits_of(model: XComposer2ForCausalLM, parts: list[Part]) -> Tensor:
    with torch.no_grad():
        return model(torch.tensor([ids_of(parts, model.config)]), pixels_of(parts)).logits[0]


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.parametrize("case", CASES)
def test_logits_equal_the_reference(model: XComposer2ForCausalLM, case: str) -> None:
    theirs = reference_logits(published_tensors(model), SIZES, CASES[case])

    assert relative_error(logits_of(model, CASES[case]), theirs) < 1e-5


@pytest.mark.parametrize("case", CASES)
def test_switching_partial_lora_off_changes_what_follows_a_picture(
    model: XComposer2ForCausalLM, case: str
) -> None:
    off = build_model(small_config(plora_scale=0.0)).eval()
    off.load_state_dict(model.state_dict())

    without = logits_of(off, CASES[case])

    assert (
        relative_error(without, reference_logits(published_tensors(model), SIZES, CASES[case], plora=False))
        < 1e-5
    )
    changed = relative_error(logits_of(model, CASES[case])[-1], without[-1])
    assert changed == 0 if case == "text only" else changed > 0.01


def test_a_padded_batch_of_text_and_pictures_answers_like_each_alone(model: XComposer2ForCausalLM) -> None:
    conversations = list(CASES.values())
    rows = [ids_of(parts, model.config) for parts in conversations]
    width = max(map(len, rows))
    ids = torch.tensor([[3] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    positions = (mask.cumsum(1) - 1).clamp(min=0)

    with torch.no_grad():
        logits = model(ids, pixels_of(*conversations), attention_mask=mask, position_ids=positions).logits

    for ours, parts in zip(logits, conversations, strict=True):
        assert relative_error(ours[-1], reference_logits(published_tensors(model), SIZES, parts)[-1]) < 1e-5


def greedy_by_reference(model: XComposer2ForCausalLM, parts: list[Part], count: int) -> list[int]:
    answer: list[int] = []
    for _ in range(count):
        logits = reference_logits(published_tensors(model), SIZES, [*parts, answer])
        answer.append(int(logits[-1].argmax()))
    return answer


def generate(model: XComposer2ForCausalLM, parts: list[Part], count: int) -> list[int]:
    ids = torch.tensor([ids_of(parts, model.config)])
    settings = {"max_new_tokens": count, "do_sample": False, "eos_token_id": None, "pad_token_id": 2}
    out = model.generate(ids, attention_mask=torch.ones_like(ids), pixel_values=pixels_of(parts), **settings)
    return out[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("case", CASES)
def test_generating_with_the_cache_gives_the_references_tokens(
    model: XComposer2ForCausalLM, case: str
) -> None:
    assert generate(model, CASES[case], 6) == greedy_by_reference(model, CASES[case], 6)


def test_threads_share_one_model_without_mixing_pictures(model: XComposer2ForCausalLM) -> None:
    alone = [generate(model, parts, 6) for parts in CASES.values()]

    with ThreadPoolExecutor(len(CASES)) as pool:
        together = list(pool.map(lambda parts: generate(model, parts, 6), list(CASES.values()) * 3))

    assert together == alone * 3


def test_a_second_turn_continues_from_the_first_turns_cache(model: XComposer2ForCausalLM) -> None:
    first, second = CASES["mixed"], [[9, 9], SECOND, [21]]
    ids = torch.tensor([ids_of(first, model.config)])
    with torch.no_grad():
        cache = model(ids, pixels_of(first), use_cache=True).past_key_values
        later = model(
            torch.tensor([ids_of(second, model.config)]), pixels_of(second), past_key_values=cache
        ).logits[0]

    theirs = reference_logits(published_tensors(model), SIZES, [*first, *second])[ids.shape[1] :]
    assert relative_error(later, theirs) < 1e-5


def test_partial_lora_leaves_other_rows_bit_for_bit_alone() -> None:
    layer = PartialLoraLinear(8, 6, rank=2)
    x = torch.randn(2, 5, 8)

    out = layer(x, torch.tensor([1, 7]))

    changed = (out != layer(x)).any(dim=2).flatten().nonzero().flatten()
    assert changed.tolist() == [1, 7]


def test_picture_places_and_pictures_must_agree(model: XComposer2ForCausalLM) -> None:
    with pytest.raises(RequestError, match="has 8 picture tokens but its pictures need 9"):
        model(torch.tensor([[1, *[0] * 8, 5]]), FIRST[None])


def test_the_picture_token_is_ordinary_text_where_no_picture_is_given(model: XComposer2ForCausalLM) -> None:
    theirs = reference_logits(published_tensors(model), SIZES, [[1, 0, 0, 5]])

    with torch.no_grad():
        assert relative_error(model(torch.tensor([[1, 0, 0, 5]])).logits[0], theirs) < 1e-5


# --- weights ---


def write_safetensors(folder: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, folder / "model.safetensors")


def write_bin(folder: Path, tensors: dict[str, Tensor]) -> None:
    torch.save(tensors, folder / "pytorch_model.bin")


def write_bin_shards(folder: Path, tensors: dict[str, Tensor]) -> None:
    shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    where = {name: shards[n % 2] for n, name in enumerate(tensors)}
    for shard in shards:
        torch.save({name: tensor for name, tensor in tensors.items() if where[name] == shard}, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))


def write_config(folder: Path, *left_out: str, **changes: object) -> None:
    config = small_config().to_dict() | changes
    (folder / "config.json").write_text(
        json.dumps({key: value for key, value in config.items() if key not in left_out})
    )


@pytest.mark.parametrize("write", [write_safetensors, write_bin, write_bin_shards])
def test_load_is_the_inverse_of_publish(
    model: XComposer2ForCausalLM, tmp_path: Path, write: Callable[[Path, dict[str, Tensor]], None]
) -> None:
    write_config(tmp_path)
    write(tmp_path, published_tensors(model))

    loaded = load_model(tmp_path, torch.float32, "cpu")

    again = published_tensors(loaded)
    assert again.keys() == published_tensors(model).keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in published_tensors(model).items())
    assert torch.equal(logits_of(loaded, CASES["mixed"]), logits_of(model, CASES["mixed"]))


def test_sizes_that_config_json_leaves_out_come_from_the_tensors(
    model: XComposer2ForCausalLM, tmp_path: Path
) -> None:
    write_config(tmp_path, "plora_rank", img_size=490, vit_config={"num_attention_heads": SIZES.vision_heads})
    write_safetensors(tmp_path, published_tensors(model))

    loaded = load_model(tmp_path, torch.float32, "cpu")

    assert (loaded.config.plora_rank, loaded.config.img_size, loaded.config.picture_tokens) == (4, 21, 9)
    assert torch.equal(logits_of(loaded, CASES["mixed"]), logits_of(model, CASES["mixed"]))


def test_weights_take_the_asked_dtype(model: XComposer2ForCausalLM, tmp_path: Path) -> None:
    write_config(tmp_path)
    write_safetensors(tmp_path, published_tensors(model))

    loaded = load_model(tmp_path, torch.bfloat16, "cpu")

    assert {weight.dtype for weight in loaded.parameters()} == {torch.bfloat16}
    assert relative_error(logits_of(loaded, CASES["mixed"]).float(), logits_of(model, CASES["mixed"])) < 0.05


def test_computed_tensors_of_old_checkpoints_are_let_go(model: XComposer2ForCausalLM, tmp_path: Path) -> None:
    old = published_tensors(model)
    old["vit.vision_tower.vision_model.embeddings.position_ids"] = torch.arange(10)[None]
    old["model.layers.0.attention.rotary_emb.inv_freq"] = torch.ones(4)
    write_config(tmp_path)
    write_bin(tmp_path, old)

    assert torch.equal(
        logits_of(load_model(tmp_path, torch.float32, "cpu"), CASES["mixed"]),
        logits_of(model, CASES["mixed"]),
    )


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.2.feed_forward.w3.Plora_B.weight",
        "vit.vision_tower.vision_model.post_layernorm.bias",
        POSITION_TABLE,
    ],
)
def test_a_missing_tensor_is_named(model: XComposer2ForCausalLM, tmp_path: Path, name: str) -> None:
    tensors = published_tensors(model)
    del tensors[name]
    write_config(tmp_path)
    write_safetensors(tmp_path, tensors)

    with pytest.raises(CheckpointError, match=name):
        load_model(tmp_path, torch.float32, "cpu")


def test_an_unknown_tensor_is_named(model: XComposer2ForCausalLM, tmp_path: Path) -> None:
    write_config(tmp_path)
    write_safetensors(
        tmp_path, published_tensors(model) | {"model.layers.0.attention.wqkv.Plora_C.weight": torch.ones(1)}
    )

    with pytest.raises(CheckpointError, match="Plora_C"):
        load_model(tmp_path, torch.float32, "cpu")


def test_a_tensor_of_another_shape_is_named(model: XComposer2ForCausalLM, tmp_path: Path) -> None:
    write_config(tmp_path)
    write_safetensors(tmp_path, published_tensors(model) | {"vision_proj.0.bias": torch.ones(3)})

    with pytest.raises(CheckpointError, match=r"vision_proj\.0\.bias"):
        load_model(tmp_path, torch.float32, "cpu")


# --- pictures ---


def test_the_position_table_of_the_small_tower_is_stretched(
    model: XComposer2ForCausalLM, tmp_path: Path
) -> None:
    table = torch.randn(24 * 24 + 1, 32)
    write_config(tmp_path, img_size=35 * SIZES.patch)
    write_safetensors(tmp_path, published_tensors(model) | {POSITION_TABLE: table})

    loaded = load_model(tmp_path, torch.float32, "cpu")

    stretched = published_tensors(loaded)[POSITION_TABLE]
    expected = torch.nn.functional.interpolate(
        table[1:].T.reshape(1, 32, 24, 24), size=(35, 35), mode="bicubic", align_corners=False
    )
    assert stretched.shape == (35 * 35 + 1, 32)
    assert torch.equal(stretched[0], table[0])
    assert torch.allclose(stretched[1:].T.reshape(1, 32, 35, 35), expected, atol=1e-6)
    assert loaded.config.picture_tokens == 1225
    picture = torch.randn(3, 245, 245)
    theirs = reference_logits(published_tensors(loaded), SIZES, [[1], picture, [4]])
    assert relative_error(logits_of(loaded, [[1], picture, [4]]), theirs) < 1e-5


def test_a_table_of_the_right_size_is_left_alone() -> None:
    table = torch.randn(10, 4)

    assert resized_positions(table, 3) is table


def test_pictures_are_squeezed_to_a_square_and_normalised() -> None:
    wide = Image.new("RGB", (40, 20), (255, 0, 0))
    wide.paste((0, 0, 255), (20, 0, 40, 20))

    pixels = picture_pixels([wide, wide.convert("L")], 10)

    mean, std = (
        torch.tensor([0.48145466, 0.4578275, 0.40821073]),
        torch.tensor([0.26862954, 0.26130258, 0.27577711]),
    )
    assert pixels.shape == (2, 3, 10, 10)
    assert torch.allclose(pixels[0, :, 5, 0], (torch.tensor([1.0, 0, 0]) - mean) / std)
    assert torch.allclose(pixels[0, :, 5, 9], (torch.tensor([0, 0, 1.0]) - mean) / std)


# --- configuration ---


def test_the_published_config_keeps_its_rotary_base_and_scaling(tmp_path: Path) -> None:
    published = {
        "architectures": ["InternLMXComposer2ForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_internlm_xcomposer2.InternLMXcomposer2Config"},
        "model_type": "internlmxcomposer2",
        "hidden_size": 2048,
        "img_size": 490,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "rope_scaling": {"factor": 2.0, "type": "dynamic"},
        "rope_theta": 1000000,
    }
    (tmp_path / "config.json").write_text(json.dumps(published))
    register()

    config = AutoConfig.from_pretrained(tmp_path, trust_remote_code=False)

    assert isinstance(config, XComposer2Config)
    rope = config.rope_parameters
    assert (rope["rope_theta"], rope["rope_type"], rope["factor"]) == (1000000, "dynamic", 2.0)
    assert (config.img_size, config.picture_tokens, config.head_dim) == (490, 1225, 128)
    tower = config.clip_config()
    assert (tower.hidden_size, tower.num_hidden_layers, tower.image_size, tower.patch_size) == (
        1024,
        24,
        490,
        14,
    )
