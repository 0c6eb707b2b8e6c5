"""InternVL as transformers' InternVLForConditionalGeneration: its config and its tensor names, both ways.

An InternVLChatModel checkpoint is an InternViT tower (``vision_model``), a pixel shuffle (``ps_version`` v2),
a projector (``mlp1``) and a language model (``internvl_language``); see arXiv 2404.16821 and
``pytorch/models/internvl.py`` in LMDeploy. The tower's packed ``attn.qkv`` becomes three projections. Owns no
picture preprocessing: that is ``tiles``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLVisionConfig,
    PreTrainedConfig,
)

from launcher.models.awq import open_tensors
from launcher.models.internvl_language import language_config, language_tensors, spare_tensors, text_config
from launcher.models.weights import TensorMap, Unfilled, published
from launcher.models.whole import filled


class InternVisionConfig(PreTrainedConfig):
    """``vision_config`` of an InternVLChatModel checkpoint; fields as published."""

    model_type = "intern_vit_6b"
    base_config_key = "vision_config"

    hidden_size: int = 1024
    intermediate_size: int = 4096
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    num_channels: int = 3
    image_size: int = 448
    patch_size: int = 14
    hidden_act: str = "gelu"
    norm_type: str = "layer_norm"
    layer_norm_eps: float = 1e-6
    qkv_bias: bool = True
    qk_normalization: bool = False
    initializer_factor: float = 1.0
    initializer_range: float = 0.02


class InternVLChatConfig(PreTrainedConfig):
    """``config.json`` of an InternVLChatModel checkpoint; ``vision_config`` and ``llm_config`` may be given
    as dicts.

    ``max_dynamic_patch`` bounds one picture's tiles, without the thumbnail.

    Raises:
        CheckpointError: the language model is of a kind that is not known.
    """

    model_type = "internvl_chat"
    sub_configs: ClassVar[dict[str, type[PreTrainedConfig]]] = {
        "vision_config": InternVisionConfig,
        "llm_config": AutoConfig,
    }

    vision_config: Any = None  # a dict or None when given, an InternVisionConfig afterwards
    llm_config: Any = None  # a dict or None when given, a config of the language model's kind afterwards
    downsample_ratio: float = 0.5
    ps_version: str = "v2"
    select_layer: int = -1
    force_image_size: int | None = None
    dynamic_image_size: bool = True
    use_thumbnail: bool = True
    min_dynamic_patch: int = 1
    max_dynamic_patch: int = 12
    template: str | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if not isinstance(self.vision_config, PreTrainedConfig):
            self.vision_config = InternVisionConfig(**(self.vision_config or {}))
        if not isinstance(self.llm_config, PreTrainedConfig):
            self.llm_config = language_config(self.llm_config or {})
        if self.force_image_size is None:
            self.force_image_size = self.vision_config.image_size
        super().__post_init__(**kwargs)

    @property
    def tokens_per_tile(self) -> int:
        """How many tokens one tile takes in the prompt."""
        return int(
            (self.vision_config.image_size // self.vision_config.patch_size) ** 2 * self.downsample_ratio**2
        )


def internvl_config(config: InternVLChatConfig) -> InternVLConfig:
    """The same network described to transformers' InternVL classes.

    ``image_token_id`` is not in the published config: whoever has the tokenizer sets it on the model's
    config. Pixel order and feature layer are those that ``launcher.families`` lets through.
    """
    vision = config.vision_config
    return InternVLConfig(
        vision_config=InternVLVisionConfig(
            hidden_size=vision.hidden_size,
            intermediate_size=vision.intermediate_size,
            num_hidden_layers=vision.num_hidden_layers,
            num_attention_heads=vision.num_attention_heads,
            num_channels=vision.num_channels,
            image_size=vision.image_size,
            patch_size=vision.patch_size,
            hidden_act=vision.hidden_act,
            norm_type=vision.norm_type,
            layer_norm_eps=vision.layer_norm_eps,
            attention_bias=vision.qkv_bias,
            use_qk_norm=vision.qk_normalization,
            layer_scale_init_value=vision.initializer_factor,
            initializer_range=vision.initializer_range,
            use_mean_pooling=True,  # transformers' name for "no norm after the last layer"
        ),
        text_config=text_config(config.llm_config),
        image_seq_length=config.tokens_per_tile,
        downsample_ratio=config.downsample_ratio,
        projector_hidden_act="gelu",
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=config.llm_config.tie_word_embeddings,
    )


def build_model(config: InternVLChatConfig) -> InternVLForConditionalGeneration:
    """A model of the config's sizes with random weights, float32 on the current torch device.

    transformers starts the class token and the position table at zero, InternViT at random: without that, a
    tower trained from scratch sees a bag of patches until the table has grown.
    """
    model = InternVLForConditionalGeneration(internvl_config(config))
    embeddings = model.model.vision_tower.embeddings
    for table in (embeddings.cls_token, embeddings.position_embeddings):
        torch.nn.init.normal_(table, std=config.vision_config.initializer_range)
    for module in model.model.vision_tower.modules():
        for name in ("q_norm", "k_norm"):
            if hasattr(getattr(module, name, None), "variance_epsilon"):
                getattr(module, name).variance_epsilon = config.vision_config.layer_norm_eps
    return model


def with_pictures(embeddings: Tensor, is_picture: Tensor, seen: Tensor) -> Tensor:
    """(1, tokens, hidden) with what the tower has seen, (tiles, tokens per tile, hidden), in the places of
    (1, tokens) picture tokens. transformers' own argument for that is ignored by its version 5.17,
    which then answers as if nothing was shown."""
    return embeddings.masked_scatter(is_picture.unsqueeze(-1), seen.to(embeddings.dtype))


def split_qkv(qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(3 * hidden, ...) -> q, k, v, each (hidden, ...): InternViT stacks them whole."""
    q, k, v = qkv.chunk(3, dim=0)
    return q, k, v


def join_qkv(parts: Sequence[Tensor]) -> Tensor:
    """The inverse of ``split_qkv``."""
    return torch.cat(list(parts), dim=0)


def tensor_maps(model: InternVLForConditionalGeneration) -> list[TensorMap]:
    """Every tensor of an InternVLChatModel checkpoint and where transformers' model keeps it."""
    config = model.config
    tower, projector = "model.vision_tower.embeddings.", "model.multi_modal_projector."
    maps = [
        TensorMap("vision_model.embeddings.class_embedding", (f"{tower}cls_token",)),
        TensorMap("vision_model.embeddings.position_embedding", (f"{tower}position_embeddings",)),
    ]
    for kind in ("weight", "bias"):
        maps += [
            TensorMap(
                f"vision_model.embeddings.patch_embedding.{kind}",
                (f"{tower}patch_embeddings.projection.{kind}",),
            ),
            TensorMap(f"mlp1.0.{kind}", (f"{projector}layer_norm.{kind}",)),
            TensorMap(f"mlp1.1.{kind}", (f"{projector}linear_1.{kind}",)),
            TensorMap(f"mlp1.3.{kind}", (f"{projector}linear_2.{kind}",)),
        ]
    for n in range(config.vision_config.num_hidden_layers):
        maps += _vision_layer_maps(
            config.vision_config,
            f"vision_model.encoder.layers.{n}.",
            f"model.vision_tower.encoder.layer.{n}.",
        )
    return maps + language_tensors(model, config.text_config)


def _vision_layer_maps(config: InternVLVisionConfig, source: str, target: str) -> list[TensorMap]:
    both, weight = ("weight", "bias"), ("weight",)
    norm_kinds = both if config.norm_type == "layer_norm" else weight
    one_to_one = [
        ("norm1", "layernorm_before", norm_kinds),
        ("norm2", "layernorm_after", norm_kinds),
        ("attn.proj", "attention.projection_layer", both),
        ("mlp.fc1", "mlp.fc1", both),
        ("mlp.fc2", "mlp.fc2", both),
    ]
    if config.use_qk_norm:
        one_to_one += [(f"attn.{name}", f"attention.{name}", weight) for name in ("q_norm", "k_norm")]
    maps = [TensorMap(f"{source}ls{i}", (f"{target}lambda_{i}",)) for i in (1, 2)]
    for theirs, ours, kinds in one_to_one:
        maps += [TensorMap(f"{source}{theirs}.{kind}", (f"{target}{ours}.{kind}",)) for kind in kinds]
    for kind in both if config.attention_bias else weight:
        parts = tuple(f"{target}attention.{name}_proj.{kind}" for name in "qkv")
        maps.append(TensorMap(f"{source}attn.qkv.{kind}", parts, split_qkv, join_qkv))
    return maps


def published_tensors(model: InternVLForConditionalGeneration) -> dict[str, Tensor]:
    """The model's weights as an InternVLChatModel checkpoint names and packs them: the exact inverse of
    ``load_model``."""
    return published(model, tensor_maps(model))


def unfilled_model(folder: Path) -> Unfilled:
    """The model of an InternVLChatModel checkpoint, without its weights.

    Raises:
        CheckpointError: the folder is incomplete, quantised in a way that is not known, or does not match its
            config.json.
    """
    config = InternVLChatConfig.from_pretrained(folder)
    tensors = open_tensors(folder, config, config.llm_config)
    with torch.device("meta"):
        model = build_model(config)
    return Unfilled(model, tensor_maps(model), tensors, spare_tensors(model.config.text_config))


def load_model(folder: Path, dtype: torch.dtype, device: str) -> InternVLForConditionalGeneration:
    """Reads an InternVLChatModel checkpoint.

    Raises:
        CheckpointError: the folder is incomplete, damaged, quantised in a way that is not known, or does not
            match its config.json.
    """
    unfilled = unfilled_model(folder)
    model: InternVLForConditionalGeneration = filled(unfilled, "model.language_model", dtype, device)
    return model
