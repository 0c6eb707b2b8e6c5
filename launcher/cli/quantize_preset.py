"""How the new checkpoint is asked: by a preset that finds it, else by one that is written for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from launcher.checkpoints import Located, locate
from launcher.cli.preset_writing import preset_text, write_preset
from launcher.commands_here import command
from launcher.errors import LauncherError, PresetError
from launcher.presets import Preset, read_presets, users_folder


def what_next(preset: Preset, target: Path) -> str:
    """What to type to ask it, of a preset in 16 bits and the folder of the same in four."""
    for other in read_presets([Path(each) for each in preset.given]).presets:
        found = locate(other)
        if isinstance(found, Located) and found.folder.exists() and found.folder.samefile(target):
            return f"To ask it, type: {command('ask', other.name, '…', presets=other.given)}"
    try:
        file = _written(preset, target)
    except (LauncherError, OSError) as error:
        line = json.dumps(str(target), ensure_ascii=False)
        return f"No preset was written: {error}\nPut a line first among a preset's sources:\n  - {line}"
    return f"Wrote {file}\nTo ask it, type: {command('ask', file.stem, '…')}"


def _written(preset: Preset, target: Path) -> Path:
    """A preset of the user's own, which has all else from the one in 16 bits.

    Raises:
        PresetError: that one cannot be extended by its name.
        OSError: the system refuses to write.
    """
    if preset.given:
        raise PresetError("{name} is in none of the usual folders", name=preset.name)
    taken = {each.name for each in read_presets().presets}
    called = next(name for name in _names(preset.name) if name not in taken)
    keys = {
        "name": called,
        "extends": preset.name,
        "title": {"en": f"{preset.title.en} AWQ", "zh": f"{preset.title.zh} AWQ"},
        "sources": [str(target)],
    }
    file = users_folder() / f"{called}.yaml"
    write_preset(file, preset_text([f"Made by: launcher quantize {preset.name}"], keys))
    return file


def _names(name: str) -> Iterator[str]:
    own = f"{name[:56]}-awq"
    yield own
    yield from (f"{own}-{number}" for number in range(2, 100))
