"""Preset files -> presets, with every fault named as ``file:line: key.path: sentence``; a wrong file never
spoils the others."""

from __future__ import annotations

import difflib
import json
import os
import stat
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from launcher.commands_here import command
from launcher.errors import LauncherError, PresetError
from launcher.presets import yaml_tree
from launcher.presets.schema import Example, Preset
from launcher.presets.sentences import sentences
from launcher.presets.yaml_tree import YamlError, YamlTree
from launcher.user_folders import expanded, is_file, is_folder

MAX_FILE_BYTES = 64 * 1024
"""A preset is a page of text; a larger file is something else, and is refused unread."""

_PACKAGE = Path(__file__).resolve().parent.parent
BUILTIN_PICTURES = _PACKAGE / "demo" / "pictures"


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a set of preset files holds: the presets, in the files' order, and one error for each thing
    wrong. ``paths`` are those that were read, none for the launcher's own."""

    presets: tuple[Preset, ...]
    errors: tuple[PresetError, ...]
    paths: tuple[Path, ...] = ()

    def find(self, name: str) -> Preset:
        """The preset of this name.

        Raises:
            PresetError: there is none; the hint names the nearest, or all.
        """
        names = [preset.name for preset in self.presets]
        if name in names:
            return self.presets[names.index(name)]
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


def read_presets(paths: Sequence[Path] = ()) -> Catalog:
    """Reads preset files, and all ``*.yaml`` and ``*.yml`` in folders but hidden ones, in order; without
    paths the launcher's own.

    Of two presets of one name the first stays. Never raises for what a file holds: see ``Catalog.errors``.
    """
    presets: list[Preset] = []
    errors: list[PresetError] = []
    homes: dict[str, str] = {}
    for given, file in _files(paths or (default_folder(),), errors):
        try:
            preset, line = _read_file(file)
            _check_unique(preset, f"{_shown(file)}:{line}", homes)
        except _WrongFileError as faults:
            errors.extend(faults.errors)
        except Exception as error:  # noqa: BLE001 - whatever a file holds, the others can be used
            reason = f"{type(error).__name__}: {error}"
            errors.append(PresetError("{file}: cannot be read: {reason}", file=_shown(file), reason=reason))
        else:
            presets.append(preset.found_in(given) if paths else preset)
    return Catalog(tuple(presets), tuple(errors), tuple(paths))


class _WrongFileError(Exception):
    """All that is wrong with one file."""

    def __init__(self, *errors: PresetError) -> None:
        super().__init__(*errors)
        self.errors = errors


def _files(paths: Sequence[Path], errors: list[PresetError]) -> Iterator[tuple[Path, Path]]:
    """Each file once, with the path that led to it."""
    seen: set[str] = set()
    for path in paths:
        for file in _files_of(path, errors) if is_folder(path) else [path]:
            try:
                real = os.path.realpath(file)  # unlike Path.resolve, takes a link that leads to itself
            except ValueError:  # a name that no file can have
                real = str(file)
            if real not in seen:
                seen.add(real)
                yield path, file


def _files_of(folder: Path, errors: list[PresetError]) -> list[Path]:
    """The preset files in a folder. Hidden ones are none: editors and file systems leave such beside them."""
    try:
        found = [file for file in folder.iterdir() if _is_preset_name(file)]
    except OSError as error:
        errors.append(
            PresetError("{file}: cannot be read: {reason}", file=_shown(folder), reason=_reason(error))
        )
        return []
    if not found:
        errors.append(PresetError("{file}: holds no preset file (*.yaml)", file=_shown(folder)))
    return sorted(found, key=lambda file: (file.stem, file.suffix))


def _is_preset_name(file: Path) -> bool:
    return file.suffix in (".yaml", ".yml") and not file.name.startswith(".")


def _read_file(file: Path) -> tuple[Preset, int]:
    """A file's preset and the line its name stands on."""
    tree = _tree(file)
    if tree.data is None:
        raise _fault(file, 1, "the file is empty; it must hold a preset, beginning with its name:")
    try:
        # The file's data is JSON's data: strict JSON mode takes lists for tuples and texts for paths, and
        # nothing else.
        preset = Preset.model_validate_json(json.dumps(tree.data))
    except ValidationError as error:
        found = [_error(file, each.line, each.template, each.values) for each in sentences(error, tree)]
        raise _WrongFileError(*found) from error
    return _with_places(preset, file, tree), tree.lines["name",]


def _tree(file: Path) -> YamlTree:
    content = _content(file)
    try:
        return yaml_tree.parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _fault(file, line, "the file is not UTF-8 text; save it as UTF-8") from error
    except YamlError as fault:
        raise _WrongFileError(_error(file, fault.line, fault.sentence, fault.values)) from fault


def _content(file: Path) -> bytes:
    try:
        number = os.open(
            file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
        )  # a pipe must not hold up the start
        with os.fdopen(number, "rb") as opened:
            facts = os.fstat(number)
            if not stat.S_ISREG(facts.st_mode):
                raise _WrongFileError(PresetError("{file}: is not a file", file=_shown(file)))
            content = opened.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise _WrongFileError(
            PresetError("{file}: there is no such file or folder", file=_shown(file))
        ) from error
    except (OSError, ValueError) as error:
        raise _WrongFileError(
            PresetError("{file}: cannot be read: {reason}", file=_shown(file), reason=_reason(error))
        ) from error
    if len(content) > MAX_FILE_BYTES:
        size = max(facts.st_size, len(content))
        raise _fault(
            file,
            1,
            "the file has {size} bytes; a preset has at most {limit}",
            size=size,
            limit=MAX_FILE_BYTES,
        )
    return content


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _check_unique(preset: Preset, place: str, homes: dict[str, str]) -> None:
    """Names count as the same when their pages' addresses would be: ``a-b`` and ``a.b`` both answer at
    ``/chat_a_b``."""
    if preset.api_name in homes:
        raise _WrongFileError(
            PresetError(
                "{place}: name: {name} is taken already, in {first} (names that differ only in '-', '_'"
                " and '.' count as one)",
                place=place,
                name=preset.name,
                first=homes[preset.api_name],
            )
        )
    homes[preset.api_name] = place


def _with_places(preset: Preset, file: Path, tree: YamlTree) -> Preset:
    """Turns what the file gives relative to itself into absolute paths, and checks that the pictures are
    there."""
    folder = _folder(file)
    sources = tuple(str(folder / source) if source.startswith(".") else source for source in preset.sources)
    examples = tuple(
        _example(example, position, file, tree) for position, example in enumerate(preset.examples)
    )
    return preset.model_copy(update={"sources": sources, "examples": examples})


def _example(example: Example, position: int, file: Path, tree: YamlTree) -> Example:
    pictures = []
    for index in range(len(example.pictures)):
        key = ("examples", position, "pictures", index)
        shown, line = yaml_tree.shown(key), tree.lines[key]
        try:
            found = _picture(str(tree.value(key)), _folder(file))
        except LauncherError as error:
            raise _fault(file, line, "{key}: {reason}", key=shown, reason=error.message) from error
        if fault := _picture_fault(found, _folder(file)):
            raise _fault(file, line, f"{{key}}: {fault}", key=shown, picture=_printable(found))
        pictures.append(found)
    return example.model_copy(update={"pictures": tuple(pictures)})


def _picture(written: str, folder: Path) -> Path:
    """The file that is meant, from the text itself: a ``Path`` has forgotten the dot of ``./~x``."""
    builtin = written.removeprefix("builtin:")
    return folder / expanded(written) if builtin == written else BUILTIN_PICTURES / Path(builtin).name


def _picture_fault(picture: Path, folder: Path) -> str:
    """What is wrong with an example's picture, "" for nothing. The page shows it to whoever opens it: a
    preset from elsewhere must not be able to name any file that this user can read."""
    if not is_file(picture):
        return "there is no file {picture}"
    if picture.parent == BUILTIN_PICTURES:
        return ""
    real = Path(os.path.realpath(picture))
    if not real.is_relative_to(folder):
        return "{picture} does not lie beside the preset's file or below; copy it there"
    from launcher.images import check_upload  # a tenth of a second that only presets with pictures cost

    try:
        check_upload(real)
    except LauncherError:
        return "{picture} is not a picture that can be shown"
    return ""


def _folder(file: Path) -> Path:
    return Path(os.path.realpath(file)).parent


def _fault(file: Path, line: int, sentence: str, **values: object) -> _WrongFileError:
    return _WrongFileError(_error(file, line, sentence, values))


def _error(file: Path, line: int, sentence: str, values: Mapping[str, object]) -> PresetError:
    return PresetError("{file}:{line}: " + sentence, "", file=_shown(file), line=line, **values)


def _shown(file: Path) -> str:
    """As short as it can be typed from here."""
    try:
        here = Path.cwd()
    except OSError:  # the folder was deleted
        return _printable(file)
    absolute = Path(os.path.abspath(file))  # noqa: PTH100 - Path.resolve would follow links away from what was typed
    return _printable(absolute.relative_to(here) if absolute.is_relative_to(here) else file)


def _printable(file: Path) -> str:
    """On one line and of letters that any page can show, whatever bytes the name has."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in str(file))
