"""What is read alike in the config.json of many families: a language model's shape, a tower's bytes."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.errors import CheckpointError
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.sizes import ELEMENT_BYTES, LanguageSizes, TowerSizes

AWQ_GROUP = 128
"""Weights to one scale: LMDeploy's kernels know no other."""
AWQ_ELEMENT_BYTES = 0.5 + 4 / AWQ_GROUP
"""4 bits a weight, and for each group a 16-bit scale and a 16-bit zero point (TurboMind unpacks the
zero points)."""

MAX_LAYERS = 1000
MAX_HIDDEN = 2**20
MAX_HEADS = 4096
MAX_IMAGE_PX = 2**14
_MAX_VOCAB = 2**24
_MAX_POSITIONS = 2**20
"""Several times what the largest published models have: beyond it a config.json is wrong."""


def language_sizes(config: ConfigPart, quantization: object = None, plora_rank: int = 0) -> LanguageSizes:
    """A language model's shape by the names that Llama's descendants share. Raises CheckpointError."""
    hidden = config.whole("hidden_size", MAX_HIDDEN)
    heads = config.whole("num_attention_heads", min(hidden, MAX_HEADS))
    quantization = config.values.get("quantization_config") or quantization
    if config.values.get("head_dim") is None:
        check_divides(config, "num_attention_heads", hidden)
    kv_heads = config.whole("num_key_value_heads", heads, heads)
    if heads % kv_heads:
        raise not_divided(config, "num_key_value_heads", heads)
    return LanguageSizes(
        layers=config.whole("num_hidden_layers", MAX_LAYERS),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=config.whole("head_dim", MAX_HEADS, hidden // heads),
        intermediate=config.whole("intermediate_size", MAX_HIDDEN),
        vocab=config.whole("vocab_size", _MAX_VOCAB),
        max_positions=_positions(config),
        weight_bits=4 if _method(quantization) == "awq" else 16,
        plora_rank=plora_rank,
        tied=config.values.get("tie_word_embeddings") is True,
    )


def check_divides(config: ConfigPart, key: str, whole: int) -> None:
    """Raises CheckpointError where a number that the config has does not divide another; that of heads in a
    tower, which memory does not depend on, may be missing."""
    if key in config.values and whole % config.whole(key, whole):
        raise not_divided(config, key, whole)


def not_divided(config: ConfigPart, key: str, whole: int) -> CheckpointError:
    """A number of the config does not divide another."""
    return CheckpointError(
        "{file}: {key} is {value}, which does not divide {whole}",
        WRONG_CONFIG,
        **config.facts(key),
        whole=whole,
    )


def _positions(config: ConfigPart) -> int:
    """What the positions reach, or the window where a model looks no further back: to there, looking at the
    last tokens is looking at all, which is the one thing that TurboMind can do."""
    positions = config.whole("max_position_embeddings", _MAX_POSITIONS, 2048)
    if config.values.get("use_sliding_window") is not True:
        return positions
    return min(positions, config.whole("sliding_window", _MAX_POSITIONS, positions))


def language_bytes(sizes: LanguageSizes, block_extra: int = 0) -> int:
    """Embedding, head (where it is not tied) and norms in 16 bits; the five linear layers of each block in 16
    bits or AWQ; PLoRA beside each; ``block_extra`` elements more in each block, such as biases."""
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
    block_bytes = int(linear * per_element) + (plora + block_extra + 2 * sizes.hidden) * ELEMENT_BYTES
    tables = 1 if sizes.tied else 2
    return sizes.layers * block_bytes + tables * sizes.table_bytes + sizes.hidden * ELEMENT_BYTES


def linear_elements(sizes: LanguageSizes) -> int:
    """Numbers in the five linear layers of a block, partial LoRA left out."""
    query, key_value = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    return sizes.hidden * (2 * query + 2 * key_value + 3 * sizes.intermediate)


def tower_bytes(tower: TowerSizes, patch_px: int, patches: int, scale_vectors: int) -> int:
    """A ViT in 16 bits: patch and position embedding, then blocks of fused or separate q, k, v, output,
    two-layer MLP, two norms and ``scale_vectors`` vectors more."""
    hidden, inner = tower.hidden, tower.intermediate
    embedding = hidden * (3 * patch_px**2 + 1) + (patches + 2) * hidden
    block = (
        4 * hidden * hidden + 4 * hidden + 2 * hidden * inner + hidden + inner + (4 + scale_vectors) * hidden
    )
    return (embedding + tower.layers * block) * ELEMENT_BYTES


def dtype(config: ConfigPart) -> str:
    """What the checkpoint's numbers are, by PyTorch's name."""
    return str(config.values.get("torch_dtype") or config.values.get("dtype") or "bfloat16")


def _method(quantization: object) -> str:
    return str(quantization.get("quant_method")).lower() if isinstance(quantization, Mapping) else ""
