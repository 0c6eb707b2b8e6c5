"""The layers of the language model: InternLM2's, with PLoRA in every product.

The grouped ``wqkv`` and its Plora_B stay whole: heads are taken apart after the product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from transformers import Cache
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import (
    LlamaRMSNorm,
    apply_rotary_pos_emb,
    eager_attention_forward,
)

from launcher.models.partial_lora import PartialLoraLinear
from launcher.models.xcomposer2.configuration import XComposer2Config


class XComposer2Attention(nn.Module):
    """Grouped-query attention with PLoRA in ``wqkv`` and ``wo``."""

    def __init__(self, config: XComposer2Config, layer_idx: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.is_causal = True
        self.head_dim: int = config.head_dim
        self.kv_heads: int = config.num_key_value_heads
        self.num_key_value_groups = config.num_attention_heads // self.kv_heads
        self.scaling = self.head_dim**-0.5
        rows = (config.num_attention_heads + 2 * self.kv_heads) * self.head_dim
        self.wqkv = PartialLoraLinear(config.hidden_size, rows, config.plora_rank, config.plora_scale)
        self.wo = PartialLoraLinear(
            config.num_attention_heads * self.head_dim,
            config.hidden_size,
            config.plora_rank,
            config.plora_scale,
        )

    def _heads(self, x: Tensor, picture_rows: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """[b, s, hidden] -> query [b, heads, s, d], key and value [b, kv_heads, s, d]."""
        batch, length, _ = x.shape
        # "h g d": for each KV head its query heads, then one key, then one value head
        grouped = self.wqkv(x, picture_rows).view(
            batch, length, self.kv_heads, self.num_key_value_groups + 2, self.head_dim
        )
        query = grouped[..., :-2, :].flatten(2, 3)
        return query.transpose(1, 2), grouped[..., -2, :].transpose(1, 2), grouped[..., -1, :].transpose(1, 2)

    def forward(
        self,
        x: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None,
        past_key_values: Cache | None,
        picture_rows: Tensor | None,
        **kwargs: Any,
    ) -> Tensor:
        """[b, s, hidden] -> [b, s, hidden]."""
        query, key, value = self._heads(x, picture_rows)
        query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend: Callable[..., tuple[Tensor, Tensor | None]] = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        mixed, _ = attend(
            self, query, key, value, attention_mask, dropout=0.0, scaling=self.scaling, **kwargs
        )
        out: Tensor = self.wo(mixed.reshape(*x.shape[:-1], -1).contiguous(), picture_rows)
        return out


class XComposer2FeedForward(nn.Module):
    """``w2(silu(w1 x) * w3 x)`` with PLoRA in all three."""

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__()
        wide, narrow = config.intermediate_size, config.hidden_size
        self.w1 = PartialLoraLinear(narrow, wide, config.plora_rank, config.plora_scale)
        self.w3 = PartialLoraLinear(narrow, wide, config.plora_rank, config.plora_scale)
        self.w2 = PartialLoraLinear(wide, narrow, config.plora_rank, config.plora_scale)
        self.act = ACT2FN[config.hidden_act]

    def forward(self, x: Tensor, picture_rows: Tensor | None) -> Tensor:
        """[b, s, hidden] -> [b, s, hidden]."""
        out: Tensor = self.w2(self.act(self.w1(x, picture_rows)) * self.w3(x, picture_rows), picture_rows)
        return out


class XComposer2DecoderLayer(GradientCheckpointingLayer):
    """Attention and feed-forward, each after a norm and beside a residual."""

    def __init__(self, config: XComposer2Config, layer_idx: int) -> None:
        super().__init__()
        self.attention = XComposer2Attention(config, layer_idx)
        self.feed_forward = XComposer2FeedForward(config)
        self.attention_norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.ffn_norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        picture_rows: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """[b, s, hidden] -> [b, s, hidden]; the arguments are those LlamaModel gives its layers, and
        ``picture_rows``."""
        attended = self.attention(
            self.attention_norm(hidden_states),
            position_embeddings,
            attention_mask,
            past_key_values,
            picture_rows,
            **kwargs,
        )
        hidden_states = hidden_states + attended
        fed: Tensor = self.feed_forward(self.ffn_norm(hidden_states), picture_rows)
        return hidden_states + fed
