"""Sizes of checkpoints: from the config what the tensors say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from launcher.checkpoints import read_facts
from launcher.errors import CheckpointError
from launcher.families import is_four_bit_form, model_sizes
from launcher.families.common.pictures import TileBudget
from tests.models.tiny import write_internlm2, write_internlm3, write_internvl2
from tests.models.tiny_generic import ARCHITECTURES, write_generic
from tests.published import KNOWN_CONFIGS


@pytest.mark.parametrize("write", [write_internlm2, write_internvl2])
def test_the_config_gives_the_bytes_that_the_files_have(write: Callable[..., Path], tmp_path: Path) -> None:
    """Against a checkpoint as transformers writes it, in 16 bits: the sizes of its tensors on the disk."""
    folder = write(tmp_path / "model")
    in_16_bits = {
        name: tensor.to(torch.bfloat16) for name, tensor in load_file(folder / "model.safetensors").items()
    }
    save_file(in_16_bits, folder / "model.safetensors")
    facts = read_facts(folder)
    assert facts.tensor_bytes is not None
    header_bytes = 8 + int.from_bytes((folder / "model.safetensors").read_bytes()[:8], "little")
    assert sum(facts.tensor_bytes.values()) == (folder / "model.safetensors").stat().st_size - header_bytes
    assert model_sizes(facts.config) == model_sizes(facts.config, facts.tensor_bytes)


@pytest.mark.parametrize("biases", [False, True])
def test_so_it_is_for_internlm3(biases: bool, tmp_path: Path) -> None:
    facts = read_facts(write_internlm3(tmp_path / "model", qkv_bias=biases, bias=biases))
    assert model_sizes(facts.config) == model_sizes(facts.config, facts.tensor_bytes)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize("changes", [{}, {"attention_bias": True, "mlp_bias": True}], ids=["", "biases"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_so_it_is_for_text_models_of_the_generic_way(
    architecture: str, changes: dict[str, bool], tied: bool, tmp_path: Path
) -> None:
    folder = write_generic(tmp_path / "model", architecture, tie_word_embeddings=tied, **changes)
    facts = read_facts(folder)
    sizes = model_sizes(facts.config)
    assert sizes.language.tied == tied
    assert sizes == model_sizes(facts.config, facts.tensor_bytes)
    tensors = load_file(folder / "model.safetensors")
    assert sizes.language_bytes == sum(tensor.nbytes for tensor in tensors.values())
    assert ("lm_head.weight" in tensors) != tied


def test_a_tied_head_that_the_files_hold_is_not_counted(tmp_path: Path) -> None:
    facts = read_facts(write_generic(tmp_path / "model", "Qwen3ForCausalLM"))
    assert facts.tensor_bytes is not None
    with_head = {**facts.tensor_bytes, "lm_head.weight": 10**6}
    assert model_sizes(facts.config, with_head) == model_sizes(facts.config, facts.tensor_bytes)


def test_the_published_models_are_as_large_as_they_are() -> None:
    sizes = model_sizes(KNOWN_CONFIGS["internvl2-2b"])
    parameters = (sizes.language_bytes + sizes.vision_bytes + sizes.projector_bytes) / 2
    assert parameters == pytest.approx(2.206e9, rel=0.001)
    assert isinstance(sizes.pictures, TileBudget)
    assert (
        sizes.pictures.tokens_per_tile,
        sizes.pictures.most_tokens,
        sizes.pictures.limited(1).most_tokens,
    ) == (256, 3328, 256)
    # its makers count 1.7e9 parameters, 1.4e9 of them beside the embedding table
    qwen = model_sizes(KNOWN_CONFIGS["qwen3-1_7b"])
    assert qwen.language_bytes / 2 == pytest.approx(1.72e9, rel=0.002)
    assert (qwen.language_bytes - qwen.language.table_bytes) / 2 == pytest.approx(1.41e9, rel=0.002)
    for name in ("internlm2-chat-1_8b", "internlm2_5-1_8b-chat"):
        assert model_sizes(KNOWN_CONFIGS[name]).language_bytes / 2 == pytest.approx(1.889e9, rel=0.001)
    assert model_sizes(KNOWN_CONFIGS["internlm3-8b-instruct"]).language_bytes / 2 == 8_804_241_408


def test_four_bit_weights_shrink_the_linear_layers_only() -> None:
    full, awq = model_sizes(KNOWN_CONFIGS["internvl2-2b"]), model_sizes(KNOWN_CONFIGS["internvl2-2b-awq"])
    assert awq.vision_bytes == full.vision_bytes
    embedding_and_head = 2 * 92553 * 2048 * 2
    assert awq.language_bytes - embedding_and_head == pytest.approx(
        (full.language_bytes - embedding_and_head) * 4.25 / 16, rel=0.01
    )


def test_partial_lora_counts() -> None:
    plain = model_sizes(KNOWN_CONFIGS["internlm2-chat-1_8b"]).language_bytes
    with_plora = model_sizes(KNOWN_CONFIGS["internlm-xcomposer2-vl-1_8b"])
    assert with_plora.language_bytes - plain == 24 * 2 * 256 * (
        (4096 + 2048) + (2048 + 2048) + 3 * (8192 + 2048)
    )
    assert with_plora.pictures is not None
    assert with_plora.pictures.most_tokens == 1225


def test_keys_and_values_of_a_token() -> None:
    sizes = model_sizes(KNOWN_CONFIGS["internvl2-2b"])
    assert [sizes.kv_token_bytes(bits) for bits in (16, 8, 4)] == [98304, 24 * 8 * 2 * 132, 24 * 8 * 2 * 68]


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    config = json.loads(json.dumps({"architectures": ["GemmaForCausalLM"]}))
    with pytest.raises(CheckpointError, match="GemmaForCausalLM"):
        model_sizes(config)


def test_the_four_bit_form_of_a_model_is_told_from_all_others() -> None:
    sizes = {name: model_sizes(config) for name, config in KNOWN_CONFIGS.items()}
    pairs = {
        (small, name)
        for small, its in sizes.items()
        for name, each in sizes.items()
        if is_four_bit_form(its, each)
    }
    assert pairs == {
        ("internvl2-2b-awq", "internvl2-2b"),
        ("qwen2_5-vl-3b-instruct-awq", "qwen2_5-vl-3b-instruct"),
    }


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("qwen2-vl-2b-instruct", 2_208_985_600),
        ("qwen2_5-vl-3b-instruct", 3_754_622_976),
        ("qwen3-vl-2b-instruct", 2_127_532_032),
        ("qwen3_5-2b", 2_274_069_824 - 60_828_160),  # less what drafts tokens, which is not loaded
    ],
)
def test_qwen_s_picture_models_have_the_parameters_that_their_hub_counts(name: str, parameters: int) -> None:
    assert model_sizes(KNOWN_CONFIGS[name]).weight_bytes == 2 * parameters
