"""Which form of prompt a checkpoint was trained on, and whether a preset agrees with it. Pure; the forms
themselves are in ``launcher.models.prompts``.

A model that is written to in another's form answers, and answers worse: nothing fails, so it has to be
refused before.
"""

from __future__ import annotations

from launcher.checkpoints import CheckpointFacts
from launcher.errors import DeviceError, PresetError
from launcher.presets import Preset, TemplateName

_OWN: dict[str, TemplateName] = {
    "InternLM2ForCausalLM": "internlm2",
    "InternVLChatModel": "internvl2",
    "InternLMXComposer2ForCausalLM": "xcomposer2",
}
"""The form by the architecture."""

_INTERNVL: dict[str, TemplateName] = {"internlm2-chat": "internvl2", "internvl2_5": "internvl2_5"}
"""InternVL's models share an architecture and differ in the form; config.json's "template" names it."""

READS_PICTURES = frozenset({"InternVLChatModel", "InternLMXComposer2ForCausalLM"})
"""Architectures that do. They answer without a picture too, so a preset may offer them for text alone."""


def template_of(facts: CheckpointFacts) -> TemplateName:
    """The form that the checkpoint was trained on.

    Raises:
        DeviceError: it is none that the launcher can write.
    """
    named = facts.config.get("template")
    if facts.architecture == "InternVLChatModel" and named is not None:
        own = _INTERNVL.get(str(named))
    else:
        own = _OWN.get(facts.architecture)
    if own is None:
        raise DeviceError(
            "{architecture} in {folder} was trained on the prompt form {form}, which the launcher cannot"
            " write",
            "It can write {known}.",
            architecture=facts.architecture,
            folder=facts.folder,
            form=named or "-",
            known=", ".join(_INTERNVL),
        )
    return own


def check_chat(preset: Preset, facts: CheckpointFacts) -> None:
    """Makes sure that the preset's ``kind`` and ``chat.template`` can be the checkpoint's.

    Raises:
        PresetError: they cannot.
        DeviceError: see ``template_of``.
    """
    own = template_of(facts)
    if preset.kind == "vision" and facts.architecture not in READS_PICTURES:
        raise PresetError(
            "{name}: kind is vision, but {architecture} in {folder} reads text alone",
            "Write `kind: text` in the preset, or name a model for pictures in its sources.",
            name=preset.name,
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
