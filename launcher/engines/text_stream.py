"""An answer's tokens -> its text as it comes: whole characters, up to the preset's stop text that is complete
first."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.families import Decoder


class TextStream:
    """The text of one answer. Holds back half characters, and the end of the text while it may become a stop
    text."""

    def __init__(self, decoder: Decoder, stops: Sequence[str] = ()) -> None:
        self._decoder = decoder
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.stopped = False
        """Whether a stop text came; nothing more follows."""

    def add(self, token_id: int) -> str:
        """The text that can be shown now; may be empty. Special tokens have none, nor has what comes after a
        stop text."""
        return "" if self.stopped else self._pass(self._decoder.add(token_id))

    def finish(self) -> str:
        """What was still held back when the answer ended."""
        if self.stopped:
            return ""
        text = self._pass(self._decoder.finish()) + self._held
        self._held = ""
        return text

    def _pass(self, text: str) -> str:
        if not self._stops:
            return text
        self._held += text
        complete = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if complete:
            self.stopped = True
            shown, self._held = self._held[: min(complete)[1]], ""
            return shown
        split = len(self._held) - self._longest_beginning()
        shown, self._held = self._held[:split], self._held[split:]
        return shown

    def _longest_beginning(self) -> int:
        """How many characters at the end of the held text begin a stop text."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        candidates = range(min(longest, len(self._held)), 0, -1)
        return next(
            (n for n in candidates if any(stop.startswith(self._held[-n:]) for stop in self._stops)), 0
        )
