"""InternLM2 as transformers' Llama: its config, its tensor names and its grouped wqkv, both ways.

InternLM2 (arXiv 2403.17297) is Llama with other names and one packed attention weight: the rows of ``wqkv``
are grouped by KV head, for each of them its query heads, then one key and one value head ("h g d" with g =
heads / kv_heads + 2; compare ``turbomind/models/internlm2.py`` in LMDeploy). Owns nothing of the tokenizer or
the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedConfig

from launcher.models.awq import open_tensors
from launcher.models.weights import TensorMap, Unfilled, published
from launcher.models.whole import filled


class InternLM2Config(PreTrainedConfig):
    """``config.json`` of an InternLM2 checkpoint; fields as published.

    ``rope_theta`` is declared although transformers 5 moves it into ``rope_parameters``: LMDeploy reads both.
    """

    model_type = "internlm2"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]

    vocab_size: int = 92544
    hidden_size: int = 2048
    intermediate_size: int = 8192
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    num_key_value_heads: int | None = None
    hidden_act: str = "silu"
    max_position_embeddings: int = 32768
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-5
    use_cache: bool = True
    bias: bool = False
    rope_theta: float = 1_000_000.0
    rope_parameters: dict[str, Any] | None = None
    tie_word_embeddings: bool = False
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    pad_token_id: int | None = 2

    def __post_init__(self, **kwargs: Any) -> None:
        if self.num_key_value_heads is None:
            self.num_key_value_heads = self.num_attention_heads
        # transformers writes into these dicts; they are the caller's.
        self.rope_parameters = dict(self.rope_parameters or {})
        kwargs["rope_scaling"] = dict(kwargs.get("rope_scaling") or {})
        super().__post_init__(**kwargs)


def llama_config(config: InternLM2Config) -> LlamaConfig:
    """The same network described to transformers' Llama, rotary base and scaling included."""
    return LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        hidden_act=config.hidden_act,
        max_position_embeddings=config.max_position_embeddings,
        initializer_range=config.initializer_range,
        rms_norm_eps=config.rms_norm_eps,
        attention_bias=config.bias,
        mlp_bias=False,
        rope_parameters=dict(config.rope_parameters or {}),
        tie_word_embeddings=config.tie_word_embeddings,
        bos_token_id=config.bos_token_id,
        eos_token_id=config.eos_token_id,
        pad_token_id=config.pad_token_id,
    )


def split_wqkv(wqkv: Tensor, heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """(kv_heads * g * head_dim, ...) -> q (heads * head_dim, ...), k and v (kv_heads * head_dim, ...); also
    for a bias."""
    queries = heads // kv_heads
    grouped = wqkv.reshape(kv_heads, queries + 2, -1, *wqkv.shape[1:])  # h g d ...
    return (
        grouped[:, :queries].flatten(0, 2),
        grouped[:, queries].flatten(0, 1),
        grouped[:, queries + 1].flatten(0, 1),
    )


def join_wqkv(parts: Sequence[Tensor], heads: int, kv_heads: int) -> Tensor:
    """The inverse of ``split_wqkv``."""
    q, k, v = parts
    queries = heads // kv_heads
    grouped = [
        part.reshape(kv_heads, count, -1, *part.shape[1:]) for part, count in ((q, queries), (k, 1), (v, 1))
    ]
    return torch.cat(grouped, dim=1).flatten(0, 2)


def language_maps(
    config: LlamaConfig, source: str = "", target: str = "model.", head: str = "lm_head."
) -> list[TensorMap]:
    """Every tensor of an InternLM2 checkpoint under ``source`` and where Llama keeps it under ``target`` and
    ``head``."""
    maps = [
        TensorMap(f"{source}model.tok_embeddings.weight", (f"{target}embed_tokens.weight",)),
        TensorMap(f"{source}model.norm.weight", (f"{target}norm.weight",)),
    ]
    if not config.tie_word_embeddings:
        maps.append(TensorMap(f"{source}output.weight", (f"{head}weight",)))
    for n in range(config.num_hidden_layers):
        maps += _layer_maps(config, f"{source}model.layers.{n}.", f"{target}layers.{n}.")
    return maps


def _layer_maps(config: LlamaConfig, source: str, target: str) -> list[TensorMap]:
    heads = {"heads": config.num_attention_heads, "kv_heads": config.num_key_value_heads}
    split, join = partial(split_wqkv, **heads), partial(join_wqkv, **heads)
    maps = [
        TensorMap(f"{source}attention_norm.weight", (f"{target}input_layernorm.weight",)),
        TensorMap(f"{source}ffn_norm.weight", (f"{target}post_attention_layernorm.weight",)),
        TensorMap(f"{source}feed_forward.w1.weight", (f"{target}mlp.gate_proj.weight",)),
        TensorMap(f"{source}feed_forward.w3.weight", (f"{target}mlp.up_proj.weight",)),
        TensorMap(f"{source}feed_forward.w2.weight", (f"{target}mlp.down_proj.weight",)),
    ]
    for kind in ("weight", "bias") if config.attention_bias else ("weight",):
        qkv = tuple(f"{target}self_attn.{name}_proj.{kind}" for name in "qkv")
        maps.append(TensorMap(f"{source}attention.wqkv.{kind}", qkv, split, join))
        maps.append(TensorMap(f"{source}attention.wo.{kind}", (f"{target}self_attn.o_proj.{kind}",)))
    return maps


def build_model(config: InternLM2Config) -> LlamaForCausalLM:
    """A Llama of the config's sizes with random weights, float32 on the current torch device."""
    return LlamaForCausalLM(llama_config(config))


def published_tensors(model: LlamaForCausalLM) -> dict[str, Tensor]:
    """The model's weights as an InternLM2 checkpoint names and packs them: the exact inverse of
    ``load_model``."""
    return published(model, language_maps(model.config))


def unfilled_model(folder: Path) -> Unfilled:
    """The model of an InternLM2ForCausalLM checkpoint, without its weights.

    Raises:
        CheckpointError: the folder is incomplete, quantised in a way that is not known, or does not match its
            config.json.
    """
    config = InternLM2Config.from_pretrained(folder)
    tensors = open_tensors(folder, config)
    with torch.device("meta"):
        model = build_model(config)
    return Unfilled(model, language_maps(model.config), tensors)


def load_model(folder: Path, dtype: torch.dtype, device: str) -> LlamaForCausalLM:
    """Reads an InternLM2ForCausalLM checkpoint.

    Raises:
        CheckpointError: the folder is incomplete, damaged, quantised in a way that is not known, or does not
            match its config.json.
    """
    model: LlamaForCausalLM = filled(unfilled_model(folder), "model", dtype, device)
    return model
