"""InternLM2's pieces -> text: all at once, or as they come. Never half a character."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from transformers import PreTrainedTokenizerBase

SPACE = "▁"
# SentencePiece from 0.2.1 on spells a NUL as a byte even where the model has a piece for it. That piece keeps
# its id under this name, which no text can reach.
NUL_PIECE = "<NUL>"
_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


class InternLM2Decoder:
    """The text of one answer by its token ids; see ``launcher.families.Decoder``."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._special_ids = frozenset(tokenizer.all_special_ids)  # a property that is worked out at each look
        self._pieces = StreamDecoder()

    def add(self, token_id: int) -> str:
        """The text that this token completes; special tokens and ids beyond the vocabulary have none."""
        if token_id in self._special_ids:
            return ""
        piece: str | None = self._tokenizer.convert_ids_to_tokens(token_id)
        return "" if piece is None else self._pieces.add(piece)

    def finish(self) -> str:
        """What was still waiting."""
        return self._pieces.finish()


class StreamDecoder:
    """Pieces -> text as they come; never half a character: the bytes of one that is not complete wait for the
    rest."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors=_EACH_BYTE)

    def add(self, piece: str) -> str:
        """The text that this piece completes; may be empty."""
        return self._decoder.decode(piece_bytes(piece))

    def finish(self) -> str:
        """What was still waiting: U+FFFD for each byte of a character that never got complete."""
        return self._decoder.decode(b"", final=True)


def join_pieces(pieces: Iterable[str]) -> str:
    """Pieces -> text: "▁" is a space, byte pieces are UTF-8, every byte of a broken character becomes
    U+FFFD."""
    return b"".join(map(piece_bytes, pieces)).decode("utf-8", errors=_EACH_BYTE)


def piece_bytes(piece: str) -> bytes:
    """What one piece adds to the text, as UTF-8; a byte piece may be a part of a character."""
    if byte := _BYTE_PIECE.fullmatch(piece):
        return bytes((int(byte[1], 16),))
    return b"\0" if piece == NUL_PIECE else piece.replace(SPACE, " ").encode()


def _replace_each_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


_EACH_BYTE = "launcher.each_byte"
codecs.register_error(_EACH_BYTE, _replace_each_byte)
