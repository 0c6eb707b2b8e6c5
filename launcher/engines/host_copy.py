"""A model's weights in host memory, page-locked where the driver does that: from there they reach the GPU at
the bus's speed. Knows no engine.

Page-locking takes longer than copying (0.4 s a GiB) and holds the GPU's driver up, so it is done once, tensor
by tensor, while nobody waits for an answer; and it takes RAM away from all other programs, so it is not done
where there is little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from launcher.devices import read_ram

SPARE_RAM_BYTES = 4 << 30
"""What must stay free beside the copy: for the page, the other models' processes, and the files' pages that
they read."""


def has_room(size_bytes: int) -> bool:
    """Whether this machine can spare that much RAM now."""
    _, free_bytes = read_ram()
    return free_bytes >= size_bytes + SPARE_RAM_BYTES


def host_copy(
    tensors: Iterable[tuple[str, Tensor]], wait_for_turn: Callable[[], object], *, locked: bool = True
) -> Mapping[str, Tensor]:
    """The same tensors, on the host; ``wait_for_turn`` is called before each.

    Raises:
        RuntimeError: the driver locks no more memory, or, where that is not asked of it, there is no more.
    """
    copies = {}
    for name, tensor in tensors:
        wait_for_turn()
        copies[name] = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=locked).copy_(tensor)
    return copies


def size_bytes(tensors: Iterable[Tensor]) -> int:
    """What a copy of them takes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
