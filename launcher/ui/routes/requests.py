"""What the page may send, checked: pydantic models of the bodies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from launcher.fetching.states import Hub
from launcher.ui.conversation import Exchange, Typed

PageId = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{8,64}$")]
"""Which open page it is: the page draws it at random, and tells nobody else."""


class _FromPage(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TypedQuestion(_FromPage):
    """A question as it stood in the box, with the paths of its pictures as the upload answered them;
    ``one_tile`` are those of a document or a video, as ``/launcher/pages`` answered them."""

    text: str
    pictures: tuple[str, ...] = Field((), strict=False)
    one_tile: tuple[str, ...] = Field((), strict=False)

    def typed(self) -> Typed:
        """The same for the handlers."""
        return Typed(self.text, tuple(map(Path, self.pictures)), frozenset(map(Path, self.one_tile)))


class AnsweredQuestion(_FromPage):
    """A turn of the conversation so far."""

    question: TypedQuestion
    answer: str

    def exchange(self) -> Exchange:
        """The same for the handlers."""
        return Exchange(self.question.typed(), self.answer)


class FromPage(_FromPage):
    """Which page it is that sends something."""

    page: PageId


class Question(FromPage):
    """A tab is asked. ``turn`` counts the page's questions; ``settings`` are any of the advanced settings by
    name, and what is left out is the preset's."""

    tab: str
    turn: int
    question: TypedQuestion
    history: tuple[AnsweredQuestion, ...] = Field((), strict=False)
    settings: dict[str, Any] = {}


class UploadedDocument(FromPage):
    """A document or a video was added to the box of a tab; ``tab`` is None for the Compare tab."""

    tab: str | None = None
    path: str


class LookedAt(FromPage):
    """A picture of a tab's conversation is to be shown as its model sees it."""

    tab: str
    path: str
    one_tile: bool = False


class KeptTurn(_FromPage):
    """A turn that the browser has kept, as it was typed and as the model answered."""

    question: str
    answer: str


class KeptTurns(FromPage):
    """A kept conversation is to be shown again."""

    turns: tuple[KeptTurn, ...] = Field(strict=False)


class StopButton(FromPage):
    """The answer of this turn is to end."""

    tab: str
    turn: int


class ShownTab(FromPage):
    """A tab is shown; ``tab`` is None where it is no model's that can run here. ``by_itself``: the page has
    opened with it, nobody has selected it."""

    tab: str | None = None
    by_itself: bool = False


class UnloadButton(FromPage):
    """The model is to give its memory back."""

    tab: str


class FetchButton(FromPage):
    """A model's download is to begin, or to go on; ``hub`` is where from, None for where it came from last,
    at first the preferred one."""

    tab: str
    hub: Hub | None = None


class CancelButton(FromPage):
    """A model's download is to end."""

    tab: str
