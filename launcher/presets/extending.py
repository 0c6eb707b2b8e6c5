"""One preset file at a time, with what it ``extends:`` beneath: presets are merged as YAML, before the schema
looks at them, so that a preset that extends another is checked as any other."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from launcher.errors import LauncherError
from launcher.presets.files import WrongFileError, fault, fault_error, real, shown_file, tree_of
from launcher.presets.places import with_folders, with_pictures
from launcher.presets.schema import Preset
from launcher.presets.sentences import sentences
from launcher.presets.yaml_tree import Data, YamlTree
from launcher.presets.yaml_tree import Path as Key
from launcher.user_folders import expanded

MAX_CHAIN = 8
"""How many presets may extend one another: nobody can follow more."""

_EXTENDS: Key = ("extends",)
_MERGED = ("memory", "chat", "generation")


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A right preset, and the YAML that it was made from, with what it extends."""

    preset: Preset
    tree: YamlTree

    @property
    def name_line(self) -> int:
        """Where its name stands."""
        return self.tree.lines["name",]


class Reader:
    """Reads files.

    Args:
        files: those whose presets can be extended by name; of two of one name the first.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = files

    def read(self, file: Path, extending: tuple[Path, ...] = ()) -> ReadFile:
        """A file's preset.

        Args:
            file: which.
            extending: the files on whose behalf it is read, the first of them first.

        Raises:
            WrongFileError: the file is wrong, or what it extends.
        """
        own = tree_of(file)
        if own.data is None:
            raise fault(file, 1, "the file is empty; it must hold a preset, beginning with its name:")
        base = self._base(file, own, (*extending, file)) if _EXTENDS in own.lines else None
        tree = _laid_over(own, base.tree) if base else own
        try:
            # The file's data is JSON's data: strict JSON mode takes lists for tuples and texts for paths, and
            # nothing else.
            preset = Preset.model_validate_json(json.dumps(tree.data))
        except ValidationError as error:
            found = [
                fault_error(file, each.line, each.template, each.values) for each in sentences(error, tree)
            ]
            raise WrongFileError(*found) from error
        return ReadFile(_with_places(preset, file, own, base), tree)

    def _base(self, file: Path, own: YamlTree, chain: tuple[Path, ...]) -> ReadFile:
        """What a file extends, a right preset by itself."""
        line, written = own.lines[_EXTENDS], own.value(_EXTENDS)
        if not (isinstance(written, str) and written.strip()):
            raise fault(file, line, "extends: takes the name of a preset, or its file such as ./base.yaml")
        base = self._file_of(written, file, line)
        if real(base) in map(real, chain):
            way = " → ".join(shown_file(each) for each in (*chain, base))
            raise fault(file, line, "extends: leads in a circle: {way}", way=way)
        if len(chain) == MAX_CHAIN:
            raise fault(file, line, "extends: more than {limit} presets extend one another", limit=MAX_CHAIN)
        try:
            return self.read(base, chain)
        except WrongFileError as wrong:
            values = {"base": shown_file(base), "reason": wrong.errors[0].message}
            raise fault(file, line, "extends: {base} cannot be used: {reason}", **values) from wrong

    def _file_of(self, written: str, file: Path, line: int) -> Path:
        """The file that is meant: a path has a slash or ends as preset files do."""
        if "/" in written or written.startswith("~") or written.endswith((".yaml", ".yml")):
            try:
                return file.parent / expanded(written)
            except LauncherError as error:
                raise fault(file, line, "extends: {reason}", reason=error.message) from error
        named = {name: path for name, path in reversed(self._named) if real(path) != real(file)}
        if written in named:
            return named[written]
        near = difflib.get_close_matches(written, named, n=1) or sorted(named)
        raise fault(
            file,
            line,
            "extends: there is no preset {name}; there is {names} (a file is written as ./base.yaml)",
            name=written,
            names=", ".join(near) or "no other",
        )

    @cached_property
    def _named(self) -> Sequence[tuple[str, Path]]:
        """The files by their presets' names; one that is no YAML is known by its own."""
        return [(_name_in(file), file) for file in self._files]


def _name_in(file: Path) -> str:
    try:
        data = tree_of(file).data
    except WrongFileError:
        return file.stem
    return str(data["name"]) if isinstance(data, dict) and "name" in data else file.stem


def _laid_over(own: YamlTree, base: YamlTree) -> YamlTree:
    """A preset's keys over those of the one that it extends, whose values count as standing on the line that
    says ``extends``."""
    assert isinstance(own.data, dict) and isinstance(base.data, dict)  # noqa: PT018 - both have a key
    inherited = {key: value for key, value in base.data.items() if key != "name"}
    data: dict[str, Data] = {
        **inherited,
        **{key: _merged(key, inherited.get(key), value) for key, value in own.data.items()},
    }
    here = own.lines[_EXTENDS]
    lines = {key: here for key in base.lines if key and key != ("name",) and not _is_replaced(key, own)}
    return YamlTree(data, lines | own.lines)


def _merged(key: str, base: Data, own: Data) -> Data:
    if key in _MERGED and isinstance(base, dict) and isinstance(own, dict):
        return {**base, **own}
    return own


def _is_replaced(key: Key, own: YamlTree) -> bool:
    """Whether nothing of the other preset stands at this key any more."""
    if key[:1] not in own.lines:
        return False
    return key[0] not in _MERGED or not isinstance(own.value(key[:1]), dict) or key[:2] in own.lines


def _with_places(preset: Preset, file: Path, own: YamlTree, base: ReadFile | None) -> Preset:
    """What the preset gives relative to its file as absolute paths; what it has from another lies where that
    one says."""
    if base and ("sources",) not in own.lines:
        sources = base.preset.sources
    else:
        sources = with_folders(preset.sources, file)
    if base and ("examples",) not in own.lines:
        examples = base.preset.examples
    else:
        examples = with_pictures(preset.examples, file, own)
    return preset.model_copy(update={"sources": sources, "examples": examples})
