"""A launcher on a disk that takes no byte more: what needs none goes on, and what does says so."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.client import Page, Refused
from tests.soak.server import ROOT, launched

FULL = (
    sys.executable,
    "-c",
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
    " os.execv(sys.argv[1], sys.argv[1:])",
)
"""Runs a command that can write to no file (EFBIG), pipes and sockets aside, nor can what it starts."""


def test_questions_are_answered_and_pictures_refused(tmp_path: Path) -> None:
    """The disk fills while the page is served; a model whose process is started then is among those asked."""
    with launched(tmp_path) as launcher:
        resource.prlimit(launcher.pid, resource.RLIMIT_FSIZE, (0, 0))
        page = Page(launcher.url)
        page.open()
        assert page.answer("first", "hello") == "hello "
        with pytest.raises(Refused, match="could not store the picture"):
            page.upload(b"x" * 100_000)
        page.unload("second")
        assert page.answer("second", "/print 100\nstill here") == "still here "
        page.close()
    assert not any(file.stat().st_size for file in (tmp_path / "tmp").rglob("*") if file.is_file())


def test_a_model_that_needs_a_temporary_file_says_so(tmp_path: Path) -> None:
    own = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
    # PyTorch keeps the folder that it has chosen in this process in the environment, and looks no more then.
    others = {name: value for name, value in os.environ.items() if not name.startswith("TORCHINDUCTOR_")}
    done = subprocess.run(
        [*FULL, sys.executable, "-m", "launcher", "ask", "tiny-chat", "Hello"],
        cwd=ROOT,
        env={**others, "PYTHONPATH": str(ROOT), **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (8, "")
    assert "launcher: tiny-chat could not be loaded: the disk takes no more files: " in done.stderr
    assert "export TMPDIR=/folder" in done.stderr
