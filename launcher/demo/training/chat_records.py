"""tiny-chat's training records: conversations without pictures."""

from __future__ import annotations

import numpy as np

from launcher.demo.conversations import CHAT_KINDS, ChatTurn, draw_conversation
from launcher.demo.known_answers import HELD_OUT_START
from launcher.demo.training.records import ConversationWriter, Record, Tiles
from launcher.demo.wordings import LANGUAGES

_NO_TILES: Tiles = np.zeros((0, 1, 1, 3), np.uint8)
_NO_CELLS = np.zeros((0, 2), np.uint8)


class ChatRecords:
    """Makes the records of tiny-chat; marks are 1 + the index into ``CHAT_KINDS``."""

    def __init__(self, writer: ConversationWriter) -> None:
        self._writer = writer

    def training(self, seed: int) -> tuple[Record, Tiles]:
        """One conversation of the training part."""
        turns = draw_conversation(seed)
        conversation = self._writer.write([(turn.text, turn.answer, _mark(turn)) for turn in turns], [], [])
        return Record(0, _NO_CELLS, (conversation,)), _NO_TILES

    def held_out(self, index: int) -> tuple[Record, Tiles]:
        """For each kind and language a held-out conversation that ends in it; only the last answer is
        marked."""
        conversations = []
        for kind in CHAT_KINDS:
            for number, language in enumerate(LANGUAGES):
                turns = draw_conversation(HELD_OUT_START + index, language, kind)
                marks = [0] * (len(turns) - 1) + [_mark(turns[-1]) + 16 * number]
                written = [(turn.text, turn.answer, mark) for turn, mark in zip(turns, marks, strict=True)]
                conversations.append(self._writer.write(written, [], []))
        return Record(0, _NO_CELLS, tuple(conversations)), _NO_TILES


def _mark(turn: ChatTurn) -> int:
    return 1 + CHAT_KINDS.index(turn.kind)
