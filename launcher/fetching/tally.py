"""How far a download of several files is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launcher.downloads import Progress


class Tally:
    """Counts the bytes that are here, of all files together."""

    def __init__(self) -> None:
        self._finished_bytes = 0

    def add(self, step: Progress) -> int:
        """Takes one report; bytes that are here now. What is being checked is here already."""
        here_bytes = step.done_bytes if step.stage == "fetching" else step.size_bytes
        done_bytes = self._finished_bytes + here_bytes
        if step.stage == "done":
            self._finished_bytes += step.size_bytes
        return done_bytes
