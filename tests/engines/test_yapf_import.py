"""LMDeploy's import does not read what another process has half written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("yapf", reason="yapf is not installed")

PLAIN = "import yapf"
OURS = "from launcher.engines.yapf_import import import_yapf; import_yapf(); import yapf"


def run(code: str, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True)


def test_a_half_written_cache_is_not_read(tmp_path: Path) -> None:
    assert run(PLAIN, tmp_path).returncode == 0
    written = sorted(tmp_path.rglob("*.pickle"))
    assert written
    for file in written:
        os.truncate(file, file.stat().st_size // 2)
    assert "EOFError" in run(PLAIN, tmp_path).stderr or "UnpicklingError" in run(PLAIN, tmp_path).stderr
    assert run(OURS, tmp_path).returncode == 0


@pytest.mark.parametrize("before", ["", "/elsewhere"])
def test_the_environment_is_as_before(before: str) -> None:
    told = f"import os; os.environ.update({ ({'XDG_CACHE_HOME': before} if before else {})!r}); "
    told += "" if before else "os.environ.pop('XDG_CACHE_HOME', None); "
    asked = "; print(os.environ.get('XDG_CACHE_HOME', ''))"
    code = told + "from launcher.engines.yapf_import import import_yapf; import_yapf()" + asked
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == before
