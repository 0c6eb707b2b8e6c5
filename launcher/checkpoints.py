"""Where on this machine a checkpoint is, and what its folder holds; owns neither downloading nor what a model
needs.

Of a preset's sources the first that exists wins; nothing here goes to the network. Facts come from
config.json and the
safetensors headers alone: no weight is read, and every file is bounded before it is read. ``launcher.sizes``
    turns the facts into a model's shape and bytes.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from launcher.errors import CheckpointError
from launcher.presets import Preset

Hub = Literal["hf", "modelscope"]
"""Where checkpoints can be downloaded from, as the sources of a preset write it."""

MAX_CONFIG_BYTES = 4 * 2**20
MAX_INDEX_BYTES = 64 * 2**20
"""A published index of the largest models has a few MiB."""

CONFIG = "config.json"
TOKENIZERS = ("tokenizer.model", "tokenizer.json", "vocab.json")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_WEIGHTS = ("model*.safetensors", "*.safetensors", "pytorch_model*.bin")
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.\w+)")
_LFS = b"version https://git-lfs.github.com/spec/"

_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""Bits of one element by the safetensors format's names of types."""

_AGAIN = "Download the model again; files that are whole are not fetched twice."


BUILTIN = Path(__file__).resolve().parent / "demo" / "checkpoints"
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
MODELS_VARIABLE = "LAUNCHER_MODELS"
"""Names a folder of models of the user's own."""


@dataclass(frozen=True, slots=True)
class Located:
    """A checkpoint's folder on this machine, and the source of the preset that led to it."""

    folder: Path
    source: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A checkpoint that is not on this machine.

    ``places`` are the sources looked at, some with what is wrong there in brackets; ``commands`` can be typed
    to get it, best first.
    """

    places: tuple[str, ...]
    commands: tuple[str, ...]


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
    """How the weights were quantised: method as the checkpoint says it ("awq", "gptq", …), bits, and weights
    to one scale."""

    method: str
    bits: int
    group_size: int | None


@dataclass(frozen=True)
class CheckpointFacts:
    """A checkpoint, as far as it can be known without reading weights.

    ``folder`` is None and there are no files when only a config was read; ``tensors`` is empty, too, for
    ``.bin`` weights, whose tensors cannot be listed safely. ``dtype`` is what config.json says ("bfloat16"),
    "" when it says nothing. ``config`` is config.json as it stands, not to be changed.
    """

    folder: Path | None
    architecture: str
    model_type: str
    dtype: str
    config: Mapping[str, Any]
    quantization: Quantization | None = None
    tensors: tuple[TensorFacts, ...] = ()
    weight_files: tuple[WeightFile, ...] = ()

    @property
    def weight_bytes(self) -> int | None:
        """Bytes of all weight files; None when only a config was read."""
        return sum(file.size_bytes for file in self.weight_files) if self.weight_files else None

    @property
    def tensor_bytes(self) -> dict[str, int] | None:
        """Bytes of each tensor by name; None where the tensors are not known."""
        return {tensor.name: tensor.size_bytes for tensor in self.tensors} or None


def locate(preset: Preset) -> Located | Absent:
    """The first of the preset's sources that exists here: a folder or a downloaded copy with a
    config.json."""
    places = []
    for source in preset.sources:
        found = _folder_of(source)
        if isinstance(found, Path):
            return Located(found, source)
        places.append(f"{source} ({found})" if found else source)
    return Absent(tuple(places), download_commands(preset, own_folder(preset)))


def _folder_of(source: str) -> Path | str:
    """The folder a source stands for, or what is wrong there: "" where there is simply nothing."""
    kind, _, name = source.partition(":")
    match kind:
        case "builtin":
            return _with_config(BUILTIN / name)
        case "hf":
            return _in_hub_cache(name)
        case "modelscope":
            return _in_modelscope_cache(name)
    unset = [one or other for one, other in _VARIABLE.findall(source) if not os.environ.get(one or other)]
    if unset:
        return f"{unset[0]} is not set"
    path = Path(_VARIABLE.sub(lambda found: os.environ[found[1] or found[2]], source)).expanduser()
    return _with_config(path)


def _with_config(folder: Path) -> Path | str:
    if (folder / CONFIG).is_file():
        return folder
    return f"holds no {CONFIG}" if folder.is_dir() else ""


def _in_hub_cache(name: str) -> Path | str:
    """Hugging Face's cache. A config alone does not count: it is there as soon as somebody has looked at the
    tokenizer."""
    from huggingface_hub import try_to_load_from_cache  # 0.2 s that only presets with a hub source cost

    config = try_to_load_from_cache(name, CONFIG)
    if not isinstance(config, str):
        return ""
    folder = Path(config).parent
    return folder if _has_weights(folder) else "only a part was downloaded"


def _in_modelscope_cache(name: str) -> Path | str:
    """ModelScope's cache, whose layout changed twice, and which writes a dot in a name as three
    underscores."""
    home = Path(os.environ.get("MODELSCOPE_CACHE") or Path.home() / ".cache" / "modelscope")
    for middle in ("hub/models", "models", "hub"):
        for written in (name, name.replace(".", "___")):
            folder = home / middle / written
            if (folder / CONFIG).is_file() and _has_weights(folder):
                return folder
    return ""


def _has_weights(folder: Path) -> bool:
    return any(True for pattern in _WEIGHTS for _ in folder.glob(pattern))


def download_commands(preset: Preset, into: Path | None = None) -> tuple[str, ...]:
    """What fetches the checkpoint, exactly as it is to be typed, best first: the launcher's own command, then
    the hubs' programs.

    Args:
        preset: whose checkpoint; only its hub and ModelScope sources can be fetched.
        into: the folder that the hubs' programs are to fetch into; None for their own cache, where ``locate``
            looks as well. ``launcher pull`` finds out for itself.
    """
    commands = []
    for source in preset.sources:
        kind, _, name = source.partition(":")
        if kind == "hf":
            commands.append(
                f"{_program('hf')} download {name}"
                + (f" --local-dir {shlex.quote(str(into))}" if into else "")
            )
        elif kind == "modelscope":
            target = f" --local_dir {shlex.quote(str(into))}" if into else ""
            commands.append(f"{_program('modelscope')} download --model {name}{target}")
    return (f"{_program('launcher')} pull {preset.name}", *commands) if commands else ()


def own_folder(preset: Preset) -> Path | None:
    """Where the preset looks below LAUNCHER_MODELS, if that is set."""
    wanted = next((source for source in preset.sources if MODELS_VARIABLE in source), None)
    return Path(os.path.expandvars(wanted)) if wanted and os.environ.get(MODELS_VARIABLE) else None


def _program(name: str) -> str:
    """As it must be typed here: with its path where a virtual environment that is not activated holds it."""
    beside = Path(sys.executable).parent / name
    return shlex.quote(str(beside)) if shutil.which(name) is None and beside.is_file() else name


def read_facts(folder: Path) -> CheckpointFacts:
    """Reads a checkpoint's facts, and makes sure that it is whole.

    Raises:
        CheckpointError: the folder is missing or incomplete, or one of its files is broken; the message names
            the file.
    """
    if not folder.is_dir():
        raise CheckpointError("There is no folder {folder}", "Check the preset's sources.", folder=folder)
    facts = facts_from_config(folder / CONFIG)
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise CheckpointError(
            "{folder} holds no tokenizer ({names})", _AGAIN, folder=folder, names=", ".join(TOKENIZERS)
        )
    files = tuple(_weight_files(folder))
    tensors = tuple(tensor for file in files if file.suffix == ".safetensors" for tensor in _tensors(file))
    _check_index(folder, tensors)
    return CheckpointFacts(
        folder=folder,
        architecture=facts.architecture,
        model_type=facts.model_type,
        dtype=facts.dtype,
        config=facts.config,
        quantization=facts.quantization,
        tensors=tensors,
        weight_files=tuple(WeightFile(file.name, file.stat().st_size) for file in files),
    )


def facts_from_config(path: Path) -> CheckpointFacts:
    """What config.json alone says; takes the file or its folder.

    Raises:
        CheckpointError: there is no such file, or it is no model's config.
    """
    path = path / CONFIG if path.is_dir() else path
    config = _json_object(path, MAX_CONFIG_BYTES)
    architectures = config.get("architectures")
    if not (isinstance(architectures, list) and architectures and isinstance(architectures[0], str)):
        raise CheckpointError('{file} is no model\'s config: "architectures" is missing', _AGAIN, file=path)
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
    )


def _weight_files(folder: Path) -> Iterator[Path]:
    """The files that hold the weights, in order: those the index names, else those whose names say so."""
    for name in INDEXES:
        if (folder / name).is_file():
            yield from (_present(folder, shard) for shard in sorted(set(_weight_map(folder / name).values())))
            return
    for pattern in _WEIGHTS:
        if found := sorted(folder.glob(pattern)):
            _check_numbers(folder, found)
            yield from (_present(folder, file.name) for file in found)
            return
    raise CheckpointError(
        "{folder} holds no weights (*.safetensors or pytorch_model*.bin)", _AGAIN, folder=folder
    )


def _present(folder: Path, name: str) -> Path:
    file = folder / name
    if not file.is_file():
        raise CheckpointError(
            "The download in {folder} is incomplete: {name} is missing", _AGAIN, folder=folder, name=name
        )
    if file.stat().st_size == 0:
        raise CheckpointError("{file} is empty: the download was cut off", _AGAIN, file=file)
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
    weight_map = _json_object(index, MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError('{file} is broken: "weight_map" is missing', _AGAIN, file=index)
    for name in weight_map.values():
        if not isinstance(name, str) or Path(name).name != name:
            raise CheckpointError(
                "{file} is broken: {name} is not the name of a file beside it", _AGAIN, file=index, name=name
            )
    return weight_map


def _check_index(folder: Path, tensors: tuple[TensorFacts, ...]) -> None:
    index = folder / INDEXES[0]
    if not index.is_file():
        return
    held = {(tensor.name, tensor.file) for tensor in tensors}
    missing = next((each for each in _weight_map(index).items() if each not in held), None)
    if missing:
        tensor, file = missing
        raise CheckpointError(
            "{file} in {folder} lacks {tensor}, which the index says it holds",
            _AGAIN,
            file=file,
            folder=folder,
            tensor=tensor,
        )


def _tensors(file: Path) -> Iterator[TensorFacts]:
    """All tensors of a file by its header; the library checks that the file is as long as its header says."""
    try:
        with safe_open(file, framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118 - a safetensors file is not a mapping
                part = opened.get_slice(name)
                shape, dtype = tuple(part.get_shape()), str(part.get_dtype())
                yield TensorFacts(name, dtype, shape, _tensor_bytes(file, shape, dtype), file.name)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            "{file} is broken or cut short: {reason}", _AGAIN, file=file, reason=error
        ) from error


def _tensor_bytes(file: Path, shape: tuple[int, ...], dtype: str) -> int:
    if dtype not in _BITS:
        raise CheckpointError(
            "{file} holds numbers of a type that is not known: {dtype}", "", file=file, dtype=dtype
        )
    return -(-prod(shape) * _BITS[dtype] // 8)


def _json_object(path: Path, limit_bytes: int) -> dict[str, Any]:
    try:
        with path.open("rb") as opened:
            content = opened.read(limit_bytes + 1)
        found = json.loads(content) if len(content) <= limit_bytes else None
    except FileNotFoundError as error:
        raise CheckpointError(
            "{folder} holds no {name}", _AGAIN, folder=path.parent, name=path.name
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError("{file} cannot be read: {reason}", _AGAIN, file=path, reason=error) from error
    if not isinstance(found, dict):
        raise CheckpointError(
            "{file} does not hold a JSON object of at most {limit} bytes",
            _AGAIN,
            file=path,
            limit=limit_bytes,
        )
    return found
