"""The launcher's command line with the tests' engine: ``python -m tests.launched ARGUMENTS`` is ``python -m
launcher ARGUMENTS`` where presets may say ``engine: scripted``."""

from __future__ import annotations

import runpy
import sys

from tests.scripted_engine import register


def command_line(*arguments: str) -> list[str]:
    """What starts it, with this Python; the tests have to be importable."""
    return [sys.executable, "-m", "tests.launched", *arguments]


if __name__ == "__main__":
    register()
    runpy.run_module("launcher", run_name="__main__", alter_sys=True)
