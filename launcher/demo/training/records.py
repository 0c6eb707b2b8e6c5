"""What the training's worker processes make: pictures cut into tiles, and conversations about them as token
ids; torch-free.

A record is one or two pictures (or none) with several conversations, so that a picture that was drawn once is
used several times with other questions. Conversations are written with ``launcher.families``, as an
engine writes them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from launcher.demo.known_answers import held_out_scene
from launcher.demo.pictures import COLOURS, KINDS, Scene, as_opened, draw_scene
from launcher.demo.questions import PICTURE_KINDS, Question, ask
from launcher.demo.tokenizers import Encoder
from launcher.demo.wordings import LANGUAGES, Language, QuestionKind
from launcher.families import ChatTemplate, build_prompt, split_at_pictures
from launcher.messages import Message, system_turn

Ids = npt.NDArray[np.uint16]
Marks = npt.NDArray[np.uint8]
Tiles = npt.NDArray[np.uint8]

KIND_NAMES: tuple[str, ...] = (*PICTURE_KINDS, "absent", "outside", "no_picture")
"""A token's mark is 0 when no answer, else 1 + the index of its kind here."""
CELL_COLUMNS = 5
WHOLE_PICTURE = (0.0, 0.0, 1.0, 1.0)
"""A tile's box, in shares of the picture's sides, when it shows all of it."""
KIND_WEIGHTS: dict[QuestionKind, float] = {
    "colour": 1.0,
    "shape": 1.0,
    "count": 1.2,
    "count_of": 2.0,
    "where": 1.5,
    "exists": 1.5,
    "describe": 1.5,
    "absent": 0.6,
    "outside": 0.8,
}
CONVERSATIONS_A_RECORD = 8
SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You answer questions about simple shapes.",
    "Answer briefly.",
    "你是一个有用的助手。",
    "请简短回答。",
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL,"
    " 是一个有用无害的人工智能助手。",
)
"""The presets of these models have none; a fifth of the conversations has one, so that a person's own does no
harm."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Ids of a whole conversation, picture tokens included, and a mark for each: 0, or 1 + the answer's
    kind."""

    ids: Ids
    marks: Marks


@dataclass(frozen=True, slots=True)
class Record:
    """``cells`` [tokens, 5] says for every picture token what lies under it and where that is; see
    ``label_cells``."""

    tile_count: int
    cells: Marks
    conversations: tuple[Conversation, ...]


@dataclass(frozen=True, slots=True)
class PictureRule:
    """How a family sees pictures. ``cut`` gives the tiles, and each tile's box in shares of the picture's
    sides."""

    cut: Callable[[Image.Image, int], tuple[Tiles, list[tuple[float, float, float, float]]]]
    cells_a_side: int
    tile_limits: tuple[int, ...]

    def tokens_a_tile(self) -> int:
        """Picture tokens that one tile takes."""
        return self.cells_a_side**2


def label_cells(scene: Scene, boxes: Sequence[tuple[float, float, float, float]], cells_a_side: int) -> Marks:
    """Labels for the auxiliary loss, [tiles x cells, 5].

    Column 0: 0, or 1 + kind x 8 + colour of the shape whose box holds the cell's middle. Column 1: the same
    for the cell that holds the middle of a shape's box. In tiles that show the whole picture, the cells of
    column 0 say where their shape is: column 2 holds 1 + its place by thirds, columns 3 and 4 its middle's x
    and y from 1 to 255; 0 elsewhere.
    """
    middles = (np.arange(cells_a_side) + 0.5) / cells_a_side
    labels = np.zeros((len(boxes), cells_a_side, cells_a_side, CELL_COLUMNS), np.uint8)
    for tile, (left, top, right, bottom) in enumerate(boxes):
        xs = (left + middles * (right - left)) * scene.width_px
        ys = (top + middles * (bottom - top)) * scene.height_px
        half_x = (right - left) * scene.width_px / cells_a_side / 2
        half_y = (bottom - top) * scene.height_px / cells_a_side / 2
        for shape in scene.shapes:
            label = 1 + KINDS.index(shape.kind) * len(COLOURS) + COLOURS.index(shape.colour)
            (x, y), width, height = shape.centre, shape.width_px, shape.height_px
            inside = (np.abs(ys - y) < height / 2)[:, None] & (np.abs(xs - x) < width / 2)[None, :]
            centre = (np.abs(ys - y) <= half_y)[:, None] & (np.abs(xs - x) <= half_x)[None, :]
            labels[tile, :, :, 0][inside] = label
            labels[tile, :, :, 1][centre] = label
            if (left, top, right, bottom) == WHOLE_PICTURE:
                column, row = min(int(3 * x / scene.width_px), 2), min(int(3 * y / scene.height_px), 2)
                middle = (1 + round(254 * x / scene.width_px), 1 + round(254 * y / scene.height_px))
                labels[tile, :, :, 2:][inside] = (1 + 3 * row + column, *middle)
    return labels.reshape(-1, CELL_COLUMNS)


class ConversationWriter:
    """Turns questions and answers into ids, exactly as an engine's prompt would be, with the answers
    marked."""

    def __init__(self, encoder: Encoder, template: ChatTemplate, picture_token_id: int) -> None:
        self._encoder = encoder
        self._template = template
        self._picture_token_id = picture_token_id

    def write(
        self,
        turns: Sequence[tuple[str, str, int]],
        pictures: Sequence[int],
        picture_turns: Sequence[int],
        system_prompt: str = "",
    ) -> Conversation:
        """Ids and marks of a conversation.

        Args:
            turns: question, answer and mark of each turn.
            pictures: picture tokens of each picture.
            picture_turns: the turn that each picture is given in.
            system_prompt: empty for none.
        """
        messages = list(system_turn(system_prompt))
        pieces: list[tuple[list[int], int]] = [(self._encoder.encode("<s>"), 0)]
        done, place = 0, 0
        for number, (question, answer, mark) in enumerate(turns):
            given = picture_turns.count(number)
            messages.append(Message("user", question, (Path("picture"),) * given))
            prompt = build_prompt(messages, self._template)
            pieces.append((self._encode(prompt[done:], pictures[place : place + given]), 0))
            pieces.append((self._encoder.encode(answer + self._template.turn_end), mark))
            done, place = len(prompt) + len(answer + self._template.turn_end), place + given
            messages.append(Message("assistant", answer))
        ids = [i for piece, _ in pieces for i in piece]
        marks = [mark for piece, mark in pieces for _ in piece]
        return Conversation(np.array(ids, np.uint16), np.array(marks, np.uint8))

    def _encode(self, text: str, pictures: Sequence[int]) -> list[int]:
        if not pictures:
            return self._encoder.encode(text)
        ids: list[int] = []
        for piece, tokens in zip(split_at_pictures(text, self._template), (*pictures, 0), strict=True):
            ids += self._encoder.encode(piece) + [self._picture_token_id] * tokens
        return ids


class ShapesRecords:
    """Makes the records of a picture model."""

    def __init__(self, writer: ConversationWriter, rule: PictureRule) -> None:
        self._writer = writer
        self._rule = rule

    def training(self, seed: int) -> tuple[Record, Tiles]:
        """A record of the training part: one picture mostly, sometimes two or none."""
        rng = random.Random(f"shapes-record-{seed}")
        draw = rng.random()
        scenes = [] if draw < 0.03 else [draw_scene(seed)]
        if draw > 0.95:
            scenes.append(draw_scene((1 << 39) + seed))
        limit = self._rule.tile_limits[0] if rng.random() < 0.7 else rng.choice(self._rule.tile_limits)
        return self._record(scenes, limit, lambda counts: self._conversations(scenes, counts, rng))

    def held_out(self, index: int) -> tuple[Record, Tiles]:
        """A held-out picture with one short conversation for each kind and language; half of them in the
        listed words.

        Marks carry the language too: 1 + kind + 16 x language.
        """
        scene = held_out_scene(index)
        rng = random.Random(f"held-out-{scene.seed}")
        questions = [
            ask(scene, kind, language, rng, reword=rng.random() < 0.5)
            for kind in (*PICTURE_KINDS, *_OTHER_KINDS)
            for language in LANGUAGES
        ]

        def conversations(counts: list[int]) -> list[Conversation]:
            return [
                self._writer.write(
                    [(q.text, q.answer, _mark(q) + 16 * LANGUAGES.index(q.language))], counts, [0]
                )
                for q in questions
                if q is not None
            ]

        return self._record([scene], self._rule.tile_limits[0], conversations)

    def _record(
        self, scenes: Sequence[Scene], limit: int, conversations: Callable[[list[int]], list[Conversation]]
    ) -> tuple[Record, Tiles]:
        cut = [self._rule.cut(as_opened(scene), limit) for scene in scenes]
        cells = [
            label_cells(scene, boxes, self._rule.cells_a_side)
            for scene, (_, boxes) in zip(scenes, cut, strict=True)
        ]
        counts = [len(tiles) * self._rule.tokens_a_tile() for tiles, _ in cut]
        tiles = np.concatenate([tiles for tiles, _ in cut]) if cut else np.zeros((0, 1, 1, 3), np.uint8)
        marks = np.concatenate(cells) if cells else np.zeros((0, CELL_COLUMNS), np.uint8)
        return Record(len(tiles), marks, tuple(conversations(counts))), tiles

    def _conversations(
        self, scenes: Sequence[Scene], counts: list[int], rng: random.Random
    ) -> list[Conversation]:
        return [self._conversation(scenes, counts, rng) for _ in range(CONVERSATIONS_A_RECORD)]

    def _conversation(self, scenes: Sequence[Scene], counts: list[int], rng: random.Random) -> Conversation:
        stages: list[Scene | None] = list(scenes)
        if not scenes or rng.random() < 0.03:
            stages.insert(0, None)
        language = rng.choice(LANGUAGES)
        questions: list[Question] = []
        picture_turns: list[int] = []
        for scene in stages:
            if scene is not None:
                picture_turns.append(len(questions))
            questions += _draw_questions(
                scene, rng.choice((1, 2, 3, 4, 5, 6)) if len(stages) == 1 else 2, language, rng
            )
        system_prompt = rng.choice(SYSTEM_PROMPTS) if rng.random() < 0.2 else ""
        turns = [(q.text, q.answer, _mark(q)) for q in questions]
        return self._writer.write(turns, counts, picture_turns, system_prompt)


_OTHER_KINDS: tuple[QuestionKind, ...] = ("absent", "outside")


def _mark(question: Question) -> int:
    return 1 + KIND_NAMES.index(question.kind)


def _draw_questions(
    scene: Scene | None, count: int, language: Language, rng: random.Random
) -> list[Question]:
    """That many questions, a few in the other language; what gives the picture away ("describe") comes
    last."""
    questions: list[Question] = []
    while len(questions) < count:
        spoken = language if rng.random() < 0.85 else rng.choice(LANGUAGES)
        kind = rng.choices(list(KIND_WEIGHTS), list(KIND_WEIGHTS.values()))[0]
        if scene is None:
            kind = "no_picture" if rng.random() < 0.8 else "outside"
        question = ask(scene or _ANY_SCENE, kind, spoken, rng)
        if question is not None:
            questions.append(question)
    return sorted(questions, key=lambda q: q.kind == "describe") if rng.random() < 0.8 else questions


_ANY_SCENE = draw_scene(0)
