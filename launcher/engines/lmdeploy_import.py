"""Importing LMDeploy: what it is told by its environment before, and what a pipeline would import later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, cast

from launcher.commands_here import pip_install
from launcher.engines.yapf_import import import_yapf
from launcher.errors import MissingPart
from launcher.user_folders import cache_folder, home

if TYPE_CHECKING:
    from lmdeploy import Pipeline

CPU_THREADS = 4
"""For cutting pictures into tiles; a thread for every core of a busy machine made that take a second instead
of 0.05 s."""

_IMPORTED_LATE = {
    "turbomind": ("lmdeploy.turbomind.turbomind", "lmdeploy.turbomind.converter"),
    "pytorch": ("lmdeploy.pytorch.engine.engine", "lmdeploy.pytorch.models.internlm2"),
}
"""What LMDeploy imports only when a pipeline is built; none of it touches the GPU."""

_IMPORTED_WITH_EITHER = (
    "lmdeploy.serve.core",
    "lmdeploy.vl.engine",
    "launcher.engines.lmdeploy_request",
    "launcher.engines.lmdeploy_sleep",
)


def set_environment() -> None:
    """To be called before anything imports LMDeploy; what a person has set stays."""
    os.environ.setdefault(
        "LMDEPLOY_ENABLE_CHECK_ENV", "0"
    )  # spawns a process that imports everything anew: 12 s
    os.environ.setdefault("OMP_NUM_THREADS", str(min(CPU_THREADS, os.cpu_count() or 1)))
    # PyTorch's compiler moves Triton's cache to a folder of its own, but only where it compiles: the next
    # start would look for the kernels elsewhere and compile them once more.
    os.environ.setdefault("TRITON_CACHE_DIR", str((home() or cache_folder()) / ".triton" / "cache"))
    # On Hopper the PyTorch engine would take TurboMind's kernels for 4 bits: 1.2 GiB more of the card,
    # and 261 tokens a second instead of 322 (docs/measurements.md).
    os.environ.setdefault("LMDEPLOY_W4A16_GEMM_BACKEND", "triton")


def lmdeploy_pipeline() -> Callable[..., Pipeline]:
    """What makes a pipeline.

    Raises:
        MissingPart: LMDeploy is not installed, or not whole.
    """
    with _whole_lmdeploy():
        import_yapf()
        from lmdeploy import pipeline
    return cast("Callable[..., Pipeline]", pipeline)


def import_late(engine: str) -> None:
    """What a pipeline with this engine needs.

    Raises:
        MissingPart: LMDeploy is not whole.
    """
    with _whole_lmdeploy():
        for module in (*_IMPORTED_WITH_EITHER, *_IMPORTED_LATE[engine]):
            import_module(module)


@contextmanager
def _whole_lmdeploy() -> Iterator[None]:
    """Imports of LMDeploy and what it needs.

    Raises:
        MissingPart: one of them is not there.
    """
    try:
        yield
    except ImportError as error:
        raise MissingPart(
            "LMDeploy cannot be imported: {reason}",
            hint="Install it with: {command}",
            command=pip_install("lmdeploy==0.18.0"),
            reason=str(error),
        ) from error
