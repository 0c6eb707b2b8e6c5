"""Presets, and whether their models can answer."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.devices import Devices
from launcher.diagnosis.facts import Facts
from launcher.diagnosis.findings import Finding, Level
from launcher.endpoints.failures import MOST_NAMES, shortened, unknown_model
from launcher.engines import table
from launcher.errors import LauncherError, PresetError
from launcher.readiness import Readiness, ReadyState


def check_presets(facts: Facts) -> Iterator[Finding]:
    """Whether preset files can be read."""
    for error in facts.preset_errors:
        yield Finding(
            "presets", Level.WARNING, error.message, error.hint or "Mend the file; until then it is left out."
        )
    if facts.readiness:
        yield Finding("presets", Level.OK, f"{len(facts.readiness)} can be read")
    elif isinstance(facts.devices, Devices):
        mend = "Give files that are right: launcher serve --presets PATH"
        yield Finding("presets", Level.FAULT, "there is none that can be used", mend, PresetError.exit_code)


def check_models(facts: Facts) -> Iterator[Finding]:
    """Each model's weights and whether it can run; a fault only where not one can."""
    works = bool(usable(facts))
    for each in facts.readiness:
        subject = f"model {each.preset.name}"
        if reason := each.reason or _trouble_of_server(each, facts):
            level, code = (Level.WARNING, 0) if works else (Level.FAULT, reason.exit_code)
            text = reason.message.removeprefix(f"{each.preset.name} ")
            yield Finding(subject, level, text, reason.hint, code)
        else:
            text = f"ready with {each.engine} on {each.place}{_others(facts.servers.get(each.preset.name))}"
            yield Finding(subject, Level.OK, text)


def _trouble_of_server(model: Readiness, facts: Facts) -> LauncherError | None:
    """Why the server that a model is to be on does not answer for it."""
    endpoint, found = model.preset.endpoint, facts.servers.get(model.preset.name)
    if endpoint is None or found is None or isinstance(found, LauncherError):
        return found if isinstance(found, LauncherError) else None
    return None if endpoint.model in found else unknown_model(endpoint, found)


def _others(found: LauncherError | tuple[str, ...] | None) -> str:
    return f", which has {', '.join(map(shortened, found[:MOST_NAMES]))}" if isinstance(found, tuple) else ""


def usable(facts: Facts) -> tuple[Readiness, ...]:
    """The presets that can answer: ready, with an engine that can be imported."""
    broken = {module for module, probe in facts.probes.items() if probe.reason}
    return tuple(
        each
        for each in facts.readiness
        if each.state is ReadyState.READY
        and broken.isdisjoint(table.find(each.engine).packages)
        and _trouble_of_server(each, facts) is None
    )
