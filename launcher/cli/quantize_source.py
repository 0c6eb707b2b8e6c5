"""What ``launcher quantize`` is given: a preset's checkpoint in 16 bits, or why it cannot be taken."""

from __future__ import annotations

from dataclasses import dataclass

from launcher import families
from launcher.checkpoints import CONFIG, CheckpointFacts, Located, locate, read_facts
from launcher.cli.local_weights import check_runs_here
from launcher.errors import UnsupportedModel
from launcher.families import AWQ_GROUP, Family, ModelSizes
from launcher.presets import Preset
from launcher.readiness import not_here


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint that can be quantised, and the preset that names it."""

    preset: Preset
    located: Located
    facts: CheckpointFacts
    sizes: ModelSizes

    @property
    def built_in(self) -> bool:
        """Whether it comes with the launcher."""
        return self.located.source.startswith("builtin:")


def source_of(preset: Preset) -> Source:
    """What the preset names.

    Raises:
        CheckpointError: it is not here, broken, or of a kind that cannot be quantised.
    """
    check_runs_here(preset)
    found = locate(preset)
    if not isinstance(found, Located):
        raise not_here(preset, found)
    facts, file = read_facts(found.folder), found.folder / CONFIG
    family = families.of(facts.config, file)
    _check_kind(preset, facts, family)
    sizes = family.sizes(facts.config, facts.loaded_tensor_bytes, file, facts.number_bytes)
    _check_widths(preset, sizes)
    return Source(preset, found, facts, sizes)


def _check_kind(preset: Preset, facts: CheckpointFacts, family: Family) -> None:
    if facts.quantization is not None:
        raise UnsupportedModel(
            "{name} is quantised already ({method}, {bits} bits)",
            "Take the preset of the model in 16 bits.",
            name=preset.name,
            method=facts.quantization.method,
            bits=facts.quantization.bits,
        )
    if not family.layered:
        known = (each.title for each in families.FAMILIES if each.layered)
        raise UnsupportedModel(
            "{name} is a model of {family}, which `launcher quantize` cannot take",
            "It takes {known}. Many others are published in four bits: look for AWQ on the hub.",
            name=preset.name,
            family=family.title,
            known="; ".join(known),
        )


def _check_widths(preset: Preset, sizes: ModelSizes) -> None:
    for width in sizes.language.input_widths:
        if width % AWQ_GROUP:
            raise UnsupportedModel(
                "{name} has linear layers of {width} numbers, which groups of {group} do not divide",
                "LMDeploy's kernels know no other groups: take another model.",
                name=preset.name,
                width=width,
                group=AWQ_GROUP,
            )
