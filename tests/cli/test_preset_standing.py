"""What the list of presets says of memory, on machines with a GPU that are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launcher.cli.preset_standing import Standing, standing
from launcher.devices import Devices
from launcher.errors import CheckpointError, MemoryPlanError
from launcher.presets import read_presets
from launcher.readiness import COMPLETE, Readiness, ReadyState
from tests.test_readiness import CARD, GIB, NO_GPU
from tests.workers.stage import a_plan

pytestmark = pytest.mark.usefixtures("home")


def of(state: ReadyState, devices: Devices, name: str = "internvl2-2b", **more: object) -> Standing:
    return standing(Readiness(read_presets().find(name), state, **more), devices, COMPLETE)  # type: ignore[arg-type]


def with_free(free_bytes: int) -> Devices:
    return replace(NO_GPU, gpus=(replace(CARD, total_bytes=free_bytes, free_bytes=free_bytes),))


def test_one_that_is_not_here_is_planned_for_the_gpu() -> None:
    absent = CheckpointError("not here")
    fits = of(ReadyState.NEEDS_DOWNLOAD, with_free(8 * GIB), reason=absent)
    assert (fits.disk_bytes, fits.too_large) == (None, False)
    assert fits.memory_bytes is not None
    assert 4 * GIB < fits.memory_bytes < 8 * GIB
    large = of(ReadyState.NEEDS_DOWNLOAD, with_free(3 * GIB), reason=absent)
    assert (large.memory_bytes, large.too_large) == (None, True)
    none = of(ReadyState.NEEDS_DOWNLOAD, NO_GPU, reason=absent)
    assert (none.memory_bytes, none.too_large) == (None, False)


def test_one_that_is_ready_or_refused_says_what_was_planned() -> None:
    ready = of(
        ReadyState.READY, NO_GPU, "tiny-chat", engine="turbomind", device="cuda:0", plan=a_plan(3 * GIB)
    )
    assert (ready.memory_bytes, ready.too_large) == (3 * GIB, False)
    assert ready.disk_bytes is not None
    assert ready.disk_bytes > 10_000
    assert of(ReadyState.READY, NO_GPU, engine="transformers", size_bytes=GIB).memory_bytes == GIB
    assert of(ReadyState.UNSUPPORTED, NO_GPU, reason=MemoryPlanError("too large")).too_large
