"""docs/how-to/add-a-family.md does what it says: its file alone makes a new architecture known."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from launcher import families
from launcher.families import FAMILIES, Family
from tests.models.tiny import write_internlm2

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/how-to/add-a-family.md"
PRESET = "name: example\ntitle: Example\nkind: text\nengine: transformers\nsources: [{folder}]\n"


def test_the_file_of_the_guide_is_all_that_it_takes(tmp_path: Path) -> None:
    """A copy of the launcher, the guide's file put in, and the commands ask it about such a checkpoint."""
    copied = shutil.copytree(
        ROOT / "launcher", tmp_path / "launcher", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    folder = write_internlm2(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["ExampleForCausalLM"]}))
    (tmp_path / "example.yaml").write_text(PRESET.format(folder=folder), encoding="utf-8")
    assert state(tmp_path)["state"] == "unsupported"

    (block,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (copied / "families/example.py").write_text(block, encoding="utf-8")
    assert (state(tmp_path)["state"], state(tmp_path)["engine"]) == ("ready", "transformers")


def state(copy: Path) -> dict[str, str]:
    command = [sys.executable, "-m", "launcher", "presets", str(copy / "example.yaml"), "--json"]
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=copy, env=environment, timeout=120
    )
    found: dict[str, str] = next(each for each in json.loads(done.stdout) if each["name"] == "example")
    return found


@pytest.mark.parametrize("family", FAMILIES, ids=lambda each: each.title)
def test_the_code_that_a_family_names_is_there(family: Family) -> None:
    if family.plug_in and find_spec("lmdeploy") is None:
        pytest.skip("the plug-in needs LMDeploy")
    for path in filter(None, (family.loader, family.layered, family.decoder, family.plug_in)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
            assert callable(families.code(path))
