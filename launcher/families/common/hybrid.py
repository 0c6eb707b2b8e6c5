"""A language model whose layers are of two kinds (Qwen3.5): full attention, with a gate on what it gives, and
linear layers (gated delta net), which keep a state of fixed size."""

from __future__ import annotations

from dataclasses import dataclass, replace

from launcher.errors import CheckpointError
from launcher.families.common import reading
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.sizes import ELEMENT_BYTES, LanguageSizes

_HEAD_DIM = 256
_INTERVAL = 4
_MAX_KERNEL = 64
"""Several times what published models have: beyond it a config.json is wrong."""
_FULL, _LINEAR = "full_attention", "linear_attention"


@dataclass(frozen=True, slots=True)
class _Linear:
    """The shape of a linear layer: numbers in all heads of its keys and values, heads of values, numbers in
    each, and how many tokens its convolution looks at."""

    keys: int
    values: int
    heads: int
    key_dim: int
    value_dim: int
    kernel: int

    @property
    def mixed(self) -> int:
        """Numbers that go through the convolution: queries, keys and values."""
        return 2 * self.keys + self.values

    @property
    def state(self) -> int:
        """Numbers that it keeps of a conversation: what the convolution looks back at, and a matrix for each
        head."""
        return self.mixed * self.kernel + self.heads * self.key_dim * self.value_dim

    def matrices(self, hidden: int) -> int:
        """Elements of its large matrices: queries, keys and values, gate, and output."""
        return hidden * (self.mixed + 2 * self.values)

    def others(self, hidden: int) -> int:
        """Elements of what is never quantised: two numbers a head from each token, convolution, two more
        numbers a head, norm."""
        return 2 * hidden * self.heads + self.mixed * self.kernel + 2 * self.heads + self.value_dim


def hybrid_language(config: ConfigPart, *, quantization: object = None) -> tuple[LanguageSizes, int]:
    """The language model's shape, and its bytes. Raises CheckpointError."""
    sizes = reading.language_sizes(config, quantization)
    linear, count = _linear(config), _linear_layers(config, sizes.layers)
    sizes = replace(
        sizes,
        head_dim=config.whole("head_dim", reading.MAX_HEADS, _HEAD_DIM),
        linear_layers=count,
        state_elements=count * linear.state,
    )
    return sizes, _bytes(config, sizes, linear)


def linear_shapes(config: ConfigPart) -> dict[str, tuple[int, ...]]:
    """What a config asks of the linear layers' tensors, by the ends of their names. Raises
    CheckpointError."""
    linear, hidden = _linear(config), config.whole("hidden_size", reading.MAX_HIDDEN)
    return {
        "linear_attn.conv1d.weight": (linear.mixed, 1, linear.kernel),
        "linear_attn.in_proj_a.weight": (linear.heads, hidden),
        "linear_attn.in_proj_z.weight": (linear.values, hidden),
        "linear_attn.norm.weight": (linear.value_dim,),
    }


def _linear(config: ConfigPart) -> _Linear:
    key_heads, heads = (
        config.whole(key, reading.MAX_HEADS) for key in ("linear_num_key_heads", "linear_num_value_heads")
    )
    key_dim, value_dim = (
        config.whole(key, reading.MAX_HEADS) for key in ("linear_key_head_dim", "linear_value_head_dim")
    )
    kernel = config.whole("linear_conv_kernel_dim", _MAX_KERNEL)
    return _Linear(key_heads * key_dim, heads * value_dim, heads, key_dim, value_dim, kernel)


def _linear_layers(config: ConfigPart, layers: int) -> int:
    """How many of the layers are linear: as they are listed, or all but each so-manieth."""
    kinds = config.values.get("layer_types")
    if kinds is None:
        return layers - layers // config.whole("full_attention_interval", layers, _INTERVAL)
    if (
        not isinstance(kinds, list)
        or len(kinds) != layers
        or not all(one in (_FULL, _LINEAR) for one in kinds)
    ):
        raise CheckpointError(
            "{file}: {key} is {value}, not one of {full} and {linear} for each of the {layers} layers",
            WRONG_CONFIG,
            **config.facts("layer_types"),
            full=_FULL,
            linear=_LINEAR,
            layers=layers,
        )
    return kinds.count(_LINEAR)


def _bytes(config: ConfigPart, sizes: LanguageSizes, linear: _Linear) -> int:
    query, key_value = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    full_layers = sizes.layers - sizes.linear_layers
    biases = 2 * query + 2 * key_value + sizes.hidden if config.values.get("attention_bias") else 0
    matrices = (
        full_layers * sizes.hidden * (3 * query + 2 * key_value)
        + sizes.linear_layers * linear.matrices(sizes.hidden)
        + sizes.layers * 3 * sizes.hidden * sizes.intermediate
    )
    others = (
        full_layers * (2 * sizes.head_dim + biases)
        + sizes.linear_layers * linear.others(sizes.hidden)
        + (2 * sizes.layers + 1) * sizes.hidden
    )
    tables = (1 if sizes.tied else 2) * sizes.table_bytes
    per_element = reading.AWQ_ELEMENT_BYTES if sizes.weight_bits == 4 else ELEMENT_BYTES
    return int(matrices * per_element) + others * ELEMENT_BYTES + tables
