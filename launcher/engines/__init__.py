"""Which class serves each engine name: a table of import strings, so that naming an engine imports none."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from launcher.engines.base import Engine

ENGINES = {
    "transformers": "launcher.engines.transformers:TransformersEngine",
    "turbomind": "launcher.engines.lmdeploy:LmdeployEngine",
    "pytorch": "launcher.engines.lmdeploy:LmdeployEngine",
    "scripted": "launcher.engines.scripted:ScriptedEngine",
}


def load_engine_class(name: str) -> type[Engine]:
    """The class behind an engine name. Raises KeyError for a name that is not in the table."""
    module, _, attribute = ENGINES[name].partition(":")
    return cast("type[Engine]", getattr(import_module(module), attribute))
