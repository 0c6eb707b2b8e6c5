"""Where on this machine a preset's checkpoint is: of its sources the first that exists wins. Nothing here
goes to the network."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from launcher.checkpoints.facts import CONFIG
from launcher.checkpoints.weights import WEIGHTS
from launcher.commands_here import command, program
from launcher.errors import LauncherError, Remark, Remarks, RequestError
from launcher.presets import Preset, read_presets
from launcher.user_folders import cache_folder, expanded, is_file, is_folder, named_by

Hub = Literal["hf", "modelscope"]
"""Where checkpoints can be downloaded from, as the sources of a preset write it."""

BUILTIN = Path(__file__).resolve().parents[1] / "demo" / "checkpoints"
MODELS_VARIABLE = "LAUNCHER_MODELS"
"""Names a folder of models of the user's own."""
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass(frozen=True, slots=True)
class Located:
    """A checkpoint's folder on this machine, and the source of the preset that led to it."""

    folder: Path
    source: str


@dataclass(frozen=True, slots=True)
class Absent:
    """A checkpoint that is not on this machine.

    ``places`` are the sources looked at, and what is wrong there: "" where there is simply nothing;
    ``commands`` can be typed to get it, best first.
    """

    places: tuple[tuple[str, Remark | str], ...]
    commands: tuple[str, ...]

    @property
    def said(self) -> Remarks:
        """The places, what is wrong in brackets."""
        return Remarks(
            Remark("{source} ({reason})", (("source", source), ("reason", reason)))
            if reason
            else Remark(source)
            for source, reason in self.places
        )

    @property
    def is_made(self) -> bool:
        """Whether it is not fetched but made, by `launcher quantize`."""
        return len(self.commands) == 1 and not any(
            source.startswith(("hf:", "modelscope:")) for source, _ in self.places
        )

    @property
    def can_be_put(self) -> bool:
        """Whether one of the places is a folder of the user's own."""
        return not all(source.startswith(("builtin:", "awq:")) for source, _ in self.places)


def locate(preset: Preset) -> Located | Absent:
    """The first of the preset's sources that exists here: a folder or a downloaded copy with a
    config.json."""
    places = []
    for source in preset.sources:
        found = _folder_of(source) or _why_never(preset, source)
        if isinstance(found, Path):
            return Located(found, source)
        places.append((source, found))
    return Absent(tuple(places), download_commands(preset, own_folder(preset)))


def _folder_of(source: str) -> Path | Remark | str:
    """The folder a source stands for, or what is wrong there: "" where there is simply nothing."""
    kind, _, name = source.partition(":")
    match kind:
        case "builtin":
            return _with_config(BUILTIN / name)
        case "hf":
            return _in_hub_cache(name)
        case "modelscope":
            return _in_modelscope_cache(name)
        case "awq":
            return _made(name)
    path = folder_meant(source)
    return _with_config(path) if isinstance(path, Path) else path


def _why_never(preset: Preset, source: str) -> Remark | str:
    """Why nothing can ever come to a source where there is nothing; "" where something can."""
    kind, _, name = source.partition(":")
    if kind == "builtin":
        known = sorted(each.parent.name for each in BUILTIN.glob(f"*/{CONFIG}"))
        return Remark("not built in; these are: {names}", (("names", ", ".join(known)),))
    if kind == "awq" and not _making(preset, name):
        return Remark("there is no other preset {name} to make it of", (("name", name),))
    return ""


def folder_meant(source: str) -> Path | Remark | str:
    """The folder that a source of the user's own means, its variables and ``~`` expanded; else why it means
    none, or "" where a variable is not set."""
    if any(not os.environ.get(one or other) for one, other in _VARIABLE.findall(source)):
        return ""
    try:
        return expanded(_VARIABLE.sub(lambda found: os.environ[found[1] or found[2]], source))
    except LauncherError as error:
        return error.remark


def _made(preset: str) -> Path | Remark | str:
    try:
        return _with_config(quantized_folder(preset))
    except LauncherError as error:
        return error.remark


def quantized_folder(preset: str) -> Path:
    """Where `launcher quantize` puts what it makes of a preset's checkpoint, unless it is told: among the
    user's own models, else in the launcher's cache.

    Raises:
        RequestError: LAUNCHER_MODELS begins with a home folder that nobody knows.
    """
    return (named_by(MODELS_VARIABLE) or cache_folder() / "models") / f"{preset}-awq"


def _with_config(folder: Path) -> Path | Remark | str:
    if is_file(folder / CONFIG):
        return folder
    return Remark("holds no {file}", (("file", CONFIG),)) if is_folder(folder) else ""


def _in_hub_cache(name: str) -> Path | Remark | str:
    """Hugging Face's cache. A config alone does not count: it is there as soon as somebody has looked at the
    tokenizer."""
    try:
        cache = hub_cache()
        from huggingface_hub import try_to_load_from_cache

        config = try_to_load_from_cache(name, CONFIG, cache_dir=cache)
    except LauncherError as error:
        return error.remark
    except (ValueError, OSError) as error:  # no name that a repository can have; a cache that cannot be read
        return str(error).partition("\n")[0]
    if not isinstance(config, str):
        return ""
    folder = Path(config).parent
    return folder if _has_weights(folder) else Remark("only a part was downloaded")


def _in_modelscope_cache(name: str) -> Path | Remark | str:
    """ModelScope's cache, whose layout changed twice, and which writes a dot in a name as three
    underscores."""
    try:
        cache = modelscope_cache()
    except LauncherError as error:
        return error.remark
    for middle in ("hub/models", "models", "hub"):
        for written in (name, name.replace(".", "___")):
            folder = cache / middle / written
            if is_file(folder / CONFIG) and _has_weights(folder):
                return folder
    return ""


def hub_cache() -> Path:
    """Where Hugging Face's programs keep what they fetch; huggingface_hub reads the variables for it.

    Raises:
        RequestError: the user's home is not known, or a variable has a value that huggingface_hub refuses.
    """
    try:
        # 0.2 s that only presets with a hub source cost. Each name is loaded when it is first asked for: all
        # that are used anywhere are, so that what one of them refuses is said here.
        from huggingface_hub import constants, get_token, hf_hub_url, try_to_load_from_cache  # noqa: F401
    except ValueError:  # which may quote a mirror's password
        raise RequestError(
            "huggingface_hub refuses a variable of this environment that begins with HF_",
            "Look at them with: env | grep ^HF_",
        ) from None
    return expanded(constants.HF_HUB_CACHE)


def modelscope_cache() -> Path:
    """Where ModelScope keeps its files: MODELSCOPE_CACHE, else below the user's home.

    Raises:
        RequestError: the user's home is not known.
    """
    return named_by("MODELSCOPE_CACHE") or expanded("~/.cache/modelscope")


def _has_weights(folder: Path) -> bool:
    return any(True for pattern in WEIGHTS for _ in folder.glob(pattern))


def download_commands(preset: Preset, into: Path | None = None) -> tuple[str, ...]:
    """What fetches the checkpoint, exactly as it can be typed here, best first: the launcher's own command,
    then the hubs' programs.

    Args:
        preset: whose checkpoint; only its hub and ModelScope sources can be fetched, and its awq: ones made.
        into: the folder that the hubs' programs are to fetch into; None for their own cache, where ``locate``
            looks as well. ``launcher pull`` finds out for itself.
    """
    commands = []
    for source in preset.sources:
        kind, _, name = source.partition(":")
        if kind == "hf":
            commands.append(
                f"{program('hf')} download {name}"
                + (f" --local-dir {shlex.quote(str(into))}" if into else "")
            )
        elif kind == "modelscope":
            target = f" --local_dir {shlex.quote(str(into))}" if into else ""
            commands.append(f"{program('modelscope')} download --model {name}{target}")
    pull = (command("pull", preset.name, presets=preset.given),) if commands else ()
    kinds = (source.partition(":") for source in preset.sources)
    made = (_making(preset, name) for kind, _, name in kinds if kind == "awq")
    return (*pull, *commands, *filter(None, made))


def _making(preset: Preset, name: str) -> str:
    """The command that makes a preset's model in four bits of the one of this name, which stands beside it or
    among the usual ones; "" where no other preset has the name."""
    for given in dict.fromkeys((preset.given, ())):
        found = read_presets([Path(each) for each in given]).presets
        if name != preset.name and any(each.name == name for each in found):
            return command("quantize", name, presets=given)
    return ""


def own_folder(preset: Preset) -> Path | None:
    """Where the preset looks below LAUNCHER_MODELS, if that is set: where ``locate`` looks as well."""
    for source in preset.sources:
        meant = folder_meant(source) if _names_models_folder(source) else ""
        if isinstance(meant, Path):
            return meant
    return None


def _names_models_folder(source: str) -> bool:
    return any(MODELS_VARIABLE in found for found in _VARIABLE.findall(source))
