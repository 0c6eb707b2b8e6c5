"""Which engines there are. Reading the table imports no engine, and nothing of the launcher beside the
declarations, so every part may ask.

Those of ``launcher/engines/declared`` are what users see: in the schema, the reference and messages. A
program of the launcher's own (a measurement, the tests) may register more for its process; presets may name
these too, and nobody is told of them.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from launcher.engines import declared
from launcher.engines.declaration import Declaration

if TYPE_CHECKING:
    from launcher.engines.base import Engine

AUTO = "auto"
"""What a preset says that leaves the choice to the launcher; no engine has this name."""

_registered: dict[str, Declaration] = {}


@cache
def shown() -> tuple[Declaration, ...]:
    """The engines that users see, by name."""
    modules = pkgutil.iter_modules(declared.__path__)
    return tuple(import_module(f"{declared.__name__}.{module.name}").ENGINE for module in modules)


def register(engine: Declaration) -> None:
    """Adds an engine that users do not see, for as long as this process lives.

    Raises:
        ValueError: another engine has its name.
    """
    if is_known(engine.name) and find(engine.name) != engine:
        raise ValueError(f"there is an engine {engine.name} already")
    _registered[engine.name] = engine


def known() -> tuple[Declaration, ...]:
    """All engines, those registered for this process too."""
    return tuple(_all().values())


def is_known(name: str) -> bool:
    """Whether a preset may name it."""
    return name == AUTO or name in _all()


def find(name: str) -> Declaration:
    """The engine of this name. Raises KeyError where there is none, as for ``AUTO``."""
    return _all()[name]


def engine_class(runs: str) -> type[Engine]:
    """The class that a declaration's ``runs`` names; imports it."""
    module, _, attribute = runs.partition(":")
    return cast("type[Engine]", getattr(import_module(module), attribute))


def _all() -> dict[str, Declaration]:
    return {**{engine.name: engine for engine in shown()}, **_registered}
