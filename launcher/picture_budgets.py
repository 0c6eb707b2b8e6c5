"""What a picture takes of a model that can run here: its budget, before the model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launcher import families
from launcher.checkpoints import facts_from_config
from launcher.errors import LauncherError
from launcher.families import PictureBudget
from launcher.families.common.picture_views import PictureView
from launcher.memory import wished_pictures
from launcher.readiness import Readiness

__all__ = ["PictureBudget", "PictureView", "budget_of", "tokens_of_one_tile"]


def budget_of(model: Readiness) -> PictureBudget | None:
    """The budget of one picture where the model has most room; None for a text model, for one on a server,
    which does not say how it cuts pictures, and for one without a checkpoint."""
    if model.preset.kind == "text":
        return None
    try:
        config = _config(model)
        pictures = families.of(config).sizes(config).pictures if config else None
    except LauncherError:  # whoever loads it says why
        return None
    if pictures is None:
        return None
    if model.plan is not None and model.plan.picture is not None:
        return pictures.limited(model.plan.picture.limit)
    try:
        return wished_pictures(pictures, model.preset.memory)
    except LauncherError:
        return None


def _config(model: Readiness) -> Mapping[str, Any] | None:
    """The checkpoint's own, or the published model's, where that is still to be fetched."""
    if model.folder is None:
        return families.known_config(model.preset.sources)
    return facts_from_config(model.folder).config


def tokens_of_one_tile(budget: PictureBudget | None) -> int | None:
    """Of a picture that is shown as one tile, where the budget is known."""
    return None if budget is None else budget.coarse().most_tokens
