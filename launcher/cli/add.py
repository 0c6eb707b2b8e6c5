"""``launcher add``: a model of a hub, or of a folder, becomes a preset of the user's own. Of a hub only the
list of files and config.json are read; weights are ``launcher pull``'s."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import typer
from pydantic import ValidationError

from launcher.checkpoints import CheckpointFacts, Hub, Located, locate, read_facts
from launcher.cli import render
from launcher.cli.preset_standing import on_disk
from launcher.cli.preset_writing import preset_text, write_preset
from launcher.commands_here import command
from launcher.devices import read_devices
from launcher.errors import CheckpointError, PresetError, RequestError
from launcher.memory import GIB
from launcher.presets import Preset, read_presets, users_folder
from launcher.readiness import Readiness, ReadyState, assess_facts, installed_engines
from launcher.user_folders import is_file, typed

_ON_A_HUB = re.compile(r"(?P<hub>hf|modelscope):(?P<name>\w[\w.-]*/\w[\w.-]*)")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class _Model:
    """What was named: the source as a preset writes it, what it is called there, and its facts."""

    source: str
    title: str
    folder: Path
    facts: CheckpointFacts


def add(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="hf:ORG/NAME, modelscope:ORG/NAME, or a model's folder.")
    ],
    *,
    name: Annotated[
        str | None, typer.Option("--name", help="What the preset is called; without, as the model is.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write it though a preset of that name is there.")
    ] = False,
) -> None:
    """Make a preset of a model on a hub or in a folder, having looked whether it can run here."""
    _check_name(name)
    again = command("add", source, *(("--name", name) if name else ()), *(("--force",) if force else ()))
    model = _model(source, again)
    called = name or _name_of(model)
    file = users_folder() / f"{called}.yaml"
    assessed = _assessed(model, called)
    if not force:
        _check_free(assessed.preset, file, source)
    render.line(_what_it_is(model, assessed))
    render.line(_what_it_takes(assessed))
    write_preset(file, _text(model, assessed.preset, source), force=force)
    render.line(f"Wrote {file}")
    render.note(_what_next(assessed.preset))


def _check_name(name: str | None) -> None:
    """Raises BadParameter where no preset can be called so, before any hub is asked."""
    keys = {"name": name or "x", "title": "-", "kind": "text", "sources": "/"}
    if name == "" or not _is_preset(keys):
        raise typer.BadParameter(
            f"{name!r} is no name of lower-case letters, digits, '.', '_' and '-', at most 64.",
            param_hint="--name",
        )


def _is_preset(keys: Mapping[str, object]) -> bool:
    try:
        Preset.model_validate_json(json.dumps(keys))
    except ValidationError:
        return False
    return True


def _model(source: str, again: str) -> _Model:
    """What the source names; ``again`` is what was typed.

    Raises:
        RequestError: it is neither a model's name on a hub nor a folder that holds one.
        CheckpointError: the hub or the folder has no model that could run.
    """
    if found := _ON_A_HUB.fullmatch(source):
        hub, on_hub = cast("Hub", found["hub"]), found["name"]
        title = on_hub.rpartition("/")[2]
        return _Model(source, title, Path(title), _facts_on_hub(hub, on_hub, again))
    folder = typed(source).absolute()
    if is_file(folder / "config.json"):
        return _Model(str(folder), folder.name, folder, read_facts(folder))
    raise RequestError(
        "{source} is neither a model on a hub nor a folder with a config.json",
        "Write hf:ORG/NAME, modelscope:ORG/NAME, or a folder's path.",
        source=source,
    )


def _facts_on_hub(hub: Hub, name: str, again: str) -> CheckpointFacts:
    from launcher.downloads import Source, find_repository, new_client, repository_facts

    with new_client() as client:
        repository = find_repository(client, Source(hub, name, again))
        return repository_facts(client, repository)


def _name_of(model: _Model) -> str:
    return _NOT_IN_NAMES.sub("-", model.title.lower()).lstrip("._-")[:64] or "model"


def _assessed(model: _Model, name: str) -> Readiness:
    """Where the preset would stand here; it takes pictures where the model does.

    Raises:
        LauncherError: the model cannot be run on any machine, and why.
    """
    machine = (read_devices(), installed_engines())
    for kind in ("vision", "text"):
        preset = _preset(model, name, kind)
        assessed = assess_facts(preset, model.folder, model.facts, *machine)
        if not isinstance(assessed.reason, PresetError):
            break
    if assessed.reason is not None and not _another_machine_could(assessed):
        raise assessed.reason
    return assessed


def _another_machine_could(assessed: Readiness) -> bool:
    """Whether what is wrong is wrong with this machine: its devices, its memory, its packages."""
    broken = assessed.state is ReadyState.BROKEN
    return not broken and not isinstance(assessed.reason, CheckpointError | PresetError)


def _preset(model: _Model, name: str, kind: str) -> Preset:
    title = {"en": model.title, "zh": model.title}
    keys = {"name": name, "title": title, "kind": kind, "sources": _sources(model)}
    if not _is_preset(keys):
        raise RequestError(
            "No preset can name the folder {folder!r}",
            "Give it a name without line breaks and other control characters.",
            folder=model.source,
        )
    return Preset.model_validate_json(json.dumps(keys))


def _sources(model: _Model) -> list[str]:
    """Where the checkpoint may be: a model of a hub also below the user's folder of models."""
    if model.source.startswith("/"):
        return [model.source]
    return ["${LAUNCHER_MODELS}/" + model.title, model.source]


def _check_free(preset: Preset, file: Path, source: str) -> None:
    """Raises PresetError where a preset of this name, or of one that counts as the same, is there already, or
    its file."""
    again = command("add", source, "--name", f"{preset.name}-2")
    if file.exists():
        raise PresetError(
            "{file} is there already",
            "To write it anew, add --force; to have both, type: {again}",
            file=file,
            again=again,
        )
    for other in read_presets().presets:
        if other.api_name == preset.api_name:
            raise PresetError(
                "There is a preset {name} already",
                "To ask it, type: {ask}\nTo put this one in its place, add --force; to have both, type:"
                " {again}",
                name=other.name,
                ask=command("ask", other.name, "…"),
                again=again,
            )


def _what_it_is(model: _Model, assessed: Readiness) -> str:
    takes = "pictures" if assessed.preset.kind == "vision" else "text"
    size = on_disk(model.facts.weight_bytes or 0)
    return f"{model.title}: {model.facts.architecture}, takes {takes}, {size} of weights"


def _what_it_takes(assessed: Readiness) -> str:
    """Of this machine."""
    if assessed.reason is not None:
        return f"It cannot run here as it is: {assessed.reason}"
    if assessed.plan is not None:
        needed_gib = assessed.plan.peak_bytes / GIB
        return f"Here: {assessed.engine} on {assessed.device}, {needed_gib:.1f} GiB of its memory"
    size = f", {assessed.size_bytes / GIB:.1f} GiB of its memory" if assessed.size_bytes else ""
    note = f". {assessed.note}" if assessed.note else ""
    return f"Here: {assessed.engine} on {assessed.device}{size}{note}"


def _text(model: _Model, preset: Preset, source: str) -> str:
    """The preset's file."""
    notes = [
        f"Made by: launcher add {json.dumps(source, ensure_ascii=False)}",
        "What is not here is as usual; every key: docs/reference/presets.md, or launcher presets --schema",
    ]
    keys = {"name": preset.name, "title": model.title, "kind": preset.kind, "sources": list(preset.sources)}
    return preset_text(notes, keys)


def _what_next(preset: Preset) -> str:
    if isinstance(locate(preset), Located):
        return f"To ask it, type: {command('ask', preset.name, '…')}"
    return f"To download it, type: {command('pull', preset.name)}"
