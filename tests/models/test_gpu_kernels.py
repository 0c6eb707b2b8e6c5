"""A model with linear layers runs on the CPU where packages of GPU kernels are installed, too. The package
here is one in name alone: a real one fails so on the CPU, too, but cannot be imported without a GPU's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.models.tiny_qwen_vl import write_qwen_vl

ASK = """
import asyncio, sys
from pathlib import Path
from tests.engines.on_transformers import answer, asked, loaded

async def main():
    engine = await loaded(Path(sys.argv[1]), "vision")
    print(await answer(engine, (asked("What colour is the star?"),)))

asyncio.run(main())
"""
KERNELS = """
def chunk_gated_delta_rule(q, k, v, g, beta, **rest):
    raise ValueError("Pointer argument (at 0) cannot be accessed from Triton (cpu tensor?)")

fused_recurrent_gated_delta_rule = chunk_gated_delta_rule
"""


def said(folder: Path, *path: Path) -> str:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*path, Path.cwd())))}
    command = [sys.executable, "-c", ASK, folder]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_cpu_does_without(tmp_path: Path) -> None:
    folder = write_qwen_vl(tmp_path / "model", "qwen3_5")
    rules = tmp_path / "packages" / "fla" / "ops" / "gated_delta_rule"
    rules.mkdir(parents=True)
    (rules / "__init__.py").write_text(KERNELS, encoding="utf-8")
    for package in (rules.parent, rules.parent.parent):
        (package / "__init__.py").touch()
    assert said(folder, tmp_path / "packages") == said(folder)
