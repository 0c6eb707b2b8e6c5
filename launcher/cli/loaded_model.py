"""A preset's model, loaded and ready to be asked: what every command shares that asks one model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from launcher.cli import render
from launcher.devices import Devices, read_devices
from launcher.presets import Preset
from launcher.readiness import Readiness, assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models


def ready(preset: Preset, devices: Devices | None = None) -> Readiness:
    """Where the preset stands, which is READY; on this machine's devices, unless others are named.

    Raises:
        LauncherError: why it cannot run here, and what to type.
    """
    readiness = assess(preset, devices or read_devices(), installed_engines())
    if readiness.reason is not None:
        raise readiness.reason
    return readiness


@contextmanager
def loaded(readiness: Readiness) -> Iterator[Manager]:
    """A manager of this one model, which is loaded; its process is gone afterwards.

    Raises:
        LauncherError: why it cannot be loaded.
    """
    name = readiness.preset.name
    if readiness.note:
        render.note(readiness.note)
    with Manager(runnable_models([readiness])) as manager:
        if sys.stderr.isatty():
            render.note(f"Loading {name} ({readiness.engine}, {readiness.place}) …")
        manager.ensure_ready(name)
        yield manager
