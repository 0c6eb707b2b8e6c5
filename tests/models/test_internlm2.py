"""InternLM2 through transformers' Llama: equal to a plain reading of the published tensors, and every tensor
accounted for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig

from launcher.errors import CheckpointError
from launcher.models.internlm2 import (
    InternLM2Config,
    build_model,
    join_wqkv,
    load_model,
    published_tensors,
    split_wqkv,
)
from tests.models.published_reference import language_logits
from tests.models.tiny import language_fields, randomised, write_internlm2

IDS = torch.tensor([[1, 30, 31, 7, 7, 200, 55, 3, 90, 12]])


def logits(folder: Path) -> Tensor:
    with torch.no_grad():
        return load_model(folder, torch.float32, "cpu")(input_ids=IDS).logits


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_internlm2(tmp_path_factory.mktemp("internlm2"))


def copy_with(
    checkpoint: Path, folder: Path, tensors: dict[str, Tensor] | None = None, **changes: Any
) -> Path:
    fields = json.loads((checkpoint / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(fields))
    save_file(
        load_file(checkpoint / "model.safetensors") if tensors is None else tensors,
        folder / "model.safetensors",
    )
    return folder


@pytest.mark.parametrize(("heads", "kv_heads", "bias"), [(4, 2, False), (4, 4, True), (4, 1, False)])
def test_the_logits_are_those_of_the_published_tensors_read_plainly(
    tmp_path: Path, heads: int, kv_heads: int, bias: bool
) -> None:
    folder = write_internlm2(tmp_path, num_attention_heads=heads, num_key_value_heads=kv_heads, bias=bias)
    tensors = {name: tensor.double() for name, tensor in load_file(folder / "model.safetensors").items()}
    embedded = tensors["model.tok_embeddings.weight"][IDS[0]]
    expected = language_logits(embedded, tensors, "", layers=2, heads=heads, kv_heads=kv_heads, theta=1e6)
    torch.testing.assert_close(logits(folder)[0].double(), expected, rtol=1e-4, atol=1e-3)


def test_the_rotary_base_and_scaling_of_the_config_arrive(tmp_path: Path, checkpoint: Path) -> None:
    other_base = copy_with(checkpoint, tmp_path, rope_theta=10000)
    assert not torch.allclose(logits(checkpoint), logits(other_base))
    rotary = load_model(checkpoint, torch.float32, "cpu").model.rotary_emb
    assert rotary.rope_type == "dynamic"
    expected = 1e6 ** (-torch.arange(0, 8, 2) / 8)
    torch.testing.assert_close(rotary.inv_freq, expected)
    torch.testing.assert_close(rotary.original_inv_freq, expected)


def test_frequencies_are_stretched_beyond_the_positions_alone(tmp_path: Path, checkpoint: Path) -> None:
    """What InternLM2.5's config.json asks for changes nothing within the positions, and no session is longer
    than these."""
    found = []
    for name, scaling in (("plain", None), ("dynamic", {"factor": 2.0, "type": "dynamic"})):
        (tmp_path / name).mkdir()
        folder = copy_with(checkpoint, tmp_path / name, rope_scaling=scaling, max_position_embeddings=8)
        model = load_model(folder, torch.float32, "cpu")
        with torch.no_grad():
            found.append([model(input_ids=IDS[:, :count]).logits for count in (8, 10)])
    (plain, plain_beyond), (dynamic, dynamic_beyond) = found
    assert torch.equal(plain, dynamic)
    assert not torch.allclose(plain_beyond, dynamic_beyond)


def test_no_parameter_or_buffer_stays_without_memory(checkpoint: Path) -> None:
    model = load_model(checkpoint, torch.float32, "cpu")
    assert [name for name, t in [*model.named_parameters(), *model.named_buffers()] if t.is_meta] == []
    assert not model.training


@pytest.mark.parametrize("tie", [False, True])
def test_export_is_the_inverse_of_load(tmp_path: Path, tie: bool) -> None:
    folder = write_internlm2(tmp_path, tie_word_embeddings=tie)
    stored = load_file(folder / "model.safetensors")
    exported = published_tensors(load_model(folder, torch.float32, "cpu"))
    assert exported.keys() == stored.keys()
    assert all(torch.equal(exported[name], stored[name]) for name in stored)
    assert ("output.weight" in stored) is not tie


def test_exported_tensors_share_no_memory_with_the_model() -> None:
    model = randomised(build_model(InternLM2Config(**language_fields())))
    exported = published_tensors(model)
    before = {name: tensor.clone() for name, tensor in exported.items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert all(torch.equal(exported[name], before[name]) for name in before)


def test_wqkv_rows_are_grouped_by_kv_head() -> None:
    rows = torch.arange(2 * 4 * 3).view(-1, 1)  # 2 KV heads of 2 queries, a key and a value; heads of 3 rows
    q, k, v = split_wqkv(rows, heads=4, kv_heads=2)
    assert q.flatten().tolist() == [0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17]
    assert k.flatten().tolist() == [6, 7, 8, 18, 19, 20]
    assert v.flatten().tolist() == [9, 10, 11, 21, 22, 23]
    assert torch.equal(join_wqkv((q, k, v), heads=4, kv_heads=2), rows)


def test_a_sharded_checkpoint_and_one_of_pytorch_files_load_alike(tmp_path: Path, checkpoint: Path) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    names = sorted(tensors)
    shards = {"a": names[::2], "b": names[1::2]}
    for suffix, save in ((".safetensors", save_file), (".bin", torch.save)):
        folder = tmp_path / suffix
        folder.mkdir()
        (folder / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
        stem = "model" if suffix == ".safetensors" else "pytorch_model"
        for shard, members in shards.items():
            save({name: tensors[name] for name in members}, folder / f"{shard}{suffix}")
        index = {
            "weight_map": {name: f"{shard}{suffix}" for shard, members in shards.items() for name in members}
        }
        (folder / f"{stem}{suffix}.index.json").write_text(json.dumps(index))
        assert torch.equal(logits(folder), logits(checkpoint))
    (tmp_path / ".bin" / "a.bin").unlink()
    with pytest.raises(CheckpointError, match=r"a\.bin"):
        logits(tmp_path / ".bin")


def test_an_unsharded_pytorch_file_loads_too(tmp_path: Path, checkpoint: Path) -> None:
    (tmp_path / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
    torch.save(load_file(checkpoint / "model.safetensors"), tmp_path / "pytorch_model.bin")
    assert torch.equal(logits(tmp_path), logits(checkpoint))


WO = "model.layers.1.attention.wo.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop(WO), f"lacks 1 .*{WO}"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "holds 1 .*extra"),
        (lambda tensors: tensors.update({WO: torch.zeros(32, 31)}), rf"{WO} is \(32, 31\).*\(32, 32\)"),
    ],
    ids=["missing", "extra", "shape"],
)
def test_a_tensor_out_of_place_is_named(tmp_path: Path, checkpoint: Path, change: Any, said: str) -> None:
    tensors = load_file(checkpoint / "model.safetensors")
    change(tensors)
    with pytest.raises(CheckpointError, match=said):
        load_model(copy_with(checkpoint, tmp_path, tensors), torch.float32, "cpu")


def test_quantised_and_damaged_and_empty_folders_are_refused(tmp_path: Path, checkpoint: Path) -> None:
    for method, said in (("gptq", "gptq"), ("awq", "none has")):
        folder = copy_with(checkpoint, tmp_path, quantization_config={"quant_method": method, "bits": 4})
        with pytest.raises(CheckpointError, match=said):
            load_model(folder, torch.float32, "cpu")
    copy_with(checkpoint, tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_model(tmp_path, torch.float32, "cpu")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no weights"):
        load_model(tmp_path, torch.float32, "cpu")
    (tmp_path / "pytorch_model.bin").write_bytes(b"not a pickle")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_model(tmp_path, torch.float32, "cpu")


def test_the_config_keeps_what_lmdeploy_reads(checkpoint: Path) -> None:
    config = AutoConfig.from_pretrained(checkpoint, trust_remote_code=False)
    assert isinstance(config, InternLM2Config)
    assert config.rope_theta == config.rope_parameters["rope_theta"] == 1e6
    assert config.rope_scaling["type"] == config.rope_scaling["rope_type"] == "dynamic"
    assert config.rope_scaling["factor"] == 2.0
    assert config.architectures == ["InternLM2ForCausalLM"]
    assert config.dtype is torch.bfloat16
    assert config.bias is False
    saved = InternLM2Config(**config.to_dict())
    assert (saved.rope_theta, saved.rope_parameters) == (config.rope_theta, config.rope_parameters)
