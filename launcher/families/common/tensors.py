"""A checkpoint's tensors, by name and bytes, against what its config.json says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from launcher.errors import CheckpointError
from launcher.families.common.sizes import ModelSizes, TensorPart

PartNames = Mapping[str, TensorPart]
"""How the names of a part's tensors begin; what none of them begins is the language model's."""

_HEAD = "lm_head.weight"
_LAYER = re.compile(r"\b(?:layers?|blocks)\.(\d{1,6})\.")


def with_tensor_bytes(sizes: ModelSizes, tensor_bytes: Mapping[str, int], names: PartNames) -> ModelSizes:
    """The sizes with the bytes that the tensors have, in place of what the config says of them. A tied head
    that the files hold nevertheless is left out."""
    parts: dict[TensorPart, int] = {"language": 0, "vision": 0, "projector": 0}
    for name, size in tensor_bytes.items():
        if name.endswith(_HEAD) and sizes.language.tied:
            continue
        parts[part_of(name, names)] += size
    return replace(
        sizes,
        language_bytes=parts["language"],
        vision_bytes=parts["vision"],
        projector_bytes=parts["projector"],
    )


def check_layers(sizes: ModelSizes, tensors: Iterable[str], names: PartNames, file: str) -> None:
    """Raises CheckpointError where the config asks for layers that the weights do not have: building a
    thousand of them takes a minute."""
    held: dict[TensorPart, int] = {"language": 0, "vision": 0}
    for name in tensors:
        part, found = part_of(name, names), _LAYER.search(name)
        if found and part in held:
            held[part] = max(held[part], int(found[1]) + 1)
    asked: dict[TensorPart, int] = {
        "language": sizes.language.layers,
        "vision": sizes.tower.layers if sizes.tower else 0,
    }
    for part, layers in asked.items():
        if layers > held[part]:
            raise CheckpointError(
                "{file}: num_hidden_layers of the {part} model is {layers}; the weights hold {held} layers",
                "Weights and config.json are not of the same model; download both again.",
                file=file,
                part=part,
                layers=layers,
                held=held[part],
            )


def part_of(tensor: str, names: PartNames) -> TensorPart:
    """Which part of the model a tensor belongs to."""
    return next((part for beginning, part in names.items() if tensor.startswith(beginning)), "language")
