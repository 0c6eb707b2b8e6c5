"""What the people of a measurement ask: one question each, after a conversation of any length.

A scripted engine is asked to say as many words as there are tokens, at its rate; a model for a long story, so
that most reach the limit of tokens. Each person's question is another one, as people's are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from launcher.errors import EngineError
from launcher.messages import Message

Conversation = tuple[Message, ...]
"""Questions and answers in turn, without a system prompt; the last is the question."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked.

    Attributes:
        tokens: the longest answer.
        rate: tokens a second of the scripted engine; None asks a model.
        image: the question's picture.
        turns: questions that came before, each with its answer.
        pictures: pictures of those questions.
    """

    tokens: int
    rate: float | None = None
    image: Path | None = None
    turns: int = 0
    pictures: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All pictures."""
        return (*([self.image] if self.image else []), *self.pictures)

    def conversation(self, person: int, tokens: int) -> Conversation:
        """One person's question about ``tokens`` tokens, after all that came before."""
        pictures = (self.image,) if self.image else ()
        return (*self._history(), Message("user", self._question(person, tokens), pictures))

    def _question(self, person: int, tokens: int) -> str:
        if self.rate is not None:
            return f"/pace {self.rate:g} {tokens}"
        about = "this picture" if self.image else "a journey around the world"
        return f"{person}. Tell me a very long and detailed story about {about}. Do not stop early."

    def _history(self) -> Conversation:
        messages: list[Message] = []
        for turn in range(self.turns):
            of_turn = tuple(self.pictures[turn :: self.turns])
            messages += [
                Message("user", f"What is {turn} plus {turn}?", of_turn),
                Message("assistant", _SUM.format(turn, 2 * turn)),
            ]
        return tuple(messages)

    def check(self, text: str, tokens: int) -> None:
        """Compares what came of a scripted answer with what the script says.

        Raises:
            EngineError: something is lost or changed.
        """
        said = "".join(f"{number} " for number in range(tokens)).strip()
        if self.rate is not None and not text.strip().endswith(said):
            raise EngineError(
                "An answer did not come back as it was said: it ends with {end}",
                hint="This is a defect; please report it.",
                end=repr(text[-40:]),
            )


_SUM = (
    "{0} plus {0} is {1}. To see why, start at {0} on the number line and take {0} steps to the right:"
    " you arrive at {1}. **Ask me another one** whenever you like."
)
"""An answer of an ordinary length, with some Markdown in it."""
