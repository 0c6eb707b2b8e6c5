"""How a person comes to a preset's model in four bits: by a preset that has it, or by ``launcher
quantize``."""

from __future__ import annotations

from launcher import families
from launcher.commands_here import command
from launcher.errors import LauncherError
from launcher.families import AWQ_GROUP, Family, ModelSizes
from launcher.memory import FourBits
from launcher.presets import Preset, read_presets


def can_be_made(family: Family, sizes: ModelSizes) -> bool:
    """Whether `launcher quantize` takes such a model."""
    language = sizes.language
    divided = all(width % AWQ_GROUP == 0 for width in language.input_widths)
    return bool(family.layered) and language.weight_bits == 16 and divided


def in_four_bits(preset: Preset, family: Family, sizes: ModelSizes) -> FourBits | None:
    """The same model in four bits: as one of the usual presets has it, else as the command would make it;
    None where there is neither."""
    for other in read_presets().presets:
        config = families.known_config(other.sources)
        if config is not None and families.is_four_bit_form(small := families.model_sizes(config), sizes):
            return _found(other, families.of(config), small, preset_name=other.name)
    if not can_be_made(family, sizes):
        return None
    made = command("quantize", preset.name, presets=preset.given)
    return _found(preset, family, families.in_four_bits(sizes), made_by=made)


def _found(
    preset: Preset, family: Family, sizes: ModelSizes, *, preset_name: str = "", made_by: str = ""
) -> FourBits | None:
    try:
        engine = family.engine(preset.engine_name, sizes)
    except LauncherError:  # what the preset asks for cannot run it
        return None
    return FourBits(sizes, engine, preset.memory, preset_name, made_by)
