"""The answers that are neither over nor given up by their readers."""

from __future__ import annotations

from dataclasses import dataclass

from launcher.errors import LauncherError
from launcher.messages import ChatRequest, Chunk
from launcher.workers.answers import Answer, unread_error
from launcher.workers.protocol import Words


@dataclass(frozen=True, slots=True)
class _Open:
    request: ChatRequest
    answer: Answer


class OpenAnswers:
    """Answers by number. The caller of every method but ``say`` holds one lock."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, answer_id: int, request: ChatRequest, answer: Answer) -> None:
        """A question was asked."""
        self._open[answer_id] = _Open(request, answer)

    def request(self, answer_id: int) -> ChatRequest:
        """What was asked."""
        return self._open[answer_id].request

    def say(self, words: Words) -> list[int]:
        """Gives readers what was said, and returns the answers that are ended because nobody reads them.
        Without the lock: words come far more often than decisions."""
        unread = []
        for answer_id, text in words.pieces:
            found = self._open.get(answer_id)
            if found is not None and not found.answer.push(text):
                found.answer.finish(unread_error())
                unread.append(answer_id)
        return unread

    def end(self, answer_id: int, end: Chunk | LauncherError) -> None:
        """The answer is over, whichever way; does nothing where it was given up before."""
        if found := self._open.pop(answer_id, None):
            found.answer.finish(end)

    def give_up(self, answer_id: int) -> bool:
        """Its reader has left; False where it is over already."""
        return self._open.pop(answer_id, None) is not None
