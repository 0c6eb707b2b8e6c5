"""What a checkpoint's folder says of how its pictures are prepared, against what the launcher does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launcher.errors import CheckpointError

_ALONE = "preprocessor_config.json"
_TOGETHER, _PART = "processor_config.json", "image_processor"
"""transformers 5 writes it there, and looks there first."""


def check_preprocessing(folder: Path, ours: Mapping[str, Any]) -> None:
    """A checkpoint may come without such a file; one that normalises otherwise would be shown other colours.

    Args:
        folder: the checkpoint's.
        ours: what the launcher does, by transformers' names.

    Raises:
        CheckpointError: the checkpoint's own preprocessing is another, or cannot be read.
    """
    file, own = own_preprocessing(folder)
    for key, value in ours.items():
        if own.get(key, value) != value:
            raise CheckpointError(
                "{file}: {key} is {found}; the launcher prepares this model's pictures with {value} alone",
                hint="Take the model as its makers published it.",
                file=file,
                key=key,
                found=own[key],
                value=value,
            )


def own_preprocessing(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The file that says how the checkpoint's pictures are prepared, and what it says; nothing, where there
    is none. Raises CheckpointError: it cannot be read."""
    together = _read(folder / _TOGETHER).get(_PART)
    if isinstance(together, dict):
        return folder / _TOGETHER, together
    return folder / _ALONE, _read(folder / _ALONE)


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            "{path} cannot be read: {reason}",
            hint="The file is damaged or not fully downloaded; download it again.",
            path=file,
            reason=str(error),
        ) from error
