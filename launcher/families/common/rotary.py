"""How rotary positions are stretched, as config.json says it under ``rope_scaling`` or ``rope_parameters``:
what transformers asks of each way, checked before it does."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.errors import CheckpointError
from launcher.families.common.config_part import WRONG_CONFIG, ConfigPart

_PLACES = ("rope_scaling", "rope_parameters")
_SHARE = "partial_rotary_factor"
_STRETCHED: Mapping[str, tuple[str, ...]] = {
    "default": (),
    "mrope": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor",),
    "longrope": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}
"""The ways, and which numbers each needs. mrope is what Qwen2-VL's first files call rows and columns."""
_MOST = 2**24


def check_rotary(part: ConfigPart) -> None:
    """Raises CheckpointError where a language model's positions are stretched in no way that there is."""
    for place in _PLACES:
        if part.values.get(place) is not None:
            _check(part.part(place))


def _check(rope: ConfigPart) -> None:
    for key in ("type", "rope_type"):
        if key in rope.values and rope.values[key] not in list(_STRETCHED):
            raise CheckpointError(
                "{file}: {key} is {value}, not one of {known}",
                WRONG_CONFIG,
                **rope.facts(key),
                known=", ".join(_STRETCHED),
            )
    way = str(rope.values.get("rope_type") or rope.values.get("type") or "default")
    for key in _STRETCHED[way]:
        rope.positive(key)
    for key in ("rope_theta", "factor"):
        if key in rope.values:
            rope.positive(key)
    if _SHARE in rope.values:
        rope.share(_SHARE)
    if "mrope_section" in rope.values:
        _sections(rope)


def check_sections(text: ConfigPart, head_dim: int) -> None:
    """Makes sure that time, rows and columns have all pairs of a head's numbers that tell of places.

    Args:
        text: the language model's part.
        head_dim: numbers of a head.

    Raises:
        CheckpointError: they have not.
    """
    for rope in (text.part(place) for place in _PLACES if text.values.get(place)):
        says = next((part for part in (rope, text) if _SHARE in part.values), None)
        pairs = int(head_dim * (says.share(_SHARE) if says else 1)) // 2
        if "mrope_section" in rope.values and sum(_sections(rope)) != pairs:
            raise CheckpointError(
                "{file}: {key} is {value}; together they have to be {whole}",
                WRONG_CONFIG,
                **rope.facts("mrope_section"),
                whole=pairs,
            )


def _sections(rope: ConfigPart) -> list[int]:
    value = rope.values["mrope_section"]
    if not (
        isinstance(value, list)
        and len(value) == 3
        and all(type(each) is int and 0 < each < _MOST for each in value)
    ):
        raise CheckpointError(
            "{file}: {key} is {value}, not three whole numbers", WRONG_CONFIG, **rope.facts("mrope_section")
        )
    return value
