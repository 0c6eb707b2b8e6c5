"""The engines whose packages are installed here; looked for without importing them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass

from launcher.commands_here import pip_install
from launcher.engines import table
from launcher.engines.declaration import Declaration
from launcher.errors import MissingPart
from launcher.presets import Preset


@dataclass(frozen=True, slots=True)
class InstalledEngines:
    """The names of the engines whose packages are here; ``torch_cuda`` says whether PyTorch is a build that
    knows CUDA."""

    names: frozenset[str]
    torch_cuda: bool


def installed_engines() -> InstalledEngines:
    """Looks for the engines' packages without importing them."""
    names = frozenset(engine.name for engine in table.known() if all(map(_is_here, engine.modules)))
    return InstalledEngines(names, _is_here("torch") and "+cpu" not in importlib.metadata.version("torch"))


def _is_here(module: str) -> bool:
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def check_installed(preset: Preset, engine: Declaration, installed: InstalledEngines) -> None:
    """Raises MissingPart where the engine's packages are not here."""
    if engine.name not in installed.names:
        raise MissingPart(
            "{name} needs packages that are not installed: {packages}",
            "Type: {command}",
            name=preset.name,
            packages=", ".join(engine.packages),
            command=pip_install(*engine.packages),
        )
