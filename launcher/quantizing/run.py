"""The whole way from a checkpoint to the same in four bits: read, round layer by layer, compare, put in
place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer

from launcher import families
from launcher.checkpoints import CONFIG, CheckpointFacts
from launcher.errors import CheckpointError, LauncherError
from launcher.images import content_key
from launcher.models import register
from launcher.models.layered import LayeredModel, Read
from launcher.models.loading import LoadRequest
from launcher.presets import Preset
from launcher.quantizing.comparing import Comparison, Figures, measured
from launcher.quantizing.layer import quantize_layer
from launcher.quantizing.material import Material
from launcher.quantizing.prompts import Step, read_all
from launcher.quantizing.work import WorkFolder

METHOD = 2
"""Goes up with every change that makes other bytes of the same material: half of one method and half of
another is nobody's model."""
MOST_TILES = 4
"""Of a picture while the model is quantised; more of them tell no more of the numbers' sizes."""

Report = Callable[[str, int, int], None]
"""Is told what is being done ("layers"), how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to make: the checkpoint of a preset, its facts, the folder for the result, what to read meanwhile,
    and the torch device to compute on."""

    preset: Preset
    facts: CheckpointFacts
    target: Path
    material: Material
    device: str = "cpu"

    @property
    def source(self) -> Path:
        """The checkpoint's folder."""
        assert self.facts.folder is not None
        return self.facts.folder

    def words(self) -> str:
        """All that the result's bytes depend on, as one text."""
        files = {
            file.name: [file.size_bytes, (self.source / file.name).stat().st_mtime_ns]
            for file in self.facts.weight_files
        }
        read = [
            [each.question, each.answer, content_key(each.picture).hex() if each.picture else ""]
            for each in self.material.read
        ]
        asked = [METHOD, self.facts.config, files, read, self.preset.chat.system_prompt, self.device]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def quantize(order: Order, report: Report) -> Comparison:
    """Makes the checkpoint, and says how it compares with the original.

    Raises:
        CheckpointError: the source is broken, or another process makes the same.
        RequestError, PictureError: something of the material cannot be read.
        EngineError: the result is far from the original.
        OSError: the system refuses to read or write; what is finished is kept for another run, and of the
            others nothing is left.
    """
    register()
    work = WorkFolder(order.target)
    with work.claimed(order.words()):
        try:
            _make(order, work, report)
            work.complete(order.source)
            comparison = _compare(order, work, report)
            comparison.check()
        except LauncherError:  # the same again would end the same way
            work.remove()
            raise
        work.become_target()
    return comparison


def _model(order: Order, folder: Path) -> tuple[LayeredModel, LoadRequest]:
    config = order.facts.config
    family = families.of(config, folder / CONFIG)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    pictures = family.sizes(config, file=folder / CONFIG).pictures
    if pictures is not None:
        pictures = pictures.limited(min(MOST_TILES, pictures.limit))
    form = family.prompt_form(config, tokenizer)
    request = LoadRequest(folder, tokenizer, form, torch.float32, order.device, pictures)
    return families.code(family.layered)(request), request


def _make(order: Order, work: WorkFolder, report: Report) -> None:
    """Writes every weight file that is not there yet."""
    model, request = _model(order, order.source)
    rest = _rest(model)
    count = model.layers + len(rest)
    names = [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]
    missing = {number: names[number] for number in range(model.layers) if not work.has(names[number])}
    if missing:
        _check_numbers(model, _counted(report, "checking", len(model.maps)))
        step = _counted(report, "reading", len(order.material.read))
        samples = read_all(model, request, order.preset, order.material.read, step)
        _make_layers(
            model, [each.read for each in samples], missing, work, _counted(report, "layers", model.layers)
        )
    for name, published in zip(names[model.layers :], rest, strict=True):
        if not work.has(name):
            work.save(name, _in_16_bits(model, {each: model.tensors.read(each) for each in published}))


def _check_numbers(model: LayeredModel, step: Step) -> None:
    """Looks at every weight before any is worked on. Raises CheckpointError as ``_in_16_bits``."""
    for entry in model.maps:
        _in_16_bits(model, {entry.published: model.tensors.read(entry.published)})
        step()


def _make_layers(
    model: LayeredModel, reads: list[Read], missing: Mapping[int, str], work: WorkFolder, step: Step
) -> None:
    """Layers that are there already are only run, for what the next one reads."""
    for number in range(max(missing) + 1):
        if number in missing:
            layer = quantize_layer(model, number, reads, families.AWQ_GROUP)
            work.save(missing[number], _in_16_bits(model, layer.tensors))
            reads = layer.outputs
        else:
            reads = _run(model, number, reads)
        step()


def _run(model: LayeredModel, number: int, reads: list[Read]) -> list[Read]:
    with model.held(model.layer_path(number)) as layer:
        return [model.run(layer, read) for read in reads]


def _rest(model: LayeredModel) -> list[list[str]]:
    """The published names of all that is in no decoder layer, a list for each file: the token table, the
    picture's way, the end."""
    layers = f"{model.parts.language}.layers."
    ends = tuple(f"{path}." for path in model.end_paths)
    found: tuple[list[str], list[str], list[str]] = ([], [], [])
    for entry in model.maps:
        if not entry.parameters or entry.parameters[0].startswith(layers):
            continue
        first = entry.parameters[0]
        place = 0 if first.startswith(f"{model.table_path}.") else 2 if first.startswith(ends) else 1
        found[place].append(entry.published)
    return [names for names in found if names]


def _in_16_bits(model: LayeredModel, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What has no four bits is float16.

    Raises:
        CheckpointError: a number is too large for that.
    """
    found = {}
    for name, tensor in tensors.items():
        found[name] = tensor.half().contiguous() if tensor.is_floating_point() else tensor
        if not torch.isfinite(found[name]).all():
            raise CheckpointError(
                "{folder}: tensor {name} holds numbers that float16 cannot hold, or none at all",
                hint="This model cannot be quantised; download it again if it does not run as it is either.",
                folder=model.tensors.folder,
                name=name,
            )
    return found


def _compare(order: Order, work: WorkFolder, report: Report) -> Comparison:
    figures: list[Figures] = []
    for folder in (order.source, work.path):
        model, request = _model(order, folder)
        held_out = order.material.held_out
        step = _counted(report, "comparing", len(held_out) + model.layers)
        samples = read_all(model, request, order.preset, held_out, step)
        figures.append(measured(model, samples, step))
    return Comparison(*figures)


def _counted(report: Report, what: str, of: int) -> Step:
    """A step that tells how many there were."""
    numbers: Iterator[int] = iter(range(1, of + 1))
    report(what, 0, of)
    return partial(_tell, report, what, of, numbers)


def _tell(report: Report, what: str, of: int, numbers: Iterator[int]) -> None:
    report(what, next(numbers), of)
