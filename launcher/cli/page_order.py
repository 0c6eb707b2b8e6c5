"""In which order the page has its tabs; the first that can run is open at first, and loaded unasked."""

from __future__ import annotations

from collections.abc import Iterable

from launcher.readiness import Readiness, ReadyState

TUTORIAL = ("internvl2-2b", "internlm-xcomposer2-vl-1_8b", "internlm2-chat-1_8b")
"""The presets that the page is for before all others."""
_BUILTIN = "builtin:"


def ready_first(models: Iterable[Readiness]) -> list[Readiness]:
    """As given, but those first that can run here: for presets that somebody has chosen and put in order."""
    return sorted(models, key=lambda model: not _is_ready(model))


def page_order(models: Iterable[Readiness]) -> list[Readiness]:
    """Those first that can run here, then those that need something yet, each time the tutorial's at the
    head. Built-in ones are for where there is nothing else: once there is, they are last."""
    models = list(models)
    has_others = any(_is_ready(model) and not _is_built_in(model) for model in models)

    def place(model: Readiness) -> tuple[bool, bool, int]:
        name = model.preset.name
        in_tutorial = TUTORIAL.index(name) if name in TUTORIAL else len(TUTORIAL)
        return (has_others and _is_built_in(model), not _is_ready(model), in_tutorial)

    return sorted(models, key=place)


def _is_ready(model: Readiness) -> bool:
    return model.state is ReadyState.READY


def _is_built_in(model: Readiness) -> bool:
    sources = model.preset.sources
    return bool(sources) and all(source.startswith(_BUILTIN) for source in sources)
