"""Packages of kernels for GPUs, which transformers calls wherever they are installed; on the CPU they fail.
LMDeploy's PyTorch engine asks for one of them, so that a machine with a GPU may have both."""

from __future__ import annotations

import sys

_PACKAGES = ("fla", "causal_conv1d")
"""As transformers' ``integrations/hub_kernels.py`` imports them."""


def shut_out() -> None:
    """Has transformers do without in this process, from the models on that it imports after this."""
    for name in _PACKAGES:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # an import of it fails, as documented
