"""What a checkpoint's folder holds, from config.json and the safetensors headers alone: no weight is read,
and every file is bounded before it is. ``launcher.families`` turns the facts into shape and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launcher.checkpoints.small_files import (
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
from launcher.checkpoints.vocabulary import Vocabulary, read_vocabulary
from launcher.checkpoints.weights import (
    LOADED_BITS,
    TensorFacts,
    WeightFile,
    check_index,
    no_access,
    tensors_in,
    weight_paths,
)
from launcher.errors import CheckpointError
from launcher.user_folders import is_file, is_folder

CONFIG = "config.json"
_FOUR_BITS = ".qweight"
"""How the names of AWQ's tensors end that hold the weights themselves."""


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
    folder says of how pictures are prepared, and ``vocabulary`` the tokenizer's, None likewise.
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
    vocabulary: Vocabulary | None = None

    @property
    def weight_bytes(self) -> int | None:
        """Bytes of all weight files; None when only a config was read."""
        return sum(file.size_bytes for file in self.weight_files) if self.weight_files else None

    @property
    def loaded_tensor_bytes(self) -> dict[str, int] | None:
        """Bytes of each tensor by name once a GPU engine has loaded it: wider floating-point numbers have 16
        bits there. None where the tensors are not known."""
        return {tensor.name: tensor.loaded_bytes for tensor in self.tensors} or None

    @property
    def number_bytes(self) -> int | None:
        """Of one number of the largest tensor as its file holds it, which is a language model's embedding
        table. None where the tensors are not known."""
        floats = [tensor for tensor in self.tensors if tensor.is_float]
        return max(floats, key=lambda tensor: tensor.size_bytes).number_bytes if floats else None

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
        return self.loaded_bytes + (LOADED_BITS // 4 - 1) * packs

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
    vocabulary = read_vocabulary(folder)
    try:
        files = tuple(weight_paths(folder))
        tensors = tuple(
            tensor for file in files if file.suffix == ".safetensors" for tensor in tensors_in(file)
        )
        check_index(folder, tensors)
        weight_files = tuple(WeightFile(file.name, file.stat().st_size) for file in files)
    except OSError as error:
        raise no_access(folder, error) from error
    return replace(
        facts,
        folder=folder,
        tensors=tensors,
        weight_files=weight_files,
        chat_template=chat_template(folder) or "",
        preprocessing=own_preprocessing(folder),
        vocabulary=vocabulary,
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
