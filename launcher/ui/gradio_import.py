"""Imports Gradio in an environment that is ours, and without its writing of editor stubs; owns nothing else.

Gradio reads some forty ``GRADIO_`` variables, at its import and later: they open folders to the page's
readers, make tunnels, watch files, block the main thread. None of them is left, so that the page is what
``launcher serve`` says it is; a test compares those that it reads with what was judged.

On import it builds an HTTP client, which it never uses here; a proxy in the environment that httpx does not
understand (SOCKS without a package for it, ``[::1]`` in no_proxy) would be the end of that. So there is none
for this moment.

On import it also parses the source of each of its 80 component classes and compares or writes a ``.pyi`` file
next to it, in site-packages. That is half of its import time (2.0 s of 3.9 s on two cores) and of no use to a
running page. It skips a class whose source file is not to be had, so that is what it is told, and nobody
else.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from launcher.large_imports import uncollected

KEPT_VARIABLES = ("GRADIO_TEMP_DIR",)
"""Where uploads go: ``launcher serve`` sets it itself."""

OUR_VARIABLES = {
    # Nothing is sent or fetched from outside, and no statistics of its events are worked out with pandas
    # after each of them (the page that would show them is off).
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**12),
}

_STUB_WRITER = "gradio.component_meta"


def settle_variables() -> None:
    """Takes every variable of Gradio's out of the environment and puts ours in."""
    for name in [name for name in os.environ if name.startswith("GRADIO_") and name not in KEPT_VARIABLES]:
        del os.environ[name]
    os.environ.update(OUR_VARIABLES)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


@contextmanager
def _without_proxies() -> Iterator[None]:
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    for name in proxies:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(proxies)


@contextmanager
def _without_stubs() -> Iterator[None]:
    real_getfile = inspect.getfile

    def getfile(thing: object) -> str:
        if sys._getframe(1).f_globals.get("__name__") == _STUB_WRITER:
            raise OSError("no stub files are wanted")
        return real_getfile(thing)  # type: ignore[arg-type]

    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = real_getfile


settle_variables()
if "gradio" not in sys.modules:
    with _without_proxies(), _without_stubs(), uncollected():
        import gradio as gr
else:
    import gradio as gr

__all__ = ["KEPT_VARIABLES", "OUR_VARIABLES", "gr", "settle_variables"]
