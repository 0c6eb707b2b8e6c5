"""Families of models, one file each: everything that the launcher knows of an architecture.

Pure: importing this imports neither torch nor transformers nor LMDeploy, and no file is read. Each module of
this folder holds one ``FAMILY`` and is found by being here; what they are made of is in ``common``. No other
part of the launcher names an architecture, ``launcher.models`` aside, which holds code of the models
themselves.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from launcher.errors import CheckpointError, UnsupportedModel
from launcher.families.common import sentence_pieces
from launcher.families.common.config_part import LANGUAGE_PARTS, ConfigPart
from launcher.families.common.family import TOKENIZER_S_OWN, Architecture, Decoder, Family, code
from launcher.families.common.pictures import PictureBudget, PictureUnit
from launcher.families.common.prompts import ChatTemplate, PromptForm, build_prompt, split_at_pictures
from launcher.families.common.reading import AWQ_ELEMENT_BYTES, AWQ_GROUP, linear_elements
from launcher.families.common.refused import refusal
from launcher.families.common.sizes import ELEMENT_BYTES, LanguageSizes, ModelSizes, TowerSizes
from launcher.families.common.value_kinds import check_values

__all__ = [
    "AWQ_GROUP",
    "ELEMENT_BYTES",
    "FAMILIES",
    "KNOWN_CONFIGS",
    "TEMPLATES",
    "TOKENIZER_S_OWN",
    "Architecture",
    "ChatTemplate",
    "ConfigPart",
    "Decoder",
    "Family",
    "LanguageSizes",
    "ModelSizes",
    "PictureBudget",
    "PictureUnit",
    "PromptForm",
    "TowerSizes",
    "build_prompt",
    "code",
    "in_four_bits",
    "is_four_bit_form",
    "known_config",
    "model_sizes",
    "of",
    "sentence_pieces",
    "split_at_pictures",
]

_INSTEAD = "internvl2-2b, internlm-xcomposer2-vl-1_8b (pictures) or internlm2-chat-1_8b (text)"


def _families() -> Iterator[Family]:
    for module in pkgutil.iter_modules(__path__):
        if not module.ispkg:
            yield import_module(f"{__name__}.{module.name}").FAMILY


FAMILIES: tuple[Family, ...] = tuple(_families())
TEMPLATES: dict[str, ChatTemplate] = {
    name: template for family in FAMILIES for name, template in family.templates.items()
}
"""Every prompt form that is written here, by the name that presets use."""
KNOWN_CONFIGS: dict[str, Mapping[str, Any]] = {
    name: config for family in FAMILIES for name, config in family.published.items()
}
"""Configs of published models by their hubs' ids, so that a plan needs no download."""
_MADE_CONFIGS = {name: config for family in FAMILIES for name, config in family.made.items()}


def of(config: Mapping[str, Any], file: object = "config.json") -> Family:
    """The family that answers for a checkpoint.

    Args:
        config: the checkpoint's config.json, whatever it holds.
        file: what errors call it.

    Raises:
        UnsupportedModel: none does; the reason, and what to take instead.
        CheckpointError: it is no model's config, or has a value of a kind that no model's has.
    """
    name, language = _name(config, file), _language(config)
    family = next((each for each in FAMILIES if _answers(each, name, language)), None)
    if family is None:
        raise refusal(
            name,
            language.get("name", ""),
            brings_code=bool(config.get("auto_map")),
            file=file,
            known=[str(each) for family in FAMILIES for each in family.architectures],
            instead=_INSTEAD,
        )
    check_values(ConfigPart(config, str(file)))
    family.check(ConfigPart(config, str(file)))
    if family.template_name(config) is None:
        raise UnsupportedModel(
            "{architecture} in {file} was trained on the prompt form {form}, which the launcher cannot write",
            "It can write {known}.",
            architecture=name,
            file=file,
            form=config.get("template") or "-",
            known=", ".join(family.templates),
        )
    return family


def model_sizes(
    config: Mapping[str, Any],
    tensor_bytes: Mapping[str, int] | None = None,
    file: object = "config.json",
) -> ModelSizes:
    """The sizes of a checkpoint of whatever family; see ``Family.sizes`` and ``of``."""
    return of(config, file).sizes(config, tensor_bytes, file)


def known_config(sources: Iterable[str]) -> Mapping[str, Any] | None:
    """The config of the published model that a preset's sources name, or of what `launcher quantize` makes of
    a preset that comes with the launcher, as far as memory depends on it."""
    for source in sources:
        hub, _, name = source.partition(":")
        if hub in ("hf", "modelscope") and name in KNOWN_CONFIGS:
            return KNOWN_CONFIGS[name]
        if hub == "awq" and name in _MADE_CONFIGS:
            return _MADE_CONFIGS[name]
    return None


def in_four_bits(sizes: ModelSizes) -> ModelSizes:
    """A model of 16 bits as `launcher quantize` makes it: the linear layers of its language model in AWQ, all
    else as it was, in float16."""
    saved = linear_elements(sizes.language) * (ELEMENT_BYTES - AWQ_ELEMENT_BYTES)
    return replace(
        sizes,
        dtype="float16",
        language=replace(sizes.language, weight_bits=4),
        language_bytes=sizes.language_bytes - int(sizes.language.layers * saved),
    )


def is_four_bit_form(small: ModelSizes, sizes: ModelSizes) -> bool:
    """Whether the one is the other, whose weights have 16 bits, with four."""
    alike = small.architecture == sizes.architecture and small.tower == sizes.tower
    return alike and small.language == replace(sizes.language, weight_bits=4) != sizes.language


def _name(config: Mapping[str, Any], file: object) -> str:
    names = config.get("architectures")
    if not (isinstance(names, list) and names and isinstance(names[0], str)):
        raise CheckpointError('{file} is no model\'s config: "architectures" is missing', file=file)
    return names[0]


def _language(config: Mapping[str, Any]) -> dict[str, str]:
    """Name and model_type of the language model inside, as far as they are there."""
    part: Mapping[str, Any] = next(
        (config[key] for key in LANGUAGE_PARTS if isinstance(config.get(key), Mapping)), {}
    )
    names, model_type = part.get("architectures"), part.get("model_type")
    found = {}
    if isinstance(names, list) and names and isinstance(names[0], str):
        found["name"] = names[0]
    if isinstance(model_type, str):
        found["type"] = model_type
    return found


def _answers(family: Family, name: str, language: Mapping[str, str]) -> bool:
    """A file that says nothing of its language model's kind is its first family's: what it lacks is told when
    the sizes are read."""
    for each in family.architectures:
        if each.name != name:
            continue
        if not each.language or not language:
            return True
        if language.get("name", each.language) == each.language and (
            "name" in language or language["type"] in each.language_types
        ):
            return True
    return False
