"""A card as measurements have it: what NVML says of it, the most that was taken of it, and a ballast that
leaves so little of it free that it behaves like a small one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pynvml

from launcher.devices import VISIBLE_DEVICES

MIB = 2**20
_HOLD = """
import sys, time, torch
free, _ = torch.cuda.mem_get_info()
hold = torch.empty(max(0, int(free - float(sys.argv[1]) * 2**30)), dtype=torch.uint8, device="cuda")
print(hold.numel(), flush=True)
time.sleep(3600)
"""


class Gpu:
    """NVML's view of one card: ``name`` is its number or uuid; without, the one that CUDA_VISIBLE_DEVICES
    names, or number 0."""

    def __init__(self, name: str = "") -> None:
        self.name = name or os.environ.get(VISIBLE_DEVICES, "0")
        pynvml.nvmlInit()
        self._handle = (
            pynvml.nvmlDeviceGetHandleByIndex(int(self.name))
            if self.name.isdigit()
            else pynvml.nvmlDeviceGetHandleByUUID(self.name)
        )

    def used_bytes(self) -> int:
        return int(pynvml.nvmlDeviceGetMemoryInfo(self._handle).used)

    def processes(self) -> dict[int, int]:
        """Bytes by process id; empty or with foreign ids where a container hides them."""
        found = pynvml.nvmlDeviceGetComputeRunningProcesses(self._handle)
        return {process.pid: int(process.usedGpuMemory or 0) for process in found}

    def facts(self) -> dict[str, Any]:
        return {
            "name": pynvml.nvmlDeviceGetName(self._handle),
            "driver": pynvml.nvmlSystemGetDriverVersion(),
            "total_mib": pynvml.nvmlDeviceGetMemoryInfo(self._handle).total // MIB,
        }


class Ballast:
    """Holds all of a card but so much, in a process of its own, while it is open."""

    def __init__(self, gpu: Gpu, free_gib: float) -> None:
        self._gpu = gpu
        self._process = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(free_gib)],
            stdout=subprocess.PIPE,
            env={**os.environ, VISIBLE_DEVICES: gpu.name},
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        if not said.isdigit():
            raise RuntimeError(f"the ballast on GPU {gpu.name} did not hold")
        self._held_bytes = int(said)

    def __enter__(self) -> Ballast:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the memory back, and waits until the card has it."""
        with_it = self._gpu.used_bytes()
        self._process.kill()
        self._process.wait()
        wait_until(lambda: with_it - self._gpu.used_bytes() >= self._held_bytes * 0.9, 10)


class Sampler:
    """The most that the card's use rises above where it stood, and the least host memory available, while a
    step runs."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu, self._stop = gpu, threading.Event()
        self.baseline_bytes = self.peak_bytes = gpu.used_bytes()
        self.host_before = self.host_least = _host_available_bytes()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            self.peak_bytes = max(self.peak_bytes, self._gpu.used_bytes())
            self.host_least = min(self.host_least, _host_available_bytes())

    def finish(self) -> dict[str, float]:
        self._stop.set()
        self._thread.join()
        return {
            "gpu_baseline_mib": self.baseline_bytes / MIB,
            "gpu_peak_mib": (self.peak_bytes - self.baseline_bytes) / MIB,
            "host_peak_mib": (self.host_before - self.host_least) / MIB,
        }


def wait_until(condition: Callable[[], bool], limit_s: float) -> None:
    """Waits for it, at most so long: NVML tells of no event."""
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)


def _host_available_bytes() -> int:
    found = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())
    return int(found[1]) * 1024 if found else 0
