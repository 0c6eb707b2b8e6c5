"""docs/how-to/add-an-engine.md does what it says: its file alone makes an engine that users can name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.engines import table
from launcher.engines.declaration import Declaration
from launcher.presets import json_schema
from tests.scripted_engine import SCRIPTED

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / f"docs/how-to/add-an-engine{language}.md" for language in ("", ".zh-CN")]
PRESET = "name: polly\ntitle: Polly\nkind: text\nengine: parrot\nsources: {folder}\n"


def blocks(guide: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the launcher, and a preset of the guide's engine."""
    for name in ("launcher", "presets"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    (tmp_path / "polly.yaml").write_text(PRESET.format(folder=tmp_path), encoding="utf-8")
    return tmp_path


def launcher(copied: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "launcher", *arguments],
        cwd=copied, env={**os.environ, "PYTHONPATH": str(copied)},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


def test_the_file_of_the_guide_is_all_that_it_takes(copied: Path) -> None:
    asking = ("ask", "polly", "--presets", "polly.yaml", "--json", "good morning  polly")
    assert '"parrot" is not one of auto, pytorch, transformers, turbomind' in launcher(copied, *asking).stderr

    (block,) = blocks(GUIDES[0])
    (copied / "launcher/engines/declared/parrot.py").write_text(block, encoding="utf-8")
    done = launcher(copied, *asking)
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert (answer["text"], answer["finish_reason"]) == ("good morning polly ", "stop")
    assert '"parrot"' in launcher(copied, "presets", "--schema").stdout


def test_both_guides_have_the_same_file() -> None:
    assert blocks(GUIDES[0]) == blocks(GUIDES[1])


def test_an_engine_that_is_registered_is_known_and_not_shown() -> None:
    assert table.find("scripted") is SCRIPTED
    assert SCRIPTED not in table.shown()
    assert "scripted" not in json.dumps(json_schema())


def test_no_engine_takes_anothers_name() -> None:
    with pytest.raises(ValueError, match="there is an engine transformers already"):
        table.register(replace(SCRIPTED, name="transformers"))


@pytest.mark.parametrize("engine", table.shown(), ids=lambda each: each.name)
def test_the_class_that_an_engine_names_is_there(engine: Declaration) -> None:
    assert callable(table.engine_class(engine.runs))
