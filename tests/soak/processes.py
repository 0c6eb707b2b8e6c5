"""What a launcher and its processes hold, read from /proc: memory, threads, open files."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from statistics import median

LAUNCHER, WORKERS = "launcher", "workers"


@dataclass(frozen=True)
class Held:
    """By one process, or by several together."""

    rss_mib: float
    threads: int
    files: int


def held(pid: int) -> dict[str, Held]:
    """What the launcher holds, and what each of its children's mains holds on average; a process that ends
    meanwhile is left out."""
    found = {LAUNCHER: _of(pid)}
    workers = [
        of for child, line in _children(pid) if b"launcher.workers.worker" in line and (of := _of(child))
    ]
    if workers:
        count = len(workers)
        found[WORKERS] = Held(
            round(sum(one.rss_mib for one in workers) / count, 1),
            round(sum(one.threads for one in workers) / count),
            round(sum(one.files for one in workers) / count),
        )
    return {name: of for name, of in found.items() if of is not None}


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    below = {child for child, _ in _children(pid)}
    return below.union(*(descendants(child) for child in below))


def growth(samples: list[dict[str, Held]], who: str) -> dict[str, float]:
    """From the second quarter of the time to the last one, by medians: what is built at first does not
    count."""
    mine = [sample[who] for sample in samples if who in sample]
    quarter = max(1, len(mine) // 4)
    early, late = mine[quarter : 2 * quarter] or mine[:1], mine[-quarter:]
    return {
        name: round(
            median(getattr(one, name) for one in late) - median(getattr(one, name) for one in early), 1
        )
        for name in ("rss_mib", "threads", "files")
    }


def _children(pid: int) -> list[tuple[int, bytes]]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append((int(stat.parent.name), (stat.parent / "cmdline").read_bytes()))
    return found


def _of(pid: int) -> Held | None:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        facts = dict(line.split(":", 1) for line in lines if ":" in line)
        if "VmRSS" in facts:
            files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            return Held(round(int(facts["VmRSS"].split()[0]) / 1024, 1), int(facts["Threads"]), files)
    return None
