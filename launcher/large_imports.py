"""Imports of large packages without Python's garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is collected meanwhile, and what is there at the end is not looked at again.

    Imports make hundreds of thousands of objects that stay, and the collector goes through them anew whenever
    some more were made: a tenth of the time that PyTorch and transformers, or Gradio, take.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
