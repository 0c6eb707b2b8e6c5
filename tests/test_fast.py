"""``pytest --fast``: what it leaves out, and that what it runs stays fast. ``pytest -n``: who stays
together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fast import ROOT, is_fast


@pytest.mark.parametrize(
    ("code", "fast"),
    [
        ("import json\nfrom launcher.memory import MemoryPlan", True),
        ("import torch", False),
        ("from transformers.models import llama", False),
        ("import pytest\nlmdeploy = pytest.importorskip('lmdeploy')", False),
        ("try:\n    import torch\nexcept ImportError:\n    pass", False),
        ("from launcher.models import internlm2", False),  # the module, by way of its package
        ("from tests.cli.conftest import Launch", False),
        ("from launcher.workers.manager import Manager", False),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch", True),
        ("def test_it():\n    import torch", True),  # and then it fails: below
    ],
)
def test_a_file_is_fast_by_what_it_imports(code: str, fast: bool, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(code, encoding="utf-8")
    assert is_fast(tmp_path / "test_it.py") == fast


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The tests of a folder, by the rules of ours."""
    hooks = "pytest_addoption, pytest_collection, pytest_ignore_collect, pytest_xdist_make_scheduler"
    (folder / "conftest.py").write_text(f"from tests.conftest import {hooks}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), "-q"]
    return subprocess.run(
        [*command, *options, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "side by side"])
def test_a_fast_test_that_is_not_fails(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "test_slow.py").write_text("import torch\ndef test_no(): assert False\n", encoding="utf-8")
    (tmp_path / "key.pem").write_text(
        "22+no Python\n", encoding="utf-8"
    )  # files of any kind lie beside tests
    only_slow = tmp_path / "slow"
    only_slow.mkdir()
    (only_slow / "conftest.py").write_text("raise AssertionError('collected')\n", encoding="utf-8")
    (only_slow / "test_slow.py").write_text("import subprocess\n", encoding="utf-8")
    (tmp_path / "test_fast.py").write_text(
        "def test_light(): import json\n"
        "def test_heavy():\n    try: import torch\n    except ImportError: pass\n"
        "def test_shell(): __import__('os').system('true')\n"
        "def test_spawn(): __import__('os').posix_spawn('/bin/true', ['true'], {})\n"
        "def test_program(): __import__('subprocess').run(['true'])\n"
        "def test_fork(): __import__('os').fork()\n",
        encoding="utf-8",
    )
    done = run(tmp_path, "--fast", *options)
    assert "5 failed, 1 passed" in done.stdout.splitlines()[-1], done.stdout
    for told in ("imports torch", "(os.system)", "(os.posix_spawn)", "(subprocess.Popen)", "(os.fork)"):
        assert told in done.stdout


def test_only_tests_that_share_a_fixture_stay_together(tmp_path: Path) -> None:
    tests = (
        "import os, pathlib, pytest\n"
        "@pytest.fixture(scope={scope!r})\n"
        "def made(): pass\n"
        "@pytest.mark.parametrize('number', range(9))\n"
        "def test_it(made, number):\n"
        "    with pathlib.Path(__file__ + '.pids').open('a') as file: print(os.getpid(), file=file)\n"
    )
    (tmp_path / "test_alone.py").write_text(tests.format(scope="function"), encoding="utf-8")
    (tmp_path / "test_together.py").write_text(
        tests.format(scope="module").replace("'module'", '"module"'), encoding="utf-8"
    )
    done = run(tmp_path, "-n", "2")
    assert "18 passed" in done.stdout, done.stdout
    alone, together = (
        (tmp_path / f"{name}.py.pids").read_text(encoding="utf-8").split()
        for name in ("test_alone", "test_together")
    )
    assert (len(alone), len(set(alone))) == (9, 2)
    assert (len(together), len(set(together))) == (9, 1)
