"""What a preset gives relative to its own file -> absolute paths; its examples' pictures are looked at."""

from __future__ import annotations

import os
from pathlib import Path

from launcher.errors import LauncherError, PresetError
from launcher.presets import yaml_tree
from launcher.presets.files import fault, printable
from launcher.presets.schema import Example
from launcher.presets.yaml_tree import YamlTree
from launcher.user_folders import expanded, is_file

BUILTIN_PICTURES = Path(__file__).resolve().parent.parent / "demo" / "pictures"


def with_folders(sources: tuple[str, ...], file: Path) -> tuple[str, ...]:
    """The sources, with folders that begin with a dot taken from the file's own."""
    folder = _folder(file)
    return tuple(str(folder / source) if source.startswith(".") else source for source in sources)


def with_pictures(examples: tuple[Example, ...], file: Path, tree: YamlTree) -> tuple[Example, ...]:
    """The examples, with their pictures found.

    Raises:
        WrongFileError: one of them is not there, is no picture, or lies elsewhere.
    """
    return tuple(_example(example, position, file, tree) for position, example in enumerate(examples))


def _example(example: Example, position: int, file: Path, tree: YamlTree) -> Example:
    pictures = []
    for index in range(len(example.pictures)):
        key = ("examples", position, "pictures", index)
        shown, line = yaml_tree.shown(key), tree.lines[key]
        try:
            found = _picture(str(tree.value(key)), _folder(file))
        except LauncherError as error:
            raise fault(file, line, "{key}: {reason}", key=shown, reason=error.message) from error
        if wrong := _picture_fault(found, _folder(file)):
            raise fault(file, line, f"{{key}}: {wrong}", key=shown, picture=printable(found))
        pictures.append(found)
    return example.model_copy(update={"pictures": tuple(pictures)})


def _picture(written: str, folder: Path) -> Path:
    """The file that is meant, from the text itself: a ``Path`` has forgotten the dot of ``./~x``.

    Raises:
        LauncherError: the home folder of nobody, or a built-in picture that there is not.
    """
    builtin = written.removeprefix("builtin:")
    if builtin == written:
        return folder / expanded(written)
    found = BUILTIN_PICTURES / Path(builtin).name
    if not is_file(found):
        raise PresetError(
            "{picture} is not built in; these are: {known}",
            picture=printable(Path(written)),
            known=", ".join(sorted(each.name for each in BUILTIN_PICTURES.glob("*.png"))),
        )
    return found


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
