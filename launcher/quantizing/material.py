"""What a model reads while it is quantised, and what it is compared by afterwards: the built-in Shapes
pictures and a small text of our own, or a person's pictures and texts.

The one is never among the other: of what a person gives, every fourth is kept for the comparison.
"""

from __future__ import annotations

import codecs
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from launcher.demo.conversations import draw_conversation
from launcher.demo.known_answers import HELD_OUT_START, held_out_scene
from launcher.demo.pictures import Scene, draw_scene, encode
from launcher.demo.questions import PICTURE_KINDS, ask
from launcher.demo.wordings import LANGUAGES
from launcher.errors import RequestError
from launcher.images import check_upload
from launcher.quantizing.own_texts import PAIRS

HELD_OUT = 16
"""Pictures, and texts, that the result is compared by."""
_EVERY = 4
_MOST_TEXT_BYTES = 16 << 20
"""Of a file of texts: several times what the most samples take."""
_MOST_LETTERS = 2000
"""Of one sample; a longer text is several."""
_QUESTIONS = (
    "Describe the picture in detail.",
    "请详细描述这张图片。",
    "What is in the foreground, and what is behind it?",
    "图片中写了什么文字？",
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A question, about a picture or not, and an answer where one is known."""

    question: str
    answer: str = ""
    picture: Path | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """What is read, and what is kept for the comparison."""

    read: tuple[Conversation, ...]
    held_out: tuple[Conversation, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What to read: how many conversations, and where they come from.

    ``pictures``: whether the model reads pictures; then half of the samples have one. ``images`` is a folder
    in place of the built-in pictures, ``texts`` a file in place of the built-in texts, with empty lines
    between one and the next. ``built_in``: the model comes with the launcher and knows its own small world
    alone, so texts about others tell nothing of it.
    """

    samples: int
    pictures: bool
    images: Path | None = None
    texts: Path | None = None
    built_in: bool = False


def gather(wish: Wish, scratch: Path) -> Material:
    """Material for a model; ``scratch`` is a folder for pictures that are drawn.

    Raises:
        RequestError: there is no picture in the folder, or no text in the file, or too few; or the file
            cannot be read.
        PictureError: one of the pictures cannot be read.
        OSError: the folder cannot be read.
    """
    if not wish.pictures:
        return _cut(_without_pictures(wish, wish.samples), wish.samples)
    shown = wish.samples if wish.built_in and not wish.texts else wish.samples // 2
    about = _split(_about(wish.images)) if wish.images else _drawn_material(scratch, shown)
    parts = [_cut(about, shown)]
    if shown < wish.samples:
        parts.append(_cut(_without_pictures(wish, wish.samples - shown), wish.samples - shown))
    return Material(
        tuple(each for part in parts for each in part.read),
        tuple(each for part in parts for each in part.held_out),
    )


def _cut(material: Material, count: int) -> Material:
    return Material(material.read[:count], material.held_out[:HELD_OUT])


def _drawn_material(scratch: Path, count: int) -> Material:
    return Material(tuple(_drawn(scratch, count, "read")), tuple(_drawn(scratch, HELD_OUT, "held-out")))


def _without_pictures(wish: Wish, count: int) -> Material:
    if wish.texts is None and wish.built_in:
        starts = (0, count), (HELD_OUT_START, HELD_OUT)
        return Material(*(tuple(_small_talk(start, number)) for start, number in starts))
    return _split(_texts(wish.texts))


def _small_talk(start: int, count: int) -> Iterator[Conversation]:
    """How conversations of the built-in text model begin; seeds from HELD_OUT_START on are the ones that
    nobody trains on."""
    for seed in range(start, start + count):
        first = draw_conversation(seed)[0]
        yield Conversation(first.text, first.answer)


def _split(conversations: Sequence[Conversation]) -> Material:
    held_out = conversations[_EVERY - 1 :: _EVERY]
    return Material(tuple(each for each in conversations if each not in held_out), tuple(held_out))


def _drawn(scratch: Path, count: int, kind: str) -> Iterator[Conversation]:
    """Shapes scenes with questions; those that are held out are the ones that nobody trains on."""
    for number in range(count):
        scene: Scene = draw_scene(number) if kind == "read" else held_out_scene(number)
        rng = random.Random(f"{kind}-{number}")
        questions = (
            ask(scene, which, LANGUAGES[number % len(LANGUAGES)], rng, reword=False)
            for which in rng.sample(PICTURE_KINDS, len(PICTURE_KINDS))
        )
        question = next(each for each in questions if each is not None)
        file = scratch / f"{kind}-{number}"
        file.write_bytes(encode(scene))
        yield Conversation(question.text, question.answer, file)


def _about(folder: Path) -> list[Conversation]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    if len(files) < _EVERY:
        raise RequestError(
            "{folder} holds {count} pictures; at least {least} are needed",
            "Name a folder of some dozen pictures such as the model will be shown.",
            folder=folder,
            count=len(files),
            least=_EVERY,
        )
    for file in files:
        check_upload(file)
    return [Conversation(text, "", file) for file, text in zip(files, cycle(_QUESTIONS), strict=False)]


def _texts(file: Path | None) -> list[Conversation]:
    if file is None:
        return [Conversation(question, answer) for question, answer in PAIRS]
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_TEXT_BYTES)
        is_whole = len(content) < _MOST_TEXT_BYTES  # or a letter may be cut
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(content, final=is_whole)
    except OSError as error:
        raise RequestError(
            "{file} cannot be read: {reason}",
            "Name a file of some dozen texts such as the model will read.",
            file=file,
            reason=error.strerror or error,
        ) from error
    except UnicodeDecodeError as error:
        raise RequestError(
            "{file} is no text in UTF-8: {reason}",
            "Save it as UTF-8, with an empty line between one text and the next.",
            file=file,
            reason=error.reason,
        ) from error
    if "\0" in text:
        raise RequestError(
            "{file} is no text in UTF-8: {reason}",
            "Save it as UTF-8, with an empty line between one text and the next.",
            file=file,
            reason="it has zeros",
        )
    blocks = re.split(r"\n\s*\n", text)
    pieces = [
        block[start : start + _MOST_LETTERS].strip()
        for block in blocks
        for start in range(0, len(block), _MOST_LETTERS)
    ]
    found = [Conversation(piece) for piece in pieces if piece]
    if len(found) < _EVERY:
        raise RequestError(
            "{file} holds {count} texts; at least {least} are needed, with empty lines between them",
            "Name a file of some dozen texts such as the model will read.",
            file=file,
            count=len(found),
            least=_EVERY,
        )
    return found
