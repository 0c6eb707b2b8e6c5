"""A page whose models are scripts, served from this process, with its models in real child processes."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launcher.api.metrics import Metrics
from launcher.api.serving import endpoint_beside
from launcher.devices import Devices
from launcher.door import LOCAL_DOOR, Door
from launcher.errors import PresetError
from launcher.fetching.fetches import Fetches
from launcher.linked_pictures.leave import Leave
from launcher.presets import Preset, read_presets
from launcher.readiness import Readiness, ReadyState, assess, installed_engines
from launcher.ui.app import Page, build_page
from launcher.ui.serving import serving
from launcher.workers.arrivals import arrivals_of
from launcher.workers.manager import Manager
from launcher.workers.observers import SILENT
from launcher.workers.runnable import runnable_models
from tests.workers.stage import a_plan

NO_GPU = Devices(gpus=(), ram_total_bytes=2**34, ram_free_bytes=2**33)


def scripted(
    name: str, folder: Path, loading: str = "", size_bytes: int | None = None, **preset: Any
) -> Readiness:
    """A model that plays scripts; its gates lie in the folder. With a size it takes that much of a GPU."""
    values = {
        "name": name,
        "title": {"en": f"{name} in English", "zh": f"{name} 中文"},
        "kind": "vision",
        "sources": (str(folder),),
        "engine": "scripted",
        "chat": {"system_prompt": loading},
        **preset,
    }
    device, plan = ("cpu", None) if size_bytes is None else ("cuda:0", a_plan(size_bytes))
    return Readiness(
        Preset.model_validate(values),
        ReadyState.READY,
        engine="scripted",
        device=device,
        folder=folder,
        plan=plan,
    )


@dataclass(frozen=True)
class Served:
    """A page that answers at ``url``."""

    url: str
    manager: Manager
    folder: Path

    def gate(self, name: str) -> str:
        """A gate for scripts to wait at."""
        os.mkfifo(self.folder / name)
        return name

    def open(self, name: str) -> None:
        """Lets the script that waits at the gate go on; waits for it to get there."""
        (self.folder / name).open("wb").close()


@contextmanager
def served(
    models: Sequence[Readiness],
    folder: Path,
    errors: Sequence[PresetError] = (),
    budget_bytes: int = 0,
    root_path: str = "",
    door: Door = LOCAL_DOOR,
    leave: Leave | None = None,
    metrics: Metrics | None = None,
    *,
    downloads: bool = False,
) -> Iterator[Served]:
    """A page of these models; with ``downloads`` it offers to fetch those that are not here, for a machine
    without a GPU."""
    budgets = {"cuda:0": budget_bytes}
    with (
        Manager(
            runnable_models(models),
            gpu_budget_bytes=budgets,
            standby=True,
            log_folder=folder / "logs",
            gpu_numbers={"cuda:0": "0"},
            observer=metrics or SILENT,
        ) as manager,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        arrivals = arrivals_of(models, manager, NO_GPU, installed_engines())
        fetches = None
        if downloads:
            changed, came = manager.tell_of_change, arrivals.came
            fetches = Fetches(models, NO_GPU, installed_engines(), arrived=came, changed=changed)
        with ThreadPoolExecutor(
            1
        ) as thread:  # this one may have a loop, Playwright's, that must not stand still
            page = thread.submit(lambda: asyncio.run(_built(models, manager, errors, fetches))).result()
        endpoint = endpoint_beside(arrivals.ready, manager, door, folder, metrics=metrics, leave=leave)
        with serving(page, [listener], root_path=root_path, door=door, endpoint=endpoint):
            yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", manager, folder)


async def _built(
    models: Sequence[Readiness], manager: Manager, errors: Sequence[PresetError], fetches: Fetches | None
) -> Page:
    """Inside a running loop, Gradio makes none of its own, which it would never close."""
    return build_page(models, manager, errors, fetches=fetches)


@contextmanager
def served_built_in(name: str, folder: Path, *beside: Readiness) -> Iterator[Served]:
    """A page with a model that comes with the launcher, loaded on a machine without a GPU, and others beside
    it."""
    model = assess(read_presets().find(name), NO_GPU, installed_engines())
    assert model.state is ReadyState.READY
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with served([model, *beside], folder) as page:
            page.manager.ensure_ready(name)
            yield page
