"""Models that play scripts at a given speed, for measurements of everything but a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from launcher.bench.scripted import MEASURED, register
from launcher.devices import Devices
from launcher.presets import read_presets
from launcher.readiness import InstalledEngines, Readiness, assess

_PRESET = """\
name: {name}
title: Scripted {name}
kind: vision
sources: ["{folder}"]
engine: {engine}
chat: {{system_prompt: "{loading}"}}
"""
_NOTHING = Devices((), 0, 0)
_NO_CUDA = InstalledEngines(missing=frozenset(), torch_cuda=False)


def scripted_models(folder: Path, names: Sequence[str] = ("scripted",), loading: str = "") -> list[Readiness]:
    """Models whose preset files lie in the folder. This process and its models know their engine from now on.

    Args:
        folder: for the files.
        names: one model each.
        loading: the script of loading.
    """
    register()
    for name in names:
        text = _PRESET.format(name=name, folder=folder, engine=MEASURED.name, loading=loading)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return [assess(preset, _NOTHING, _NO_CUDA) for preset in read_presets([folder]).presets]


def taking_turns(models: Sequence[Readiness], size_bytes: int) -> list[Readiness]:
    """The same as models of a GPU, each of that size, of which none is really taken: they sleep and wake."""
    return [replace(model, device="cuda:0", size_bytes=size_bytes) for model in models]
