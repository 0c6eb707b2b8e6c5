"""Of which kind the values of config.json are, by the names that transformers gives them: what is of another
kind is refused by transformers once the model loads, so it is named before."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from launcher.errors import CheckpointError
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart
from launcher.families.common.rotary import check_rotary

_PARTS = ("text_config", "llm_config", "vision_config", "vit_config")

_FLAGS = frozenset(
    {
        "attention_bias",
        "attn_output_gate",
        "bias",
        "dynamic_image_size",
        "mlp_bias",
        "qk_normalization",
        "qkv_bias",
        "tie_word_embeddings",
        "use_absolute_position_embeddings",
        "use_cache",
        "use_mask_token",
        "use_mean_pooling",
        "use_qk_norm",
        "use_sliding_window",
        "use_thumbnail",
    }
)
_FLAGS_OR_NONE = frozenset({"output_attentions", "output_hidden_states", "return_dict"})
_COUNTS = frozenset(
    {
        "image_seq_length",
        "max_position_embeddings",
        "in_channels",
        "in_chans",
        "num_channels",
        "num_heads",
        "out_hidden_size",
        "spatial_merge_size",
        "spatial_patch_size",
        "temporal_patch_size",
        "tokens_per_second",
        "window_size",
    }
)
_COUNTS_OR_0 = frozenset({"max_window_layers"})
_COUNTS_OR_NONE = frozenset({"pretraining_tp", "sliding_window"})
_LAYERS = frozenset({"layer_types"})
_LAYER_KINDS = ("full_attention", "sliding_attention", "linear_attention")
_TOKENS = frozenset(
    {
        "image_token_id",
        "video_token_id",
        "vision_end_token_id",
        "vision_start_token_id",
        "vision_token_id",
    }
)
_TOKENS_OR_NONE = frozenset({"bos_token_id", "eos_token_id", "pad_token_id"})
_INDEXES = frozenset({"deepstack_visual_indexes", "fullatt_block_indexes"})
_NO_TOKEN = -1
"""As old files write it."""
_SIDES = frozenset({"image_size", "patch_size"})
_SHARES = frozenset({"initializer_range", "layer_norm_eps", "rms_norm_eps"})
_DROPOUTS = frozenset({"attention_dropout", "hidden_dropout_prob", "projection_dropout"})
_FACTORS = frozenset({"plora_scale", "rope_theta"})
_WITH_POINT = frozenset({"initializer_factor", "layer_scale_init_value"})
_ACTIVATIONS = ("silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "relu")
_DTYPES = ("bfloat16", "float16", "float32", "float64")
_NAMES: Mapping[str, tuple[str, ...]] = {
    "dtype": _DTYPES,
    "torch_dtype": _DTYPES,
    "hidden_act": _ACTIVATIONS,
    "projector_hidden_act": _ACTIVATIONS,
    "norm_type": ("layer_norm", "rms_norm"),
}
_MAX_COUNT = 2**24
"""Of tokens as well: beyond every published vocabulary."""


def check_values(config: ConfigPart) -> None:
    """Raises CheckpointError where a value is of a kind that no model can have there."""
    _check_code(config)
    inside = [config.part(key) for key in _PARTS if isinstance(config.values.get(key), Mapping)]
    for part in (config, *inside):
        _check_part(part)
        check_rotary(part)


def _check_part(part: ConfigPart) -> None:
    for key in part.values:
        for keys, check in _CHECKS:
            if key in keys:
                check(part, key)


def _check_code(config: ConfigPart) -> None:
    """Which code beside the weights would be run by others: transformers looks at it, though it never runs it
    here."""
    if "auto_map" not in config.values:
        return
    named = config.part("auto_map")
    for key, value in named.values.items():
        if not isinstance(value, str) and not (
            isinstance(value, list) and all(each is None or isinstance(each, str) for each in value)
        ):
            raise CheckpointError("{file}: {key} is {value}, not a text", WRONG_CONFIG, **named.facts(key))


def _flag(part: ConfigPart, key: str) -> None:
    if not isinstance(part.values[key], bool):
        raise CheckpointError("{file}: {key} is {value}, not true or false", WRONG_CONFIG, **part.facts(key))


def _flag_or_none(part: ConfigPart, key: str) -> None:
    if part.values[key] is not None:
        _flag(part, key)


def _count(part: ConfigPart, key: str) -> None:
    part.whole(key, _MAX_COUNT)


def _count_or_0(part: ConfigPart, key: str) -> None:
    if part.values[key] != 0 or isinstance(part.values[key], bool):
        part.whole(key, _MAX_COUNT)


def _count_or_none(part: ConfigPart, key: str) -> None:
    if part.values[key] is not None:
        _count_or_0(part, key)


def _indexes(part: ConfigPart, key: str) -> None:
    value = part.values[key]
    if not isinstance(value, list) or not all(map(_is_index, value)):
        raise CheckpointError(
            "{file}: {key} is {value}, not a list of layers", WRONG_CONFIG, **part.facts(key)
        )


def _side(part: ConfigPart, key: str) -> None:
    """A number, or one for each direction: families know."""
    if part.values[key] is None:
        part.whole(key, _MAX_COUNT)


def _layers(part: ConfigPart, key: str) -> None:
    value = part.values[key]
    if value is None:
        return
    count = part.values.get("num_hidden_layers")
    if not isinstance(value, list) or len(value) != count or not all(one in _LAYER_KINDS for one in value):
        raise CheckpointError(
            "{file}: {key} is {value}, not one of {known} for each of the {layers} layers",
            WRONG_CONFIG,
            **part.facts(key),
            known=", ".join(_LAYER_KINDS),
            layers=count,
        )


def _token(part: ConfigPart, key: str) -> None:
    if not _is_index(part.values[key]):
        raise CheckpointError(
            "{file}: {key} is {value}, not a token's number", WRONG_CONFIG, **part.facts(key)
        )


def _token_or_none(part: ConfigPart, key: str) -> None:
    value = part.values[key]
    several = isinstance(value, list) and key == "eos_token_id"
    if value in (None, _NO_TOKEN) or (several and all(map(_is_index, value))):
        return
    _token(part, key)
    if key == "pad_token_id" and value and "vocab_size" in part.values:
        part.whole(key, part.whole("vocab_size", _MAX_COUNT) - 1)  # transformers looks it up in the table


def _is_index(value: object) -> bool:
    """Whether it can be a token's number, or a layer's."""
    return type(value) is int and 0 <= value < _MAX_COUNT


def _share(part: ConfigPart, key: str) -> None:
    part.share(key)
    if type(part.values[key]) is not float:  # transformers takes no 1 for 1.0
        raise CheckpointError(
            "{file}: {key} is {value}, not a number above 0 and up to 1", WRONG_CONFIG, **part.facts(key)
        )


def _dropout(part: ConfigPart, key: str) -> None:
    if part.values[key] != 0 or isinstance(part.values[key], bool):
        part.share(key)


def _factor(part: ConfigPart, key: str) -> None:
    part.positive(key)


def _with_point(part: ConfigPart, key: str) -> None:
    part.positive(key)
    if type(part.values[key]) is not float:  # transformers takes no 1 for 1.0
        raise CheckpointError("{file}: {key} is {value}, not a fraction", WRONG_CONFIG, **part.facts(key))


def _name(part: ConfigPart, key: str) -> None:
    value = part.values[key]
    if value is None and _NAMES[key] is _DTYPES:
        return
    if value not in _NAMES[key]:
        raise CheckpointError(
            "{file}: {key} is {value}, not one of {known}",
            WRONG_CONFIG,
            **part.facts(key),
            known=", ".join(_NAMES[key]),
        )


_CHECKS: tuple[tuple[frozenset[str], Callable[[ConfigPart, str], None]], ...] = (
    (_FLAGS, _flag),
    (_FLAGS_OR_NONE, _flag_or_none),
    (_COUNTS, _count),
    (_COUNTS_OR_0, _count_or_0),
    (_COUNTS_OR_NONE, _count_or_none),
    (_LAYERS, _layers),
    (_INDEXES, _indexes),
    (_SIDES, _side),
    (_TOKENS, _token),
    (_TOKENS_OR_NONE, _token_or_none),
    (_SHARES, _share),
    (_DROPOUTS, _dropout),
    (_FACTORS, _factor),
    (_WITH_POINT, _with_point),
    (frozenset(_NAMES), _name),
)
