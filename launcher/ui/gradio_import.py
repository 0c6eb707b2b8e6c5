"""Imports Gradio without its writing of editor stubs; owns nothing else.

On import Gradio parses the source of each of its 80 component classes and compares or writes a ``.pyi`` file
next to it, in site-packages. That is half of its import time (2.0 s of 3.9 s on two cores) and of no use to a
running page. It skips a class whose source file is not to be had, so that is what it is told, and nobody
else.
"""

from __future__ import annotations

import inspect
import os
import sys

_STUB_WRITER = "gradio.component_meta"


def _import_without_stubs() -> None:
    real_getfile = inspect.getfile

    def getfile(thing: object) -> str:
        if sys._getframe(1).f_globals.get("__name__") == _STUB_WRITER:
            raise OSError("no stub files are wanted")
        return real_getfile(thing)  # type: ignore[arg-type]

    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        import gradio  # noqa: F401
    finally:
        inspect.getfile = real_getfile


# Read by Gradio when it is imported and built: nothing is sent or fetched from outside, and no statistics of
# its events are worked out with pandas after each of them (the page that would show them is off).
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**12)
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
if "gradio" not in sys.modules:
    _import_without_stubs()
