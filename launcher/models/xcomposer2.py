"""InternLM-XComposer2-VL on transformers' Llama and CLIP parts: configuration, model, weights.

Modules are named as the tensors of the published checkpoints (``model.tok_embeddings``,
``model.layers.N.attention.wqkv``, ``vit.vision_tower.vision_model``, ``vision_proj``, ``output``), so that
loading and exporting are no mapping at all. The grouped
``wqkv`` and its Plora_B stay whole: heads are taken apart after the product.

Does not own: prompts (launcher.families), tokenizers, files to RGB pictures (launcher.images), LMDeploy
(the plug-in). Source: arXiv 2401.16420; LMDeploy 0.7.3's converter for the tensor names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    Cache,
    CLIPVisionConfig,
    CLIPVisionModel,
    GenerationMixin,
    LlamaConfig,
    PreTrainedModel,
)
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import (
    LlamaModel,
    LlamaRMSNorm,
    apply_rotary_pos_emb,
    eager_attention_forward,
)

from launcher.errors import CheckpointError, RequestError
from launcher.families import AWQ_GROUP
from launcher.models.awq import open_tensors, packed_shapes
from launcher.models.partial_lora import PartialLoraLinear, picture_rows_of
from launcher.models.weights import CheckpointTensors, TensorMap, Unfilled, published
from launcher.models.whole import filled

MODEL_TYPE = "internlmxcomposer2"
ARCHITECTURE = "InternLMXComposer2ForCausalLM"
VISION_PREFIX = "vit.vision_tower.vision_model."
POSITION_TABLE = VISION_PREFIX + "embeddings.position_embedding.weight"
SMALL_TABLE_SIDE = 24
"""Side of the position table of the 336-pixel tower that the models were trained from."""
COMPUTED = (".rotary_emb.inv_freq", ".embeddings.position_ids")
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
CLIP_LARGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
}
CLIP_HEAD_SIZE = 64
"""Width of a head of every published CLIP tower; a checkpoint's tensors do not tell it."""


class XComposer2Config(LlamaConfig):
    """What the published config.json holds, and what it leaves to the tensors.

    Args:
        img_size: side of the square picture, pixels.
        image_token_id: marks a picture's places in ``input_ids``; ``<unk>``, which SentencePiece's byte
            fallback never gives.
        plora_rank: r of every Plora_A and Plora_B.
        plora_scale: alpha / r. 0 switches PLoRA off.
        vit_config: keyword arguments of CLIPVisionConfig where the tower is not CLIP ViT-L/14.
    """

    model_type = MODEL_TYPE

    pad_token_id: int | None = 2
    rms_norm_eps: float = 1e-5
    bias: bool = False
    img_size: int = 490
    image_token_id: int = 0
    plora_rank: int = 256
    plora_scale: float = 1.0
    vit_config: dict[str, Any] | None = None

    def clip_config(self) -> CLIPVisionConfig:
        """The picture tower's sizes: CLIP ViT-L/14, changed by ``vit_config``, at ``img_size``."""
        config = CLIPVisionConfig(**(CLIP_LARGE | (self.vit_config or {}) | {"image_size": self.img_size}))
        config._attn_implementation = self._attn_implementation
        return config

    @property
    def grid_side(self) -> int:
        """Patches along one side of the picture."""
        patch: int = (self.vit_config or {}).get("patch_size", CLIP_LARGE["patch_size"])
        return self.img_size // patch

    @property
    def picture_tokens(self) -> int:
        """Tokens that one picture takes in the sequence."""
        return self.grid_side**2


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


class XComposer2LanguageModel(LlamaModel):
    """Llama's forward (rotary embedding, masks, cache) over layers of ours."""

    config: XComposer2Config
    _can_record_outputs = {"hidden_states": XComposer2DecoderLayer}  # noqa: RUF012 - transformers' own spelling

    def __init__(self, config: XComposer2Config) -> None:
        # LlamaModel builds a table and layers of its own: have it build none worth mention, and put ours in
        # their place
        nothing = {
            "num_hidden_layers": 0,
            "vocab_size": 1,
            "pad_token_id": None,
            "bos_token_id": None,
            "eos_token_id": None,
        }
        super().__init__(LlamaConfig(**(config.to_dict() | nothing)))
        self.config = config
        self.layers = nn.ModuleList(
            XComposer2DecoderLayer(config, i) for i in range(config.num_hidden_layers)
        )
        del self.embed_tokens
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)

    def get_input_embeddings(self) -> nn.Module:
        """The token table, [vocabulary, hidden]."""
        return self.tok_embeddings


class XComposer2Vision(nn.Module):
    """The CLIP tower, nested as the checkpoint names it: ``vision_tower.vision_model``."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        super().__init__()
        self.vision_tower: Any = nn.Module()
        self.vision_tower.vision_model = CLIPVisionModel(config)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """[n, 3, s, s] -> [n, tokens, width]: the last hidden state, neither normed nor with the class
        token."""
        states: Tensor = self.vision_tower.vision_model(pixel_values).last_hidden_state
        return states[:, 1:]

    def count_positions(self) -> None:
        """Computes the one buffer that no checkpoint holds, after the tower was built on the meta device."""
        embeddings = self.vision_tower.vision_model.embeddings
        device = embeddings.position_embedding.weight.device
        embeddings.position_ids = torch.arange(embeddings.num_positions, device=device).unsqueeze(0)


def build_projector(config: XComposer2Config) -> nn.Sequential:
    """Two layers from the tower's width to the language model's, GELU between."""
    width: int = config.clip_config().hidden_size
    return nn.Sequential(
        nn.Linear(width, config.hidden_size), nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size)
    )


def build_tower(config: XComposer2Config, dtype: torch.dtype, device: torch.device | str) -> XComposer2Vision:
    """The picture tower with room for its weights but none in it, on a device at once."""
    with torch.device("meta"):
        tower = XComposer2Vision(config.clip_config()).to(dtype)
    tower.to_empty(device=device)
    tower.count_positions()
    return tower.requires_grad_(False).eval()


class XComposer2ForCausalLM(PreTrainedModel, GenerationMixin):
    """The whole model; works with transformers' ``generate``."""

    config_class = XComposer2Config
    config: XComposer2Config
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["XComposer2DecoderLayer"]  # noqa: RUF012 - transformers' own spelling
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__(config)
        self.model = XComposer2LanguageModel(config)
        self.vit = XComposer2Vision(config.clip_config())
        self.vision_proj = build_projector(config)
        self.output = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The token table, [vocabulary, hidden]."""
        return self.model.tok_embeddings

    def get_output_embeddings(self) -> nn.Module:
        """The head, [vocabulary, hidden]."""
        return self.output

    def picture_embeddings(self, pixel_values: Tensor) -> Tensor:
        """[n, 3, s, s] -> [n * tokens, hidden]: what stands in the pictures' places."""
        projected: Tensor = self.vision_proj(self.vit(pixel_values.to(self.dtype)))
        return projected.flatten(0, 1)

    def _embed(self, input_ids: Tensor, pictures: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Token and picture embeddings [b, s, hidden], and the picture rows of the flattened batch."""
        embeddings: Tensor = self.model.tok_embeddings(input_ids)
        if pictures is None:
            return embeddings, None
        rows = picture_rows_of(input_ids == self.config.image_token_id)
        places = 0 if rows is None else len(rows)
        if rows is None or places != len(pictures):
            raise RequestError(
                "the prompt has {places} picture tokens but its pictures need {needed}",
                places=places,
                needed=len(pictures),
            )
        return embeddings.flatten(0, 1).index_copy(0, rows, pictures.to(embeddings.dtype)).view_as(
            embeddings
        ), rows

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        *,
        picture_embeddings: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """One forward pass.

        Args:
            input_ids: [b, s]; ``config.image_token_id`` at the places of the pictures,
                ``config.picture_tokens`` for each.
            pixel_values: [n_pictures, 3, img_size, img_size] in reading order over the batch; None: the ids
                are all text, or there are ``picture_embeddings``.
            picture_embeddings: what ``self.picture_embeddings`` has made of all pictures, where that was done
                before.
            attention_mask: [b, past + s], 1 where a token counts.
            position_ids: [b, s]; None counts up.
            past_key_values: the cache of the tokens before ``input_ids``.
            labels: [b, s], -100 where none is asked.
            use_cache: whether the answer carries a cache.
            logits_to_keep: as in transformers: how many last positions, 0 for all, or which.

        Returns:
            logits [b, s or kept, vocabulary], and loss and cache where asked.

        Raises:
            RequestError: picture places and pictures do not agree.
        """
        if pixel_values is not None and len(pixel_values):
            picture_embeddings = self.picture_embeddings(pixel_values)
        embeddings, rows = self._embed(input_ids, picture_embeddings)
        outputs = self.model(
            inputs_embeds=embeddings,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
            picture_rows=rows,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.output(outputs.last_hidden_state[:, kept])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
        )

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        is_first_iteration: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Hands the pictures to the first pass only: later tokens are text, and the pictures are in the
        cache."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        inputs["pixel_values"] = (
            pixel_values if is_first_iteration or not kwargs.get("use_cache", True) else None
        )
        return inputs


def build_model(config: XComposer2Config) -> XComposer2ForCausalLM:
    """A model with random weights, on the current default device and dtype."""
    return XComposer2ForCausalLM(config)


def picture_pixels(pictures: Sequence[Image.Image], img_size: int) -> Tensor:
    """RGB pictures to ``pixel_values`` [n, 3, img_size, img_size], float32: squeezed bicubically to a square,
    nothing cropped."""
    resized = [
        np.asarray(p.convert("RGB").resize((img_size, img_size), Image.Resampling.BICUBIC)) for p in pictures
    ]
    scaled = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float() / 255
    return (scaled - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def read_sizes(config: XComposer2Config, tensors: CheckpointTensors) -> None:
    """Fills in what config.json leaves out from the tensors' shapes: rank, picture tower, picture size.

    Raises:
        CheckpointError: a tensor that tells a size is missing.
    """
    hidden, _, patch, _ = _shape(tensors, VISION_PREFIX + "embeddings.patch_embedding.weight")
    layer_prefix = VISION_PREFIX + "encoder.layers."
    layers = {
        name.removeprefix(layer_prefix).split(".")[0]
        for name in tensors.names()
        if name.startswith(layer_prefix)
    }
    tower = {
        "num_attention_heads": max(1, hidden // CLIP_HEAD_SIZE),
        **(config.vit_config or {}),
        "hidden_size": hidden,
        "intermediate_size": _shape(tensors, layer_prefix + "0.mlp.fc1.weight")[0],
        "num_hidden_layers": len(layers),
        "patch_size": patch,
    }
    side = math.isqrt(_shape(tensors, POSITION_TABLE)[0] - 1)
    config.vit_config = tower
    config.img_size = config.img_size if side == SMALL_TABLE_SIDE else side * patch
    config.plora_rank = _shape(tensors, "model.layers.0.attention.wqkv.Plora_A.weight")[0]


def _shape(tensors: CheckpointTensors, name: str) -> tuple[int, ...]:
    if name not in tensors.names():
        raise CheckpointError(
            "{folder} has no tensor {name}: it is no InternLM-XComposer2-VL checkpoint, or not a whole one",
            hint="Download the checkpoint again.",
            folder=tensors.folder,
            name=name,
        )
    return tuple(tensors.read(name).shape)


def tensor_maps(model: XComposer2ForCausalLM) -> list[TensorMap]:
    """Every published tensor and the parameter that holds it: the names are the same."""
    return [TensorMap(name, (name,)) for name, _ in model.named_parameters()]


def published_tensors(model: XComposer2ForCausalLM) -> dict[str, Tensor]:
    """The weights under the published names: the exact inverse of ``load_model``."""
    return published(model, tensor_maps(model))


def published_shapes(config: XComposer2Config) -> dict[str, torch.Size]:
    """The shape of every published tensor by name; of a checkpoint in four bits, the packed ones."""
    with torch.device("meta"):
        model = XComposer2ForCausalLM(config)
    shapes = {name: weight.shape for name, weight in model.named_parameters()}
    settings = getattr(config, "quantization_config", None)
    if not settings:
        return shapes
    group = settings.get("group_size", AWQ_GROUP)
    for name, module in model.named_modules():
        if isinstance(module, PartialLoraLinear):
            packs = packed_shapes(shapes.pop(f"{name}.weight"), group)
            shapes |= {f"{name}.{part}": shape for part, shape in packs.items()}
    return shapes


def resized_positions(table: Tensor, side: int) -> Tensor:
    """A position table [1 + n * n, width] stretched bicubically to [1 + side * side, width]; the class
    token's row stays."""
    old = math.isqrt(len(table) - 1)
    if old == side:
        return table
    grid = table[1:].float().view(1, old, old, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat([table[:1], grid.permute(0, 2, 3, 1).flatten(0, 2).to(table.dtype)])


def unfilled_model(folder: Path) -> Unfilled:
    """The model of a checkpoint folder, without its weights.

    Raises:
        CheckpointError: weights are missing, or quantised in a way that is not known, or a tensor is missing
            or unknown; each is named.
    """
    config = XComposer2Config.from_pretrained(folder)
    tensors = open_tensors(folder, config)
    read_sizes(config, tensors)
    with torch.device("meta"):
        model = XComposer2ForCausalLM(config)
    table_side = math.isqrt(_shape(tensors, POSITION_TABLE)[0] - 1)
    maps = [_stretched(entry, table_side, config.grid_side) for entry in tensor_maps(model)]
    return Unfilled(model, maps, tensors, {name for name in tensors.names() if name.endswith(COMPUTED)})


def load_model(folder: Path, dtype: torch.dtype, device: str) -> XComposer2ForCausalLM:
    """The model of a checkpoint folder, ready to answer.

    Args:
        folder: holds config.json and the weights, as safetensors or ``pytorch_model*.bin``.
        dtype: of the weights in memory.
        device: torch device name.

    Raises:
        CheckpointError: as ``unfilled_model`` does, or a tensor is of the wrong shape.
    """
    model: XComposer2ForCausalLM = filled(unfilled_model(folder), "model", dtype, device)
    model.vit.count_positions()
    model.requires_grad_(False)
    return model


def _stretched(entry: TensorMap, table_side: int, side: int) -> TensorMap:
    """The same map; for the position table of a smaller picture size, one that stretches it while loading."""
    if entry.published != POSITION_TABLE or table_side == side:
        return entry
    return replace(
        entry,
        split=lambda table: (resized_positions(table, side),),
        join=lambda parts: resized_positions(parts[0], table_side),
    )
