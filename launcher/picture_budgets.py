"""What a picture takes of a model that can run here: its budget, before the model is loaded."""

from __future__ import annotations

from launcher import families
from launcher.checkpoints import CONFIG, facts_from_config
from launcher.errors import LauncherError
from launcher.families import PictureBudget
from launcher.readiness import Readiness

__all__ = ["PictureBudget", "budget_of", "tokens_of_one_tile"]


def budget_of(model: Readiness) -> PictureBudget | None:
    """The budget of one picture where the model has most room; None for a text model, for one on a server,
    which does not say how it cuts pictures, and for one without a checkpoint."""
    if model.folder is None or model.preset.kind == "text":
        return None
    try:
        config = facts_from_config(model.folder).config
        pictures = families.of(config).sizes(config, file=model.folder / CONFIG).pictures
    except LauncherError:  # whoever loads it says why
        return None
    if pictures is None:
        return None
    if model.plan is not None and model.plan.picture is not None:
        return pictures.limited(model.plan.picture.limit)
    most = model.preset.memory.max_tiles
    return pictures if most == "auto" else pictures.limited(most)


def tokens_of_one_tile(budget: PictureBudget | None) -> int | None:
    """Of a picture that is shown as one tile, where the budget is known."""
    return None if budget is None else budget.limited(1).most_tokens
