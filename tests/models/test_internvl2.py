"""InternVL2 through transformers' classes: equal to a plain reading of the published tensors, and every
tensor accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from launcher import families
from launcher.errors import CheckpointError, UnsupportedModel
from launcher.models.internlm2 import InternLM2Config
from launcher.models.internvl2 import (
    InternVisionConfig,
    InternVLChatConfig,
    build_model,
    load_model,
    published_tensors,
)
from tests.models.published_reference import language_logits, shuffle, tile_embeddings
from tests.models.tiny import picture_fields, write_internvl2

PLACE = 9


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_internvl2(tmp_path_factory.mktemp("internvl2"))


def test_the_logits_are_those_of_the_published_tensors_read_plainly(checkpoint: Path) -> None:
    tensors = {name: tensor.double() for name, tensor in load_file(checkpoint / "model.safetensors").items()}
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    ids = torch.tensor([[1, 30, *[PLACE] * 4, 40, *[PLACE] * 4, 50, 60]])
    embedded = tensors["language_model.model.tok_embeddings.weight"][ids[0]]
    places = (ids[0] == PLACE).nonzero().flatten()
    embedded[places] = torch.cat(
        [tile_embeddings(tile.double(), tensors, layers=2, heads=2, patch=7) for tile in pixels]
    )
    expected = language_logits(embedded, tensors, "language_model.", layers=2, heads=4, kv_heads=2, theta=1e6)
    model = load_model(checkpoint, torch.float32, "cpu")
    model.config.image_token_id = PLACE
    with torch.no_grad():
        found = model(input_ids=ids, pixel_values=pixels).logits[0]
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=2e-3)


def test_pixel_shuffle_has_the_published_order(checkpoint: Path) -> None:
    grid = torch.arange(6 * 6 * 5, dtype=torch.float32).view(1, 6, 6, 5)
    model = load_model(checkpoint, torch.float32, "cpu")
    assert torch.equal(model.model.pixel_shuffle(grid, 0.5).reshape(9, 20), shuffle(grid[0]))


def test_export_is_the_inverse_of_load(checkpoint: Path) -> None:
    stored = load_file(checkpoint / "model.safetensors")
    model = load_model(checkpoint, torch.float32, "cpu")
    exported = published_tensors(model)
    assert exported.keys() == stored.keys()
    assert all(torch.equal(exported[name], stored[name]) for name in stored)
    assert [name for name, t in [*model.named_parameters(), *model.named_buffers()] if t.is_meta] == []


def test_normed_queries_and_rms_norms_are_mapped_too(tmp_path: Path) -> None:
    vision = picture_fields()["vision_config"] | {
        "qk_normalization": True,
        "norm_type": "rms_norm",
        "qkv_bias": False,
        "layer_norm_eps": 1e-3,
    }
    folder = write_internvl2(tmp_path, vision_config=vision)
    stored = load_file(folder / "model.safetensors")
    model = load_model(folder, torch.float32, "cpu")
    assert published_tensors(model).keys() == stored.keys()
    assert "vision_model.encoder.layers.0.attn.q_norm.weight" in stored
    assert "vision_model.encoder.layers.0.attn.qkv.bias" not in stored
    assert model.model.vision_tower.encoder.layer[0].attention.q_norm.variance_epsilon == 1e-3


@pytest.mark.parametrize(
    "name", ["mlp1.3.bias", "vision_model.encoder.layers.1.attn.qkv.weight", "language_model.output.weight"]
)
def test_a_missing_tensor_is_named(tmp_path: Path, checkpoint: Path, name: str) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    del tensors[name]
    (tmp_path / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=name):
        load_model(tmp_path, torch.float32, "cpu")


@pytest.mark.parametrize(("key", "value"), [("ps_version", "v1"), ("select_layer", -4)])
def test_layouts_that_differ_are_refused(key: str, value: Any) -> None:
    with pytest.raises(UnsupportedModel, match=key):
        families.of(picture_fields(**{key: value}))


def test_another_language_model_is_refused() -> None:
    with pytest.raises(CheckpointError, match="of type phi3; only internlm2, qwen2, qwen3 are known"):
        InternVLChatConfig(**picture_fields(llm_config={"model_type": "phi3"}))


def test_a_new_model_can_tell_places_apart() -> None:
    embeddings = build_model(InternVLChatConfig(**picture_fields())).model.vision_tower.embeddings
    assert embeddings.position_embeddings.std() > 0
    assert embeddings.cls_token.std() > 0


def test_the_config_keeps_what_lmdeploy_reads(checkpoint: Path) -> None:
    config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=False)
    assert isinstance(config, InternVLChatConfig)
    assert isinstance(config.vision_config, InternVisionConfig)
    assert isinstance(config.llm_config, InternLM2Config)
    assert config.llm_config.rope_theta == config.llm_config.rope_parameters["rope_theta"] == 1e6
    assert config.llm_config.rope_scaling["rope_type"] == "dynamic"
    assert config.llm_config.architectures == ["InternLM2ForCausalLM"]
    assert (config.vision_config.qk_normalization, config.vision_config.norm_type) == (False, "layer_norm")
    assert config.llm_config.dtype is torch.bfloat16
    assert config.tokens_per_tile == 4
    plain = json.loads(config.to_json_string())
    assert plain["architectures"] == ["InternVLChatModel"]
    assert plain["llm_config"]["model_type"] == "internlm2"
    again = InternVLChatConfig(**plain)
    assert again.llm_config.rope_parameters == config.llm_config.rope_parameters


def test_force_image_size_defaults_to_the_towers() -> None:
    fields = picture_fields()
    del fields["force_image_size"]
    assert InternVLChatConfig(**fields).force_image_size == 28
