"""The launcher's command line where presets may name the engine of measurements: ``python -m
launcher.bench.launched ARGUMENTS`` is ``python -m launcher ARGUMENTS`` beside that."""

from __future__ import annotations

import runpy

from launcher.bench.scripted import register

if __name__ == "__main__":
    register()
    runpy.run_module("launcher", run_name="__main__", alter_sys=True)
