"""How fast bytes come: over the last seconds, so that a pause is seen as one."""

from __future__ import annotations

from collections import deque

WINDOW_S = 5.0
"""Long enough to even out pieces, short enough to follow a line that gets worse."""


class Pace:
    """Bytes a second. Pure: told of the time."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def begin(self) -> None:
        """Another file begins, or the same one anew: bytes so far are no speed."""
        self._seen.clear()

    def add(self, now_s: float, done_bytes: int) -> None:
        """So many bytes of the file are here."""
        if self._seen and done_bytes < self._seen[-1][1]:
            self.begin()
        self._seen.append((now_s, done_bytes))

    def bytes_per_s(self, now_s: float) -> float:
        """Over the window; 0 where nothing came in it."""
        while len(self._seen) > 1 and self._seen[1][0] <= now_s - WINDOW_S:
            self._seen.popleft()
        if not self._seen:
            return 0.0
        since_s, had_bytes = self._seen[0]
        passed_s = now_s - since_s
        return (self._seen[-1][1] - had_bytes) / passed_s if passed_s > 0 else 0.0
