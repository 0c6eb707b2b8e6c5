"""Reads a checkpoint folder's tensors and moves them between their published names and a transformers model's
parameters.

Owns the files (safetensors, single or sharded, and ``pytorch_model*.bin``) and the account that no tensor is
missing, left over or of another shape. It does not know any architecture: that is the list of ``TensorMap`` a
model file gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from launcher.errors import CheckpointError

# In the order in which they are looked for: (index of a sharded checkpoint, the one file of an unsharded
# one).
_LAYOUTS = (
    ("model.safetensors.index.json", "model.safetensors"),
    ("pytorch_model.bin.index.json", "pytorch_model.bin"),
)
# Names shown in a message; a wrong config can make hundreds of them.
_NAMES_SHOWN = 4


def _only(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0]


def _alone(tensor: Tensor) -> tuple[Tensor, ...]:
    return (tensor,)


@dataclass(frozen=True, slots=True)
class TensorMap:
    """One published tensor and the model parameters that hold it; ``split`` and ``join`` are each other's
    inverse."""

    published: str
    parameters: tuple[str, ...]
    split: Callable[[Tensor], Sequence[Tensor]] = _alone
    join: Callable[[Sequence[Tensor]], Tensor] = _only


class CheckpointTensors:
    """The tensors of one checkpoint folder, read one at a time so that the whole is never held twice.

    Raises:
        CheckpointError: there are no weights, a shard is missing, or a file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: dict[str, Any] = {}
        self._file_of = self._find()

    def names(self) -> set[str]:
        """The names of all tensors."""
        return set(self._file_of)

    def read(self, name: str) -> Tensor:
        """One tensor, on the CPU, as stored."""
        source = self._open(self._file_of[name])
        try:
            tensor: Tensor = source[name] if isinstance(source, dict) else source.get_tensor(name)
        except (KeyError, SafetensorError) as error:
            raise self._unreadable(self._file_of[name], error) from error
        return tensor

    def _find(self) -> dict[str, str]:
        for index_name, single_name in _LAYOUTS:
            index = self.folder / index_name
            if index.is_file():
                return self._weight_map(index)
            if (self.folder / single_name).is_file():
                source = self._open(single_name)
                return dict.fromkeys(source.keys(), single_name)
        raise CheckpointError(
            "{folder} holds no weights: neither {expected}",
            hint="Download the model's weight files into this folder.",
            folder=self.folder,
            expected=", ".join(name for layout in _LAYOUTS for name in layout),
        )

    def _weight_map(self, index: Path) -> dict[str, str]:
        try:
            weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            shards = {str(name): str(file) for name, file in weight_map.items()}
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise self._unreadable(index.name, error) from error
        for file in sorted(set(shards.values())):
            if Path(file).name != file or not (self.folder / file).is_file():
                raise CheckpointError(
                    "{folder} is incomplete: {file}, which {index} names, is missing",
                    hint="Download the missing file, or the whole model again.",
                    folder=self.folder,
                    file=file,
                    index=index.name,
                )
        return shards

    def _open(self, file: str) -> Any:
        if file not in self._opened:
            path = self.folder / file
            try:
                if path.suffix == ".safetensors":
                    self._opened[file] = safe_open(path, framework="pt", device="cpu")
                else:
                    self._opened[file] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            except (SafetensorError, RuntimeError, OSError, ValueError, EOFError, UnpicklingError) as error:
                raise self._unreadable(file, error) from error
        return self._opened[file]

    def _unreadable(self, file: str, error: Exception) -> CheckpointError:
        return CheckpointError(
            "{path} cannot be read: {reason}",
            hint="The file is damaged or not fully downloaded; download it again.",
            path=self.folder / file,
            reason=str(error) or type(error).__name__,
        )


@dataclass(frozen=True, slots=True)
class Unfilled:
    """A model on the meta device, and where its weights are; ``spare`` are tensors that the checkpoint may
    hold and nobody needs.

    Raises:
        CheckpointError: a tensor is missing or left over.
    """

    model: Any
    maps: Sequence[TensorMap]
    tensors: CheckpointTensors
    spare: Set[str] = frozenset()

    def __post_init__(self) -> None:
        folder, held = self.tensors.folder, self.tensors.names()
        wanted = {entry.published for entry in self.maps}
        _refuse(folder, "lacks {count} tensors that its config.json asks for: {names}", wanted - held)
        _refuse(
            folder,
            "holds {count} tensors that its config.json has no place for: {names}",
            held - wanted - self.spare,
        )


def fill(unfilled: Unfilled, dtype: torch.dtype, device: str, *, below: str = "") -> None:
    """Puts a checkpoint's tensors into the model, as ``dtype`` on ``device``.

    Args:
        unfilled: the model and its tensors.
        dtype: of the weights in memory.
        device: torch device name.
        below: fills only the parameters whose names begin so.

    Raises:
        CheckpointError: a tensor is of the wrong shape, or a parameter would be left unfilled.
    """
    model, tensors = unfilled.model, unfilled.tensors
    parameters = {name: each for name, each in model.named_parameters() if name.startswith(below)}
    filled: dict[str, Tensor] = {}
    for entry in unfilled.maps:
        if not parameters.keys() >= set(entry.parameters):
            continue
        tensor = tensors.read(entry.published)
        _check_shape(
            tensors.folder, entry, tensor, entry.join([parameters[name] for name in entry.parameters]).shape
        )
        for name, part in zip(entry.parameters, entry.split(tensor), strict=True):
            filled[name] = part.to(device=device, dtype=dtype).contiguous()
    _refuse(
        tensors.folder,
        "leaves {count} parameters of the model unfilled: {names}",
        set(parameters) - set(filled),
    )
    model.load_state_dict(filled, strict=False, assign=True)


def published(model: nn.Module, maps: Iterable[TensorMap]) -> dict[str, Tensor]:
    """A model's parameters under their published names: the inverse of ``fill``; nothing shares memory with
    the model."""
    parameters = dict(model.named_parameters())
    return {
        entry.published: entry.join([parameters[name].detach() for name in entry.parameters])
        .clone()
        .contiguous()
        for entry in maps
    }


def _check_shape(folder: Path, entry: TensorMap, tensor: Tensor, shape: torch.Size) -> None:
    if tensor.shape != shape:
        raise CheckpointError(
            "{folder}: tensor {name} is {found}, its config.json asks for {expected}",
            hint="Weights and config.json are not of the same model; download both again.",
            folder=folder,
            name=entry.published,
            found=tuple(tensor.shape),
            expected=tuple(shape),
        )


def _refuse(folder: Path, complaint: str, names: set[str]) -> None:
    if names:
        shown = sorted(names)[:_NAMES_SHOWN]
        raise CheckpointError(
            "{folder} " + complaint,
            hint="Weights and config.json are not of the same model, or a file is missing; download both"
            " again.",
            folder=folder,
            count=len(names),
            names=", ".join(shown) + (", …" if len(names) > _NAMES_SHOWN else ""),
        )
