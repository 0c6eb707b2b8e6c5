"""How large a model is, from its config.json (and, where they are at hand, its safetensors headers): no
weights are read.

Owns the arithmetic of the three published architectures and the few sizes of the published checkpoints
themselves, so that ``launcher plan`` works before anything is downloaded. It does not decide what fits: that
is ``launcher.memory``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launcher.errors import CheckpointError

ELEMENT_BYTES = 2
"""bf16 and fp16; the engines keep everything but AWQ's linear layers in one of them."""

AWQ_ELEMENT_BYTES = 0.5 + 4 / 128
"""4 bits a weight, and for each group of 128 a 16-bit scale and a 16-bit zero point (TurboMind unpacks the
zero points)."""

_MAX_LAYERS = 1000
_MAX_HIDDEN = 2**20
_MAX_HEADS = 4096
_MAX_VOCAB = 2**24
_MAX_POSITIONS = 2**20
_MAX_IMAGE = 2**14
_MAX_TILES = 1024
"""Several times what the largest published models have: beyond it a config.json is wrong."""
_LAYER = re.compile(r"\blayers\.(\d{1,6})\.")
_MAX_VALUE_SHOWN = 60
_WRONG_CONFIG = "This config.json is no published model's: download the model again, or mend the file."


@dataclass(frozen=True, slots=True)
class LanguageSizes:
    """The language model's shape. ``plora_rank`` is 0 where there is no partial LoRA, ``weight_bits`` 4 for
    AWQ, else 16."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    max_positions: int
    weight_bits: int = 16
    plora_rank: int = 0


@dataclass(frozen=True, slots=True)
class VisionSizes:
    """The picture tower's shape. A tile is one ``image_size`` square; ``max_tiles`` does not count the
    thumbnail."""

    layers: int
    hidden: int
    intermediate: int
    image_size: int
    patch_size: int
    tokens_per_tile: int
    max_tiles: int
    thumbnail: bool

    def picture_tokens(self, tiles: int) -> int:
        """Tokens that a picture cut into ``tiles`` tiles costs, the thumbnail included."""
        return (tiles + (self.thumbnail and tiles > 1)) * self.tokens_per_tile

    @property
    def patches(self) -> int:
        """Patches of one tile, without the class token."""
        return (self.image_size // self.patch_size) ** 2


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """A checkpoint's shape and the bytes of its three parts as a GPU engine keeps them."""

    architecture: str
    dtype: str
    language: LanguageSizes
    vision: VisionSizes | None
    language_bytes: int
    vision_bytes: int = 0
    projector_bytes: int = 0

    def kv_token_bytes(self, kv_bits: int) -> int:
        """Bytes of keys and values of one token: 8 and 4 bits carry a 16-bit scale and zero point for each
        head's vector."""
        vector_bytes = self.language.head_dim * kv_bits // 8 + (0 if kv_bits == 16 else 2 * ELEMENT_BYTES)
        return 2 * self.language.layers * self.language.kv_heads * vector_bytes


def model_sizes(
    config: Mapping[str, Any],
    tensor_bytes: Mapping[str, int] | None = None,
    file: str | Path = "config.json",
) -> ModelSizes:
    """The sizes of a checkpoint.

    Args:
        config: the checkpoint's config.json, whatever it holds.
        tensor_bytes: bytes of each tensor by name, from the safetensors headers; without it they follow from
            the config.
        file: what errors call the config.

    Raises:
        CheckpointError: the architecture is not one of those that launcher knows, or the config lacks a size
            or has one that no model has.
    """
    architecture = (config.get("architectures") or ["?"])[0]
    reader = _READERS.get(architecture)
    if reader is None:
        raise CheckpointError(
            "The architecture {architecture} is not known here.",
            hint="Known are: {known}.",
            architecture=architecture,
            known=", ".join(_READERS),
        )
    sizes = reader(_Part(config, str(file)))
    if tensor_bytes is None:
        return sizes
    _check_layers(sizes, tensor_bytes, str(file))
    return _with_tensor_bytes(sizes, tensor_bytes)


@dataclass(frozen=True, slots=True)
class _Part:
    """An object of config.json whose numbers are checked as they are taken; ``place`` is its path in the
    file, with a dot at the end."""

    values: Mapping[str, Any]
    file: str
    place: str = ""

    def whole(self, key: str, high: int, default: int | None = None) -> int:
        """A whole number from 1 to ``high``; the default where there is none."""
        value = self._value(key, default)
        if type(value) is not int or not 1 <= value <= high:  # true is an int to Python
            raise CheckpointError(
                "{file}: {key} is {value}, not a whole number from 1 to {high}",
                _WRONG_CONFIG,
                **self.facts(key),
                high=high,
            )
        return value

    def share(self, key: str) -> float:
        """A number above 0 and up to 1."""
        value = self._value(key)
        if type(value) not in (int, float) or not 0 < value <= 1:
            raise CheckpointError(
                "{file}: {key} is {value}, not a number above 0 and up to 1",
                _WRONG_CONFIG,
                **self.facts(key),
            )
        return float(value)

    def part(self, key: str, default: Mapping[str, Any] | None = None) -> _Part:
        """An object in this one; the default where there is none."""
        value = self._value(key, default)
        if not isinstance(value, Mapping):
            raise CheckpointError(
                "{file}: {key} is {value}, not an object with keys", _WRONG_CONFIG, **self.facts(key)
            )
        return _Part(value, self.file, f"{self.place}{key}.")

    def facts(self, key: str) -> dict[str, object]:
        """What an error says about a key."""
        text = json.dumps(self.values.get(key))
        value = text if len(text) <= _MAX_VALUE_SHOWN else f"{text[: _MAX_VALUE_SHOWN - 1]}…"
        return {"file": self.file, "key": self.place + key, "value": value}

    def _value(self, key: str, default: object = None) -> Any:
        value = self.values.get(key)
        if value is None and default is None:
            raise CheckpointError("{file}: {key} is missing", _WRONG_CONFIG, **self.facts(key))
        return default if value is None else value


def _check_layers(sizes: ModelSizes, tensors: Iterable[str], file: str) -> None:
    """Raises CheckpointError where the config asks for layers that the weights do not have: building a
    thousand of them takes a minute."""
    held = {"language": 0, "vision": 0}
    for name in tensors:
        part, found = _part_of(name), _LAYER.search(name)
        if found and part in held:
            held[part] = max(held[part], int(found[1]) + 1)
    asked = {"language": sizes.language.layers, "vision": sizes.vision.layers if sizes.vision else 0}
    for part, layers in asked.items():
        if layers > held[part]:
            raise CheckpointError(
                "{file}: num_hidden_layers of the {part} model is {layers}; the weights hold {held} layers",
                "Weights and config.json are not of the same model; download both again.",
                file=file,
                part=part,
                layers=layers,
                held=held[part],
            )


def _with_tensor_bytes(sizes: ModelSizes, tensor_bytes: Mapping[str, int]) -> ModelSizes:
    parts = {"language": 0, "vision": 0, "projector": 0}
    for name, size in tensor_bytes.items():
        parts[_part_of(name)] += size
    return ModelSizes(
        architecture=sizes.architecture,
        dtype=sizes.dtype,
        language=sizes.language,
        vision=sizes.vision,
        language_bytes=parts["language"],
        vision_bytes=parts["vision"],
        projector_bytes=parts["projector"],
    )


def _part_of(tensor_name: str) -> str:
    if tensor_name.startswith(("vision_model.", "vit.")):
        return "vision"
    return "projector" if tensor_name.startswith(("mlp1.", "vision_proj.")) else "language"


def _language(config: _Part, quantization: object = None, plora_rank: int = 0) -> LanguageSizes:
    hidden = config.whole("hidden_size", _MAX_HIDDEN)
    heads = config.whole("num_attention_heads", min(hidden, _MAX_HEADS))
    quantization = config.values.get("quantization_config") or quantization
    return LanguageSizes(
        layers=config.whole("num_hidden_layers", _MAX_LAYERS),
        hidden=hidden,
        heads=heads,
        kv_heads=config.whole("num_key_value_heads", heads, heads),
        head_dim=config.whole("head_dim", _MAX_HEADS, hidden // heads),
        intermediate=config.whole("intermediate_size", _MAX_HIDDEN),
        vocab=config.whole("vocab_size", _MAX_VOCAB),
        max_positions=config.whole("max_position_embeddings", _MAX_POSITIONS, 2048),
        weight_bits=4 if _method(quantization) == "awq" else 16,
        plora_rank=plora_rank,
    )


def _method(quantization: object) -> str:
    return str(quantization.get("quant_method")).lower() if isinstance(quantization, Mapping) else ""


def _language_bytes(sizes: LanguageSizes) -> int:
    """Embedding, head and norms in 16 bits; the five linear layers of each block in 16 bits or AWQ; PLoRA
    beside each."""
    query, key_value = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    shapes = (
        (query + 2 * key_value, sizes.hidden),
        (sizes.hidden, query),
        (sizes.intermediate, sizes.hidden),
        (sizes.intermediate, sizes.hidden),
        (sizes.hidden, sizes.intermediate),
    )
    linear = sum(rows * columns for rows, columns in shapes)
    plora = sum((rows + columns) * sizes.plora_rank for rows, columns in shapes)
    per_element = AWQ_ELEMENT_BYTES if sizes.weight_bits == 4 else ELEMENT_BYTES
    block_bytes = int(linear * per_element) + (plora + 2 * sizes.hidden) * ELEMENT_BYTES
    return sizes.layers * block_bytes + (2 * sizes.vocab + 1) * sizes.hidden * ELEMENT_BYTES


def _tower_bytes(vision: VisionSizes, scale_vectors: int) -> int:
    """A ViT: patch and position embedding, then blocks of fused or separate q, k, v, output, two-layer MLP
    and two norms."""
    hidden, inner = vision.hidden, vision.intermediate
    embedding = hidden * (3 * vision.patch_size**2 + 1) + (vision.patches + 2) * hidden
    block = (
        4 * hidden * hidden + 4 * hidden + 2 * hidden * inner + hidden + inner + (4 + scale_vectors) * hidden
    )
    return (embedding + vision.layers * block) * ELEMENT_BYTES


def _dtype(config: _Part) -> str:
    return str(config.values.get("torch_dtype") or config.values.get("dtype") or "bfloat16")


def _internlm2(config: _Part) -> ModelSizes:
    language = _language(config)
    return ModelSizes("InternLM2ForCausalLM", _dtype(config), language, None, _language_bytes(language))


def _internvl(config: _Part) -> ModelSizes:
    text, tower = config.part("llm_config"), config.part("vision_config")
    language = _language(text, config.values.get("quantization_config"))
    forced = config.values.get("force_image_size") is not None
    image_size = (
        config.whole("force_image_size", _MAX_IMAGE) if forced else tower.whole("image_size", _MAX_IMAGE)
    )
    patch = tower.whole("patch_size", image_size)
    tokens_per_tile = int((image_size // patch) ** 2 * config.share("downsample_ratio") ** 2)
    if tokens_per_tile < 1:
        raise CheckpointError(
            "{file}: {key} is {value}, which leaves a picture no token",
            _WRONG_CONFIG,
            **config.facts("downsample_ratio"),
        )
    vision = VisionSizes(
        layers=tower.whole("num_hidden_layers", _MAX_LAYERS),
        hidden=tower.whole("hidden_size", _MAX_HIDDEN),
        intermediate=tower.whole("intermediate_size", _MAX_HIDDEN),
        image_size=image_size,
        patch_size=patch,
        tokens_per_tile=tokens_per_tile,
        max_tiles=config.whole("max_dynamic_patch", _MAX_TILES)
        if config.values.get("dynamic_image_size")
        else 1,
        thumbnail=bool(config.values.get("use_thumbnail")),
    )
    joined = 4 * vision.hidden
    projector = 2 * joined + (joined + 1) * language.hidden + (language.hidden + 1) * language.hidden
    return ModelSizes(
        architecture="InternVLChatModel",
        dtype=_dtype(text if language.weight_bits == 16 else config),
        language=language,
        vision=vision,
        language_bytes=_language_bytes(language),
        vision_bytes=_tower_bytes(vision, scale_vectors=2),
        projector_bytes=projector * ELEMENT_BYTES,
    )


def _xcomposer2(config: _Part) -> ModelSizes:
    """CLIP ViT-L/14 and rank-256 PLoRA; smaller towers say so under ``vit_config``, as the built-in model
    does."""
    tower = config.part("vit_config", {})
    language = _language(config, plora_rank=config.whole("plora_rank", _MAX_HEADS, 256))
    image_size = config.whole("img_size", _MAX_IMAGE, 490)
    patch = tower.whole("patch_size", image_size, 14)
    vision = VisionSizes(
        layers=tower.whole("num_hidden_layers", _MAX_LAYERS, 24),
        hidden=tower.whole("hidden_size", _MAX_HIDDEN, 1024),
        intermediate=tower.whole("intermediate_size", _MAX_HIDDEN, 4096),
        image_size=image_size,
        patch_size=patch,
        tokens_per_tile=max(1, (image_size // patch) ** 2),
        max_tiles=1,
        thumbnail=False,
    )
    projector = (vision.hidden + 1) * language.hidden + (language.hidden + 1) * language.hidden
    return ModelSizes(
        architecture="InternLMXComposer2ForCausalLM",
        dtype=_dtype(config),
        language=language,
        vision=vision,
        language_bytes=_language_bytes(language),
        vision_bytes=_tower_bytes(vision, scale_vectors=0),
        projector_bytes=projector * ELEMENT_BYTES,
    )


_READERS: dict[str, Callable[[_Part], ModelSizes]] = {
    "InternLM2ForCausalLM": _internlm2,
    "InternVLChatModel": _internvl,
    "InternLMXComposer2ForCausalLM": _xcomposer2,
}

_INTERNLM2_1_8B: dict[str, Any] = {
    "architectures": ["InternLM2ForCausalLM"],
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "vocab_size": 92544,
    "max_position_embeddings": 32768,
    "torch_dtype": "bfloat16",
}
_INTERNVL2_2B: dict[str, Any] = {
    "architectures": ["InternVLChatModel"],
    "llm_config": {**_INTERNLM2_1_8B, "vocab_size": 92553},
    "vision_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "patch_size": 14,
        "image_size": 448,
    },
    "force_image_size": 448,
    "downsample_ratio": 0.5,
    "dynamic_image_size": True,
    "max_dynamic_patch": 12,
    "use_thumbnail": True,
    "torch_dtype": "bfloat16",
}
KNOWN_CONFIGS: dict[str, dict[str, Any]] = {
    "internlm2-chat-1_8b": _INTERNLM2_1_8B,
    "internvl2-2b": _INTERNVL2_2B,
    "internvl2-2b-awq": {
        **_INTERNVL2_2B,
        "quantization_config": {"quant_method": "awq"},
        "torch_dtype": "float16",
    },
    "internlm-xcomposer2-vl-1_8b": {
        **_INTERNLM2_1_8B,
        "architectures": ["InternLMXComposer2ForCausalLM"],
        "img_size": 490,
        "torch_dtype": "float16",
    },
}
"""The published checkpoints' sizes by preset name: what their config.json says, cut down to what memory
depends on."""


def four_bit_twin(sizes: ModelSizes) -> ModelSizes | None:
    """The published checkpoint of the same model whose weights have 4 bits, where there is one."""
    for config in KNOWN_CONFIGS.values():
        known = model_sizes(config)
        if known.language == replace(sizes.language, weight_bits=4) != sizes.language:
            return known if known.vision == sizes.vision else None
    return None
