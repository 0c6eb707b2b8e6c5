"""How a checkpoint's own files say that its pictures are prepared, against what the launcher does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launcher.errors import CheckpointError
from launcher.families.common.config_part import ConfigPart

_MOST_TILES = "max_patches"


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the launcher does with a picture, by transformers' names; ``most_tiles`` is None where none are
    cut."""

    values: Mapping[str, Any]
    most_tiles: int | None = None


def check_preparation(own: ConfigPart, ours: Preparation) -> None:
    """A checkpoint may come without such a file; one that normalises otherwise would be shown other colours.

    Args:
        own: what the checkpoint's file says.
        ours: what is done here.

    Raises:
        CheckpointError: the checkpoint's own preprocessing is another, or cuts fewer tiles.
    """
    for key, value in ours.values.items():
        if own.values.get(key, value) != value:
            raise CheckpointError(
                "{file}: {key} is {found}; the launcher prepares this model's pictures with {value} alone",
                hint="Take the model as its makers published it.",
                file=own.file,
                key=key,
                found=own.facts(key)["value"],
                value=value,
            )
    if ours.most_tiles is not None:
        _check_tiles(own, ours.most_tiles)


def _check_tiles(own: ConfigPart, most: int) -> None:
    """A model that was trained on fewer tiles reads more of them worse, and nothing fails. The preset bounds
    them."""
    found = own.values.get(_MOST_TILES)
    if type(found) is int and 0 < found < most:
        raise CheckpointError(
            "{file}: max_patches is {found}, but pictures may have {most} tiles here",
            hint="Write `max_tiles: {found}` below `memory:` in the preset.",
            file=own.file,
            found=found,
            most=most,
        )
