"""Packages of kernels for GPUs, which transformers calls wherever they are installed; on the CPU they fail.
LMDeploy's PyTorch engine asks for one of them, so that a machine with a GPU may have both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_PACKAGES = ("fla", "causal_conv1d")
"""As transformers' ``integrations/hub_kernels.py`` imports them."""


@contextmanager
def shut_out() -> Iterator[None]:
    """Models that transformers imports meanwhile do without, for good."""
    absent = [name for name in _PACKAGES if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails, as Python documents
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
