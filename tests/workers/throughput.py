"""What a token costs on its way from the engine to its reader in the launcher's process, the engine itself
costing nothing: ``python -m tests.workers.throughput``. Prints; asserts nothing."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from launcher.workers.manager import Manager
from tests.scripted_engine import register
from tests.workers.stage import Stage, children, question

ANSWERS, TOKENS, ROUNDS = 8, 5000, 3


def cpu_s(pid: int) -> float:
    """CPU time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def one_round(manager: Manager, worker: int) -> str:
    before_s, ours_s, workers_s = time.monotonic(), time.process_time(), cpu_s(worker)
    for answer in [manager.ask("one", question(f"/say {TOKENS}")) for _ in range(ANSWERS)]:
        for _ in answer:
            pass
    tokens = ANSWERS * TOKENS
    took_s = time.monotonic() - before_s
    ours_us, workers_us = ((time.process_time() - ours_s), (cpu_s(worker) - workers_s))
    return (
        f"{tokens / took_s:,.0f} tokens/s; a token takes {1e6 * ours_us / tokens:.1f} us of the launcher's"
        f" process, {1e6 * workers_us / tokens:.1f} us of the worker"
    )


def main() -> None:
    register()
    with tempfile.TemporaryDirectory() as folder:
        manager = Stage(Path(folder), []).manager()
        with manager:
            manager.ensure_ready("one")
            (worker,) = children()
            for _ in range(ROUNDS):
                print(one_round(manager, worker))


if __name__ == "__main__":
    main()
