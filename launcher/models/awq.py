"""AWQ's four-bit weights: rounding, the layout that LMDeploy reads ("gemm"), and such a checkpoint read as if
it had 16 bits.

A linear weight [out, in] is cut along ``in`` into groups; each group of each row has a 16-bit scale and a
zero point of four bits: weight = (code - zero) * scale. On the disk it lies the other way round, and eight
codes of a row are one 32-bit number, in the order 0, 2, 4, 6, 1, 3, 5, 7 from its lowest bits on:
``qweight`` int32 [in, out / 8], ``qzeros`` int32 [in / group, out / 8], ``scales`` float16 [in / group, out].

Source: arXiv 2306.00978; LMDeploy's ``lite/quantization/modules/linear.py`` and
``pytorch/nn/linear/awq.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from launcher.errors import CheckpointError
from launcher.families import AWQ_GROUP
from launcher.models.weights import CheckpointTensors

MOST = 15
"""The largest code of four bits."""
PER_NUMBER = 8
"""Codes in a 32-bit number."""
_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
_SHIFTS = tuple(4 * _ORDER.index(column) for column in range(PER_NUMBER))
"""By how many bits each of eight columns is shifted."""
_LEAST_SCALE = 1e-5
"""Of a group of zeros; well within float16."""
_PARTS = ("qweight", "qzeros", "scales")
CONFIG = {"quant_method": "awq", "bits": 4, "group_size": AWQ_GROUP, "version": "gemm", "zero_point": True}
"""``quantization_config`` of a checkpoint that is written here."""


@dataclass(frozen=True, slots=True)
class Codes:
    """A linear weight in four bits: ``codes`` uint8 [out, in], ``zeros`` uint8 and ``scales`` float16 [out,
    in / group]."""

    codes: Tensor
    zeros: Tensor
    scales: Tensor

    def weight(self) -> Tensor:
        """What it stands for, float32 [out, in]."""
        codes = self.codes.view(*self.zeros.shape, -1).float()
        return ((codes - self.zeros.float().unsqueeze(-1)) * self.scales.float().unsqueeze(-1)).flatten(1)


def to_codes(weight: Tensor, group: int = AWQ_GROUP, shrink: Tensor | float = 1.0) -> Codes:
    """Rounds a weight.

    Args:
        weight: float [out, in]; ``group`` divides ``in``.
        group: weights to one scale.
        shrink: how much of each group's range is kept, 0 to 1: a number, or [out, in / group]. What lies
            beyond takes the range's end.
    """
    grouped = weight.float().view(weight.shape[0], -1, group)
    low = grouped.amin(-1).clamp(max=0) * shrink
    high = grouped.amax(-1).clamp(min=0) * shrink
    scales = ((high - low) / MOST).clamp(min=_LEAST_SCALE).half()
    steps = scales.float().unsqueeze(-1)
    zeros = (-low.unsqueeze(-1) / steps).round().clamp(0, MOST)
    codes = ((grouped / steps).round() + zeros).clamp(0, MOST)
    return Codes(codes.flatten(1).to(torch.uint8), zeros.squeeze(-1).to(torch.uint8), scales)


def joined(parts: Sequence[Codes], join: Callable[[Sequence[Tensor]], Tensor]) -> Codes:
    """Several weights as the one that ``join`` makes of their rows."""
    return Codes(
        join([part.codes for part in parts]),
        join([part.zeros for part in parts]),
        join([part.scales for part in parts]),
    )


def packed(codes: Codes) -> dict[str, Tensor]:
    """The three tensors of the layout, by the ends of their names."""
    tensors = (_pack(codes.codes.T), _pack(codes.zeros.T), codes.scales.T.contiguous())
    return dict(zip(_PARTS, tensors, strict=True))


def unpacked(qweight: Tensor, qzeros: Tensor, scales: Tensor) -> Codes:
    """The inverse of ``packed``."""
    return Codes(_unpack(qweight).T, _unpack(qzeros).T, scales.T)


def packed_shapes(shape: torch.Size, group: int = AWQ_GROUP) -> dict[str, torch.Size]:
    """The shapes of the three tensors of a linear weight [out, in], by the ends of their names."""
    rows, columns = shape
    found = (
        (columns, rows // PER_NUMBER),
        (columns // group, rows // PER_NUMBER),
        (columns // group, rows),
    )
    return dict(zip(_PARTS, map(torch.Size, found), strict=True))


def _pack(columns: Tensor) -> Tensor:
    """uint8 [rows, out] -> int32 [rows, out / 8]."""
    shifts = torch.tensor(_SHIFTS, dtype=torch.int64, device=columns.device)
    numbers = (columns.to(torch.int64).reshape(len(columns), -1, PER_NUMBER) << shifts).sum(-1)
    return torch.where(numbers >= 1 << 31, numbers - (1 << 32), numbers).to(torch.int32)


def _unpack(numbers: Tensor) -> Tensor:
    """int32 [rows, n] -> uint8 [rows, 8 n]."""
    shifts = torch.tensor(_SHIFTS, dtype=torch.int32, device=numbers.device)
    return ((numbers.unsqueeze(-1) >> shifts) & MOST).flatten(1).to(torch.uint8)


class UnpackedTensors(CheckpointTensors):
    """The tensors of a checkpoint in AWQ's layout, by the names and shapes that they have in 16 bits.

    Raises:
        CheckpointError: as ``CheckpointTensors``, or a weight's three tensors do not fit together.
    """

    @cached_property
    def _four_bits(self) -> frozenset[str]:
        """Names of linear layers."""
        ending = f".{_PARTS[0]}"
        return frozenset(name.removesuffix(ending) for name in super().names() if name.endswith(ending))

    @property
    def has_four_bits(self) -> bool:
        """Whether any weight has four bits."""
        return bool(self._four_bits)

    def names(self) -> set[str]:
        """See ``CheckpointTensors``."""
        packs = {f"{linear}.{part}" for linear in self._four_bits for part in _PARTS}
        return super().names() - packs | {f"{linear}.weight" for linear in self._four_bits}

    def read(self, name: str) -> Tensor:
        """See ``CheckpointTensors``; what had four bits comes as float32."""
        linear = name.removesuffix(".weight")
        if linear not in self._four_bits:
            return super().read(name)
        qweight, qzeros, scales = (self._part(f"{linear}.{part}") for part in _PARTS)
        groups, width = scales.shape if scales.dim() == 2 else (0, 0)
        fits = (
            groups > 0
            and qweight.dim() == qzeros.dim() == 2
            and qweight.dtype == qzeros.dtype == torch.int32
            and qweight.shape[1] * PER_NUMBER == qzeros.shape[1] * PER_NUMBER == width
            and qzeros.shape[0] == groups
            and qweight.shape[0] % groups == 0
        )
        if not fits:
            raise CheckpointError(
                "{folder}: the four-bit tensors of {name} do not fit together: {shapes}",
                hint="The file is damaged; make the checkpoint again, or download it again.",
                folder=self.folder,
                name=linear,
                shapes=", ".join(str(tuple(each.shape)) for each in (qweight, qzeros, scales)),
            )
        return unpacked(qweight, qzeros, scales).weight()

    def _part(self, name: str) -> Tensor:
        if name not in super().names():
            raise CheckpointError(
                "{folder} lacks {count} tensors that its config.json asks for: {names}",
                hint="Weights and config.json are not of the same model, or a file is missing; download both"
                " again.",
                folder=self.folder,
                count=1,
                names=name,
            )
        return super().read(name)


def open_tensors(folder: Path, *configs: PreTrainedConfig) -> CheckpointTensors:
    """A checkpoint's tensors in 16 bits or more, whether they are stored so or as AWQ's.

    Args:
        folder: the checkpoint.
        configs: its configuration, and that of the language model inside.

    Raises:
        CheckpointError: there are no weights, or they are quantised in a way that is not known.
    """
    found = next(filter(None, (getattr(config, "quantization_config", None) for config in configs)), None)
    if found is None:
        return CheckpointTensors(folder)
    settings = found if isinstance(found, dict) else found.to_dict()
    kind = settings.get("quant_method"), settings.get("bits", 4), settings.get("version", "gemm")
    if kind != tuple(CONFIG[key] for key in ("quant_method", "bits", "version")):
        raise CheckpointError(
            "{folder} holds quantised weights ({method}), which the transformers engine cannot run",
            hint="Use the unquantised checkpoint, or an NVIDIA GPU with engine: turbomind.",
            folder=folder,
            method=settings.get("quant_method", "?"),
        )
    tensors = UnpackedTensors(folder)
    if not tensors.has_four_bits:
        raise CheckpointError(
            "{folder}: config.json says that the weights have four bits ({method}), and none has",
            hint="Weights and config.json are not of the same model; download both again.",
            folder=folder,
            method=settings["quant_method"],
        )
    return tensors
