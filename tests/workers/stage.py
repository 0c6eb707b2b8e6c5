"""Managers of the scripted engine in real child processes, and gates on which scripts and tests wait for each
other."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launcher.engines.base import EngineSpec
from launcher.memory import MemoryPart, MemoryPlan
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import Preset
from launcher.workers.answers import Answer
from launcher.workers.limits import Limits
from launcher.workers.manager import Manager
from launcher.workers.offered import RunnableModel
from launcher.workers.states import ModelState, ModelStatus
from tests.scripted_engine import register

PATIENT = Limits()
BRISK = replace(PATIENT, heartbeat_s=0.05, hang_s=3.0, close_s=1.0, terminate_s=0.5)


def a_plan(size_bytes: int) -> MemoryPlan:
    return MemoryPlan(
        engine="turbomind",
        dtype="float16",
        parts=(MemoryPart("language_model", size_bytes),),
        budget_bytes=size_bytes,
        cache_ratio=0.1,
        cache_tokens=1024,
        cache_blocks=16,
        kv_bits=16,
        session_tokens=1024,
        max_prefill_tokens=1024,
        max_batch=1,
    )


def question(text: str, max_new_tokens: int = 32768) -> ChatRequest:
    return ChatRequest((Message("user", text),), GenerationOptions(max_new_tokens=max_new_tokens))


def read(answer: Answer) -> str:
    return "".join(chunk.text for chunk in answer)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and only not reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def gone(pid: int) -> None:
    """Waits for the end of a process that is not our child, by a handle on it."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        assert poll.poll(30_000), f"process {pid} lives on"
    finally:
        os.close(handle)


def children() -> set[int]:
    """The worker processes of this process."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
            line = (stat.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == os.getpid() and b"launcher.workers.worker" in line:
            found.add(int(stat.parent.name))
    return found


@dataclass
class Stage:
    """Where scripts play: ``folder`` holds the gates."""

    folder: Path
    managers: list[Manager]

    def gate(self, name: str) -> str:
        os.mkfifo(self.folder / name)
        return name

    def open(self, name: str) -> None:
        """Lets the script that waits at the gate go on; waits for it to get there."""
        (self.folder / name).open("wb").close()

    def reached(self, name: str) -> None:
        """Waits until a script opens the gate."""
        (self.folder / name).open("rb").close()

    def model(
        self,
        name: str = "one",
        loading: str = "",
        size_bytes: int | None = None,
        ram_bytes: int | None = None,
        **keys: Any,
    ) -> RunnableModel:
        """A model on the CPU, of a planned size if it has ``ram_bytes``; on a GPU if it has
        ``size_bytes``."""
        register()  # a test's own program has no conftest
        preset = Preset.model_validate(
            {
                "name": name,
                "title": {"en": name, "zh": name},
                "kind": "vision",
                "sources": ("builtin:nothing",),
                "engine": "scripted",
                "chat": {"system_prompt": loading},
                **keys,
            }
        )
        device, plan = ("cpu", None) if size_bytes is None else ("cuda:0", a_plan(size_bytes))
        spec = EngineSpec(preset.engine, preset, self.folder, device, plan, size_bytes=ram_bytes)
        return RunnableModel(name, {device: spec})

    def loaded(self, mark: str = "loads") -> list[str]:
        """The names that loading scripts have left with ``/loaded``, in order."""
        path = self.folder / mark
        return path.read_text().split() if path.exists() else []

    def manager(
        self, *models: RunnableModel, limits: Limits = PATIENT, budget_bytes: int | None = None, **keys: Any
    ) -> Manager:
        budget = None if budget_bytes is None else {"cuda:0": budget_bytes, "cpu": budget_bytes}
        models = models or (self.model(),)
        manager = Manager(
            models,
            limits=limits,
            log_folder=self.folder / "logs",
            gpu_budget_bytes=budget,
            gpu_numbers={"cuda:0": "0"},
            **keys,
        )
        self.managers.append(manager)
        return manager


def status(manager: Manager, name: str = "one") -> ModelStatus:
    return next(status for status in manager.statuses() if status.name == name)


def wait_until(manager: Manager, true: Callable[[], bool]) -> None:
    """Waits on the manager's own changes."""
    version = 0
    while not true():
        seen, version = version, manager.wait_for_change(version, timeout_s=60)
        assert seen != version, f"nothing changed for a minute: {manager.statuses()}"


def wait_for_state(manager: Manager, state: ModelState, name: str = "one") -> ModelStatus:
    wait_until(manager, lambda: status(manager, name).state is state)
    return status(manager, name)
