"""Models that come while the launcher runs: assessed as those that were here at the start, and offered from
then on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from launcher.devices import Devices
from launcher.presets import Preset
from launcher.readiness import InstalledEngines, Readiness, ReadyState, assess
from launcher.workers.manager import Manager
from launcher.workers.runnable import gpu_numbers, runnable_models


def arrivals_of(
    models: Sequence[Readiness], manager: Manager, devices: Devices, installed: InstalledEngines
) -> Arrivals:
    """Of models that were assessed on these devices."""
    free_bytes = {gpu.uuid: gpu.free_bytes for gpu in devices.gpus}
    return Arrivals(models, manager, free_bytes, lambda preset: assess(preset, devices, installed))


class Arrivals:
    """Which models can run here, of all that are offered.

    Args:
        models: all of them, as they stood at the start.
        manager: runs them.
        free_bytes: what was free of each device at the start, which their plans were made for.
        assess: where a preset stands now, on the devices as they were then: what models of ours have taken
            since comes back when they leave.
    """

    def __init__(
        self,
        models: Sequence[Readiness],
        manager: Manager,
        free_bytes: Mapping[str, int],
        assess: Callable[[Preset], Readiness],
    ) -> None:
        self._models = {model.preset.name: model for model in models}
        self._manager, self._free_bytes, self._assess = manager, dict(free_bytes), assess
        self._lock = Lock()
        self.ready = {
            name: model.preset for name, model in self._models.items() if model.state is ReadyState.READY
        }
        """The presets of those that can run, by name; it grows."""

    def came(self, name: str) -> Readiness:
        """The model's checkpoint is here: offers it where it can run, and says where it stands."""
        with self._lock:
            found = self._assess(self._models[name].preset)
            self._models[name] = found
            if found.state is ReadyState.READY:
                models = tuple(self._models.values())
                self._manager.offer(runnable_models(models, self._free_bytes), gpu_numbers(models))
                self.ready[name] = found.preset
        return found
