"""Preset files -> presets, with every fault named as ``file:line: key.path: sentence``; a wrong file never
spoils the others."""

from __future__ import annotations

import difflib
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.commands_here import command
from launcher.errors import PresetError
from launcher.presets.extending import Reader
from launcher.presets.files import WrongFileError, cannot_be_read, real, shown_file
from launcher.presets.schema import Preset
from launcher.user_folders import config_folder, is_folder

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a set of preset files holds: the presets, in the files' order, and one error for each thing
    wrong. ``paths`` are those that were read, none where nobody named any; ``replacing`` are then files of
    the user's own, by the names of the built-in presets whose places theirs take."""

    presets: tuple[Preset, ...]
    errors: tuple[PresetError, ...]
    paths: tuple[Path, ...] = ()
    replacing: tuple[tuple[str, Path], ...] = ()

    def find(self, name: str) -> Preset:
        """The preset of this name.

        Raises:
            PresetError: there is none, or no name; the hint names the nearest, or all.
        """
        names = [preset.name for preset in self.presets]
        if name in names:
            return self.presets[names.index(name)]
        if names and not name.strip():
            raise PresetError(
                "The name of the preset is empty", "These can be used: {names}", names=", ".join(names)
            )
        near = difflib.get_close_matches(name, names, n=1)
        if near:
            raise PresetError("There is no preset {name}", "Did you mean {near}?", name=name, near=near[0])
        if names:
            raise PresetError(
                "There is no preset {name}", "These can be used: {names}", name=name, names=", ".join(names)
            )
        raise PresetError(
            "There is no preset {name}: no preset file could be read",
            "Type: {command}",
            name=name,
            command=command("presets", "--check", *self.paths),
        )


def default_folder() -> Path:
    """The folder of presets that comes with the launcher: beside the package in a clone, else where pip
    installs data files."""
    beside = _PACKAGE.parent / "presets"
    return beside if beside.is_dir() else Path(sysconfig.get_path("data")) / "share" / "launcher" / "presets"


def users_folder() -> Path:
    """The folder of the user's own presets, which need not be there; every command reads it beside
    ``default_folder``."""
    return config_folder() / "presets"


def read_presets(paths: Sequence[Path] = ()) -> Catalog:
    """Reads preset files, and all ``*.yaml`` and ``*.yml`` in folders but hidden ones, in order; without
    paths the launcher's own and the user's, whose presets take the places of built-in ones of their names.

    Of two presets of one name the first stays. Never raises for what a file holds: see ``Catalog.errors``.
    """
    if not paths:
        return _without_paths()
    found = _read(paths, Reader(_Beside(paths)))
    presets = (preset.found_in(given) for preset, given, _ in found.presets)
    return Catalog(tuple(presets), tuple(found.errors), tuple(paths))


def _without_paths() -> Catalog:
    reader = Reader(_Beside(()))
    ours = _read((default_folder(),), reader)
    users = _read(_users(), reader)
    by_page = {preset.api_name: (preset, file) for preset, _, file in users.presets}
    replacing = [
        (preset.name, by_page[preset.api_name][1])
        for preset, _, _ in ours.presets
        if preset.api_name in by_page
    ]
    presets = [by_page.pop(preset.api_name, (preset, file))[0] for preset, _, file in ours.presets]
    presets += [preset for preset, _ in by_page.values()]
    return Catalog(tuple(presets), (*users.errors, *ours.errors), (), tuple(replacing))


def _users() -> tuple[Path, ...]:
    """The user's own folder, where there is one; most users have none."""
    return (users_folder(),) if is_folder(users_folder()) else ()


class _Beside:
    """Where a preset is looked for that another one names: among the files that are read, then the user's,
    then the launcher's own. Nothing is looked up until it is asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __iter__(self) -> Iterator[Path]:
        for _, file in _files((*self._paths, *_users(), default_folder()), []):
            yield file


@dataclass(frozen=True, slots=True)
class _Found:
    """The presets with the path that led to each and its file, and what is wrong with the others."""

    presets: list[tuple[Preset, Path, Path]]
    errors: list[PresetError]


def _read(paths: Sequence[Path], reader: Reader) -> _Found:
    found = _Found([], [])
    homes: dict[str, str] = {}
    for given, file in _files(paths, found.errors):
        try:
            one = reader.read(file)
            _check_unique(one.preset, f"{shown_file(file)}:{one.name_line}", homes)
        except WrongFileError as wrong:
            found.errors.extend(wrong.errors)
        except Exception as error:  # noqa: BLE001 - whatever a file holds, the others can be used
            found.errors.append(cannot_be_read(file, error))
        else:
            found.presets.append((one.preset, given, file))
    return found


def _files(paths: Sequence[Path], errors: list[PresetError]) -> Iterator[tuple[Path, Path]]:
    """Each file once, with the path that led to it."""
    seen: set[str] = set()
    for path in paths:
        for file in _files_of(path, errors) if is_folder(path) else [path]:
            if real(file) not in seen:
                seen.add(real(file))
                yield path, file


def _files_of(folder: Path, errors: list[PresetError]) -> list[Path]:
    """The preset files in a folder, in order. Hidden ones are none: editors and file systems leave such
    beside them."""
    try:
        found = [file for file in folder.iterdir() if _is_preset_name(file)]
    except OSError as error:
        errors.append(cannot_be_read(folder, error))
        return []
    if not found and folder != users_folder():  # which may be empty
        errors.append(PresetError("{file}: holds no preset file (*.yaml)", file=shown_file(folder)))
    return sorted(found, key=lambda file: (file.stem, file.suffix))


def _is_preset_name(file: Path) -> bool:
    return file.suffix in (".yaml", ".yml") and not file.name.startswith(".")


def _check_unique(preset: Preset, place: str, homes: dict[str, str]) -> None:
    """Names count as the same when their pages' addresses would be: ``a-b`` and ``a.b`` both answer at
    ``/chat_a_b``."""
    if preset.api_name in homes:
        raise WrongFileError(
            PresetError(
                "{place}: name: {name} is taken already, in {first} (names that differ only in '-', '_'"
                " and '.' count as one)",
                place=place,
                name=preset.name,
                first=homes[preset.api_name],
            )
        )
    homes[preset.api_name] = place
