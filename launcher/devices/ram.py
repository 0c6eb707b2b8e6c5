"""How much RAM this machine has, and how much of it can be had: from the operating system, within the limits
of control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")
_MEMINFO = Path("/proc/meminfo")


def read_ram() -> tuple[int, int]:
    """Bytes of RAM in all, and to be had; where the limit of a control group (a container's) leaves less,
    that."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = _meminfo_available() or total
    for limit, used in _group_limits():
        total = min(total, limit)
        free = max(0, min(free, limit - used))
    return total, free


def _group_limits() -> Iterator[tuple[int, int]]:
    """Limit, and bytes in use that the kernel cannot take back, of each memory control group that this
    process is in, version 1 or 2, its own and those around it."""
    for mount, path, names in _groups():
        for folder in (mount / path, *(mount / path).parents):
            if not folder.is_relative_to(mount):
                break
            limit, used = _number(folder / names.limit), _number(folder / names.used)
            if limit is not None and used is not None:
                yield limit, max(0, used - _reclaimable(folder / "memory.stat", names.reclaimable))


@dataclass(frozen=True, slots=True)
class _GroupFiles:
    """How a version of control groups names what it tells of memory."""

    limit: str
    used: str
    reclaimable: tuple[str, ...]


_VERSION_1 = _GroupFiles(
    "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_inactive_file", "total_active_file")
)
_VERSION_2 = _GroupFiles("memory.max", "memory.current", ("inactive_file", "active_file", "slab_reclaimable"))


def _groups() -> Iterator[tuple[Path, str, _GroupFiles]]:
    """Where the memory groups are mounted, this process's place below (in a container it may name one that
    is not there: what is around it counts then), and how the files are called."""
    try:
        lines = _OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield _CGROUP, path.lstrip("/"), _VERSION_2
        elif "memory" in controllers.split(","):
            yield _CGROUP / "memory", path.lstrip("/"), _VERSION_1


def _reclaimable(stat: Path, names: tuple[str, ...]) -> int:
    """Bytes of files' pages and the like, which a group gives back when its memory is wanted."""
    try:
        lines = stat.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(value) for name, _, value in (line.partition(" ") for line in lines) if name in names)


def _meminfo_available() -> int | None:
    """Linux's own estimate; None on systems without one."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def _number(file: Path) -> int | None:
    """A cgroup's number; None where there is no such file, or no limit ("max")."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
