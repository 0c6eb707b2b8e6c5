"""Which packages of engines and families are installed here; looked for without importing them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from launcher.commands_here import pip_install
from launcher.engines import table
from launcher.engines.declaration import Declaration
from launcher.errors import MissingPart
from launcher.families import FAMILIES, Family
from launcher.presets import Preset


@dataclass(frozen=True, slots=True)
class InstalledEngines:
    """Which engines can run here: ``missing`` are the modules that some engine needs, for any family or for
    one, and that are not here; ``torch_cuda`` says whether PyTorch is a build that knows CUDA."""

    missing: frozenset[str]
    torch_cuda: bool

    @property
    def names(self) -> frozenset[str]:
        """The engines whose packages are here, by name; a family may need more."""
        return frozenset(engine.name for engine in table.known() if self.missing.isdisjoint(engine.packages))


COMPLETE = InstalledEngines(missing=frozenset(), torch_cuda=True)
"""A machine that has all, as a plan for another one takes it to be."""


def installed_engines() -> InstalledEngines:
    """Looks for the packages without importing them."""
    needed = {module for packages in _all_packages() for module in packages}
    missing = frozenset(module for module in needed if not _is_here(module))
    return InstalledEngines(missing, _is_here("torch") and "+cpu" not in importlib.metadata.version("torch"))


def _all_packages() -> Iterator[Mapping[str, str]]:
    yield from (engine.packages for engine in table.known())
    for family in FAMILIES:
        yield from family.packages.values()


def _is_here(module: str) -> bool:
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def installed_first(family: Family, installed: InstalledEngines) -> Family:
    """The family with the engines first that have here all that they need for it, so that engine auto takes
    one of these where there is one."""

    def lacks_some(engine: str) -> bool:
        return bool(_lacking(table.find(engine), family, installed))

    return replace(family, engines=tuple(sorted(family.engines, key=lacks_some)))


def check_installed(preset: Preset, engine: Declaration, family: Family, installed: InstalledEngines) -> None:
    """Raises MissingPart where packages are not here that the engine needs for this family."""
    if lacking := _lacking(engine, family, installed):
        raise MissingPart(
            "{name} needs packages that are not installed: {packages}",
            "Type: {command}",
            name=preset.name,
            packages=", ".join(lacking),
            command=pip_install(*lacking),
        )


def _lacking(engine: Declaration, family: Family, installed: InstalledEngines) -> tuple[str, ...]:
    """The requirements, each once, of what the engine needs for the family and is not here."""
    needed = {**engine.packages, **family.packages.get(engine.name, {})}
    return tuple(dict.fromkeys(needed[module] for module in needed if module in installed.missing))
