"""The terminal starts at once: no command loads what only a worker or the page needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "transformers", "lmdeploy", "gradio")


@pytest.mark.parametrize("command", [["--help"], ["presets"], ["--version"]], ids=" ".join)
def test_the_terminal_starts_without_heavy_packages(command: list[str]) -> None:
    program = (
        "import sys; from launcher.__main__ import main\n"
        f"sys.argv[1:] = {command!r}\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
