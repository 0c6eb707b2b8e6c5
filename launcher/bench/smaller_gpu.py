"""A large GPU taken for a smaller one: what there is of it, and what is measured of it, as if no more were
there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from launcher.devices import Devices
from launcher.workers.gauge import Measure
from launcher.workers.states import Seen


def smaller(devices: Devices, limit_bytes: int) -> Devices:
    """The same devices, but no more than ``limit_bytes`` are free of a GPU: models are planned for that."""
    gpus = (replace(gpu, free_bytes=min(gpu.free_bytes, limit_bytes)) for gpu in devices.gpus)
    return replace(devices, gpus=tuple(gpus))


def limited(measure: Measure, limit_bytes: int) -> Measure:
    """The same, but models together find no more than ``limit_bytes`` on a GPU. Where the driver does not
    tell what they hold, nothing is known, and what is planned stands in."""

    def measured(device: str, pids: Mapping[str, int]) -> Seen | None:
        seen = measure(device, pids)
        if seen is None or device == "cpu":
            return seen
        if not seen.held_bytes:
            return None
        left_bytes = max(0, limit_bytes - sum(seen.held_bytes.values()))
        return Seen(min(seen.free_bytes, left_bytes), seen.held_bytes)

    return measured
