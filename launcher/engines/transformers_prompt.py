"""A request -> what the transformers engine's model reads: token ids, pictures in their places, and room for
the answer. Runs beside the model, in threads of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from launcher.engines.conversations import Mark
from launcher.engines.endings import answer_room
from launcher.engines.kept import Kept
from launcher.engines.own_tokens import first_ids
from launcher.engines.picture_key import picture_key
from launcher.errors import RequestError
from launcher.families import PromptForm, build_prompt, split_at_pictures
from launcher.images import load_picture
from launcher.messages import ChatRequest
from launcher.models.loading import PictureReader, Span


@dataclass(frozen=True, slots=True)
class Seen:
    """What the picture tower has made of a picture, and rows and columns of the tokens that stand for it."""

    grid: tuple[int, int]
    states: Tensor


@dataclass(frozen=True, slots=True)
class PromptPicture:
    """A picture of a prompt, with its place in it. ``pixels`` is None where ``seen`` is there."""

    key: bytes
    span: Span
    pixels: Tensor | None = None
    seen: Seen | None = None

    @property
    def tokens(self) -> int:
        """How many stand for it."""
        rows, columns = self.span.grid
        return rows * columns


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads. ``marks`` tell the tokens of one conversation from another's, those of pictures
    by their content; ``answer_room`` is how many tokens the answer may have; ``ended`` how many tokens the
    turns have that have ended, 0 for none."""

    ids: list[int]
    marks: list[Mark]
    pictures: tuple[PromptPicture, ...] = ()
    answer_room: int = 1
    ended: int = 0

    @property
    def picture_tokens(self) -> int:
        """Tokens of all pictures."""
        return sum(picture.tokens for picture in self.pictures)


class PromptMaker:
    """Makes the prompts of one loaded model. ``seen`` are the pictures that its tower has seen."""

    def __init__(
        self,
        form: PromptForm,
        tokenizer: PreTrainedTokenizerBase,
        session_tokens: int,
        reader: PictureReader | None,
        seen: Kept[Seen],
    ) -> None:
        self._form = form
        self._tokenizer = tokenizer
        self._first_ids = first_ids(tokenizer)
        self._turn_end = tokenizer.convert_tokens_to_ids(form.turn_end)
        self._session_tokens = session_tokens
        self._reader = reader
        self._seen = seen

    def make(self, request: ChatRequest) -> Prompt:
        """The request as the model reads it; opens the pictures that are not known yet.

        Raises:
            RequestError: nothing is asked, a text model is shown a picture, or there is no room left for an
                answer.
            PictureError: a picture cannot be read.
        """
        _check_asked(request)
        pieces = split_at_pictures(build_prompt(request.messages, self._form), self._form)
        texts = [self._encode(piece) for piece in pieces]
        ids = [*self._first_ids, *texts[0]]
        marks: list[Mark] = list(ids)
        pictures = list[PromptPicture]()
        paths = [path for message in request.messages for path in message.pictures]
        for path, text in zip(paths, texts[1:], strict=True):
            assert self._reader is not None
            # those beyond the session are only counted, for the message
            fits = sum(picture.tokens for picture in pictures) < self._session_tokens
            one_tile = path in request.one_tile
            picture = self._picture(self._reader, path, len(ids), fits=fits, one_tile=one_tile)
            pictures.append(picture)
            ids += [self._reader.token_id] * picture.tokens + text
            marks += [picture.key] * picture.tokens
            marks += text
        room = answer_room(
            len(ids),
            sum(picture.tokens for picture in pictures),
            self._session_tokens,
            request.options.max_new_tokens,
        )
        return Prompt(ids, marks, tuple(pictures), room, self._ended(ids))

    def _ended(self, ids: list[int]) -> int:
        """Up to the last token that ends a turn; the last token of all is not among them."""
        ends = (at + 1 for at in range(len(ids) - 2, -1, -1) if ids[at] == self._turn_end)
        return next(ends, 0)

    def _picture(
        self, reader: PictureReader, path: Path, start: int, *, fits: bool, one_tile: bool
    ) -> PromptPicture:
        key = picture_key(path, one_tile=one_tile)
        if (seen := self._seen.get(key)) is not None:
            return PromptPicture(key, Span(start, seen.grid), seen=seen)
        picture = load_picture(path)
        pixels = reader.to_pixels(picture, one_tile) if fits else None
        return PromptPicture(key, Span(start, reader.grid(picture, one_tile)), pixels)

    def _encode(self, text: str) -> list[int]:
        # The backend's own method: transformers' sets truncation and padding on it, which two threads may not
        # do at once. A batch of one: only that lets go of the interpreter, which the event loop needs.
        (encoding,) = self._tokenizer.backend_tokenizer.encode_batch([text], add_special_tokens=False)
        return list(encoding.ids)


def _check_asked(request: ChatRequest) -> None:
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "user" or not (last.text.strip() or last.pictures):
        raise RequestError("Nothing is asked.", hint="Type a question or an instruction.")
