"""A checkpoint's weight files: which there are, and their tensors by the safetensors headers. No weight is
read, and every header is bounded before it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from safetensors import SafetensorError, safe_open

from launcher.checkpoints.small_files import ACCESS, AGAIN, content, json_object
from launcher.errors import CheckpointError
from launcher.user_folders import is_file

MAX_INDEX_BYTES = 64 * 2**20
"""A published index of the largest models has a few MiB."""
MAX_HEADER_BYTES = 16 * 2**20
"""A safetensors file of a thousand tensors has a header of 100 kB."""

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WEIGHTS = ("model*.safetensors", "*.safetensors", "pytorch_model*.bin")
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.\w+)")
_LFS = b"version https://git-lfs.github.com/spec/"

LOADED_BITS = 16
"""What GPU engines make of wider floating-point weights."""
_WIDE_FLOATS = frozenset({"F32", "F64"})
_FLOATS = _WIDE_FLOATS | {"F16", "BF16"}

_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""Bits of one element by the safetensors format's names of types."""


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One tensor as its file's header describes it. ``dtype`` is safetensors' name: BF16, F16, I32, …"""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    file: str

    @property
    def loaded_bytes(self) -> int:
        """Once a GPU engine has loaded it: wider floating-point numbers have 16 bits there."""
        wide = self.dtype in _WIDE_FLOATS
        return self.size_bytes * LOADED_BITS // _BITS[self.dtype] if wide else self.size_bytes

    @property
    def is_float(self) -> bool:
        """Whether its numbers are floating-point ones of 16 bits or more."""
        return self.dtype in _FLOATS

    @property
    def number_bytes(self) -> int:
        """Of one of its numbers, in the file."""
        return _BITS[self.dtype] // 8


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of weights and its size on disk."""

    name: str
    size_bytes: int


def weight_bytes(folder: Path) -> int:
    """What a checkpoint's weights take of the disk. Raises CheckpointError where they are not whole."""
    try:
        return sum(file.stat().st_size for file in weight_paths(folder))
    except OSError as error:
        raise no_access(folder, error) from error


def no_access(folder: Path, error: OSError) -> CheckpointError:
    """A folder that the system lets nobody read."""
    return CheckpointError("{folder} cannot be read: {reason}", ACCESS, folder=folder, reason=error)


def weight_paths(folder: Path) -> Iterator[Path]:
    """The files that hold the weights, in order: those the index names, else those whose names say so.

    Raises:
        CheckpointError: there are none, or one is missing, empty or cut off.
        OSError: the folder cannot be read.
    """
    for name in INDEXES:
        if is_file(folder / name):
            yield from (_present(folder, shard) for shard in sorted(set(_weight_map(folder / name).values())))
            return
    for pattern in WEIGHTS:
        if found := sorted(folder.glob(pattern)):
            _check_numbers(folder, found)
            yield from (_present(folder, file.name) for file in found)
            return
    raise CheckpointError(
        "{folder} holds no weights (*.safetensors or pytorch_model*.bin)", AGAIN, folder=folder
    )


def _present(folder: Path, name: str) -> Path:
    file = folder / name
    if not is_file(file):
        raise CheckpointError(
            "The download in {folder} is incomplete: {name} is missing", AGAIN, folder=folder, name=name
        )
    if file.stat().st_size == 0:
        raise CheckpointError("{file} is empty: the download was cut off", AGAIN, file=file)
    with file.open("rb") as opened:
        if opened.read(len(_LFS)) == _LFS:
            raise CheckpointError(
                "{file} is a Git LFS pointer, not the file itself", "Type: git lfs pull", file=file
            )
    return file


def _check_numbers(folder: Path, files: list[Path]) -> None:
    """Without an index, numbered shards say themselves how many they are."""
    for file in files:
        if found := _SHARD.fullmatch(file.name):
            for number in range(1, int(found["count"]) + 1):
                _present(folder, f"{found['stem']}-{number:05}-of-{found['count']}{found['suffix']}")
            return


def _weight_map(index: Path) -> dict[str, str]:
    """Tensor name -> file name, as the index has it; files lie in the folder itself."""
    weight_map = json_object(content(index, MAX_INDEX_BYTES), index, MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError('{file} is broken: "weight_map" is missing', AGAIN, file=index)
    for name in weight_map.values():
        if not isinstance(name, str) or Path(name).name != name or not name.isprintable():
            raise CheckpointError(
                "{file} is broken: {name} is not the name of a file beside it", AGAIN, file=index, name=name
            )
    return weight_map


def check_index(folder: Path, tensors: tuple[TensorFacts, ...]) -> None:
    """Raises CheckpointError where a file lacks a tensor that the index says it holds."""
    index = folder / INDEXES[0]
    if not is_file(index):
        return
    held = {(tensor.name, tensor.file) for tensor in tensors}
    missing = next((each for each in _weight_map(index).items() if each not in held), None)
    if missing:
        tensor, file = missing
        raise CheckpointError(
            "{file} in {folder} lacks {tensor}, which the index says it holds",
            AGAIN,
            file=file,
            folder=folder,
            tensor=tensor,
        )


def tensors_in(file: Path) -> Iterator[TensorFacts]:
    """All tensors of a file by its header; the library checks that the file is as long as its header says.

    Raises:
        CheckpointError: the file is broken, or holds numbers of a type that is not known.
        OSError: it cannot be read.
    """
    _check_header(file)
    try:
        with safe_open(file, framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118 - a safetensors file is not a mapping
                part = opened.get_slice(name)
                shape, dtype = tuple(part.get_shape()), str(part.get_dtype())
                yield TensorFacts(name, dtype, shape, _tensor_bytes(file, shape, dtype), file.name)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            "{file} is broken or cut short: {reason}", AGAIN, file=file, reason=error
        ) from error


def _check_header(file: Path) -> None:
    """The first eight bytes say how long the header is, which the library reads whole."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(
            "{file} is broken or cut short: {reason}",
            AGAIN,
            file=file,
            reason=f"its header would have {length} bytes",
        )


def _tensor_bytes(file: Path, shape: tuple[int, ...], dtype: str) -> int:
    if dtype not in _BITS:
        raise CheckpointError(
            "{file} holds numbers of a type that is not known: {dtype}", "", file=file, dtype=dtype
        )
    return -(-prod(shape) * _BITS[dtype] // 8)
