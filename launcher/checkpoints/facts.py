"""What a checkpoint's folder holds, from config.json and the safetensors headers alone: no weight is read,
and every file is bounded before it is. ``launcher.families`` turns the facts into shape and bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from launcher.checkpoints.small_files import (
    ACCESS,
    AGAIN,
    MAX_JSON_BYTES,
    TOKENIZERS,
    SmallFile,
    chat_template,
    check_small_files,
    content,
    json_object,
    own_preprocessing,
)
from launcher.checkpoints.vocabulary import check_vocabulary
from launcher.errors import CheckpointError
from launcher.user_folders import is_file, is_folder

MAX_INDEX_BYTES = 64 * 2**20
"""A published index of the largest models has a few MiB."""
MAX_HEADER_BYTES = 16 * 2**20
"""A safetensors file of a thousand tensors has a header of 100 kB."""

CONFIG = "config.json"
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WEIGHTS = ("model*.safetensors", "*.safetensors", "pytorch_model*.bin")
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.\w+)")
_LFS = b"version https://git-lfs.github.com/spec/"

_LOADED_BITS = 16
"""What GPU engines make of wider floating-point weights."""
_FOUR_BITS = ".qweight"
"""How the names of AWQ's tensors end that hold the weights themselves."""
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


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of weights and its size on disk."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Quantization:
    """How the weights were quantised: method as the checkpoint says it ("awq", "gptq", …), bits, weights to
    one scale, and in which layout they lie ("gemm" is the one that is read here)."""

    method: str
    bits: int
    group_size: int | None
    version: str = "gemm"

    @property
    def is_awq(self) -> bool:
        """Whether transformers' models can be given these weights: taken apart into 16 bits or more as they
        are read."""
        return (self.method, self.bits, self.version) == ("awq", 4, "gemm")


@dataclass(frozen=True)
class CheckpointFacts:
    """A checkpoint, as far as it can be known without reading weights.

    ``folder`` is None and there are no files when only a config was read; ``tensors`` is empty, too, for
    ``.bin`` weights, whose tensors cannot be listed safely. ``dtype`` is what config.json says ("bfloat16"),
    "" when it says nothing. ``config`` is config.json as it stands, not to be changed. ``chat_template`` is
    the tokenizer's, "" where it carries none, None when only a config was read; ``preprocessing`` what the
    folder says of how pictures are prepared, None likewise.
    """

    folder: Path | None
    architecture: str
    model_type: str
    dtype: str
    config: Mapping[str, Any]
    quantization: Quantization | None = None
    tensors: tuple[TensorFacts, ...] = ()
    weight_files: tuple[WeightFile, ...] = ()
    chat_template: str | None = None
    preprocessing: SmallFile | None = None

    @property
    def weight_bytes(self) -> int | None:
        """Bytes of all weight files; None when only a config was read."""
        return sum(file.size_bytes for file in self.weight_files) if self.weight_files else None

    @property
    def loaded_tensor_bytes(self) -> dict[str, int] | None:
        """Bytes of each tensor by name once a GPU engine has loaded it: wider floating-point numbers have 16
        bits there. None where the tensors are not known."""
        return {tensor.name: _loaded_bytes(tensor) for tensor in self.tensors} or None

    @property
    def number_bytes(self) -> int | None:
        """Of one number of the largest tensor as its file holds it, which is a language model's embedding
        table. None where the tensors are not known."""
        floats = [tensor for tensor in self.tensors if tensor.dtype in _FLOATS]
        return _BITS[max(floats, key=lambda tensor: tensor.size_bytes).dtype] // 8 if floats else None

    @property
    def loaded_bytes(self) -> int | None:
        """Bytes of all weights once a GPU engine has loaded them; where no tensor is known, by the config's
        dtype. None when only a config was read."""
        if (tensors := self.loaded_tensor_bytes) is not None:
            return sum(tensors.values())
        on_disk = self.weight_bytes
        return on_disk // 2 if on_disk is not None and self.dtype == "float32" else on_disk

    @property
    def unpacked_bytes(self) -> int | None:
        """Bytes of all weights in 16 bits, those that are stored in four as well; None when only a config was
        read."""
        if self.loaded_bytes is None:
            return None
        packs = sum(tensor.size_bytes for tensor in self.tensors if tensor.name.endswith(_FOUR_BITS))
        return self.loaded_bytes + (_LOADED_BITS // 4 - 1) * packs

    @property
    def has_four_bits(self) -> bool:
        """Whether any tensor holds weights in AWQ's four bits."""
        return any(tensor.name.endswith(_FOUR_BITS) for tensor in self.tensors)

    @property
    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor by name; none where the tensors are not known."""
        return {tensor.name: tensor.shape for tensor in self.tensors}

    @property
    def tensor_bytes(self) -> dict[str, int] | None:
        """Bytes of each tensor on the disk by name; None where the tensors are not known."""
        return {tensor.name: tensor.size_bytes for tensor in self.tensors} or None


def read_facts(folder: Path) -> CheckpointFacts:
    """Reads a checkpoint's facts, and makes sure that it is whole.

    Raises:
        CheckpointError: the folder is missing or incomplete, or one of its files is broken; the message names
            the file.
    """
    if not is_folder(folder):
        raise CheckpointError("There is no folder {folder}", "Check the preset's sources.", folder=folder)
    facts = facts_from_config(folder / CONFIG)
    if not any(is_file(folder / name) for name in TOKENIZERS):
        raise CheckpointError(
            "{folder} holds no tokenizer ({names})", AGAIN, folder=folder, names=", ".join(TOKENIZERS)
        )
    check_small_files(folder)
    check_vocabulary(folder)
    try:
        files = tuple(_weight_files(folder))
        tensors = tuple(
            tensor for file in files if file.suffix == ".safetensors" for tensor in _tensors(file)
        )
        _check_index(folder, tensors)
        weight_files = tuple(WeightFile(file.name, file.stat().st_size) for file in files)
    except OSError as error:
        raise CheckpointError(
            "{folder} cannot be read: {reason}", ACCESS, folder=folder, reason=error
        ) from error
    return replace(
        facts,
        folder=folder,
        tensors=tensors,
        weight_files=weight_files,
        chat_template=chat_template(folder) or "",
        preprocessing=own_preprocessing(folder),
    )


def facts_from_config(path: Path) -> CheckpointFacts:
    """What config.json alone says; takes the file or its folder.

    Raises:
        CheckpointError: there is no such file, or it is no model's config.
    """
    path = path / CONFIG if is_folder(path) else path
    return facts_in_config(content(path, MAX_JSON_BYTES), path)


def facts_in_config(text: bytes, file: Path) -> CheckpointFacts:
    """What the bytes of a config.json say; ``file`` is what errors call it.

    Raises:
        CheckpointError: it is no model's config.
    """
    config = json_object(text, file, MAX_JSON_BYTES)
    architectures = config.get("architectures")
    if not (isinstance(architectures, list) and architectures and isinstance(architectures[0], str)):
        raise CheckpointError('{file} is no model\'s config: "architectures" is missing', AGAIN, file=file)
    language = config.get("llm_config") or config.get("text_config") or {}
    dtypes = (
        each.get(key)
        for each in (config, language)
        if isinstance(each, dict)
        for key in ("torch_dtype", "dtype")
    )
    return CheckpointFacts(
        folder=None,
        architecture=architectures[0],
        model_type=str(config.get("model_type", "")),
        dtype=next((str(dtype) for dtype in dtypes if dtype), ""),
        config=config,
        quantization=_quantization(config, language),
    )


def _quantization(config: dict[str, Any], language: object) -> Quantization | None:
    """AWQ folders of InternVL2 carry it at the top or in the language model's part."""
    found = config.get("quantization_config") or (
        language.get("quantization_config") if isinstance(language, dict) else None
    )
    if not isinstance(found, dict):
        return None
    bits, group = found.get("bits", found.get("w_bit")), found.get("group_size", found.get("q_group_size"))
    return Quantization(
        method=str(found.get("quant_method", "unknown")).lower(),
        bits=bits if isinstance(bits, int) else 16,
        group_size=group if isinstance(group, int) else None,
        version=str(found.get("version", "gemm")).lower(),
    )


def _weight_files(folder: Path) -> Iterator[Path]:
    """The files that hold the weights, in order: those the index names, else those whose names say so."""
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


def _check_index(folder: Path, tensors: tuple[TensorFacts, ...]) -> None:
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


def _tensors(file: Path) -> Iterator[TensorFacts]:
    """All tensors of a file by its header; the library checks that the file is as long as its header says."""
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


def _loaded_bytes(tensor: TensorFacts) -> int:
    wide = tensor.dtype in _WIDE_FLOATS
    return tensor.size_bytes * _LOADED_BITS // _BITS[tensor.dtype] if wide else tensor.size_bytes


def _tensor_bytes(file: Path, shape: tuple[int, ...], dtype: str) -> int:
    if dtype not in _BITS:
        raise CheckpointError(
            "{file} holds numbers of a type that is not known: {dtype}", "", file=file, dtype=dtype
        )
    return -(-prod(shape) * _BITS[dtype] // 8)
