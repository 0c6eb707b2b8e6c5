"""Whether a preset's words about its model can be the checkpoint's. Pure.

A model that is written to in another's form answers, and answers worse: nothing fails, so it has to be
refused before.
"""

from __future__ import annotations

from launcher.checkpoints import CheckpointFacts
from launcher.errors import PresetError, UnsupportedModel
from launcher.families import TOKENIZER_S_OWN, Family
from launcher.presets import Preset


def check_chat(preset: Preset, facts: CheckpointFacts, family: Family) -> None:
    """Makes sure that the preset's ``kind`` and ``chat.template`` can be the checkpoint's.

    Raises:
        PresetError: they cannot.
        UnsupportedModel: the checkpoint has no prompt form of its own, so none can be right.
    """
    own = family.template_name(facts.config)
    if preset.kind == "vision" and not family.reads_pictures:
        raise PresetError(
            "{name}: kind is vision, but {architecture} in {folder} reads text alone",
            "Write `kind: text` in the preset, or name a model for pictures in its sources.",
            name=preset.name,
            architecture=facts.architecture,
            folder=facts.folder,
        )
    if own == TOKENIZER_S_OWN and facts.chat_template == "":
        raise UnsupportedModel(
            "{architecture} in {folder} has no chat template: it is a base model, which goes on with a text"
            " and does not talk",
            "Take the model's chat or instruct version.",
            architecture=facts.architecture,
            folder=facts.folder,
        )
    if preset.chat.template not in ("auto", own):
        raise PresetError(
            "{name}: chat.template is {wanted}, but {architecture} in {folder} was trained on {own}",
            "Write `template: {own}` below `chat:` in the preset, or take the line out.",
            name=preset.name,
            wanted=preset.chat.template,
            architecture=facts.architecture,
            folder=facts.folder,
            own=own,
        )
