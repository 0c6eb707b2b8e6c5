"""Tokens -> text by the tokenizer's own rules, as they come."""

from __future__ import annotations

from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerBase


class TokenizerDecoder:
    """The text of one answer by its token ids; see ``launcher.families.Decoder``.

    Letter for letter the tokenizer's own text of the whole answer. One exception: tokenizers with a token for
    each byte take back what they made of bytes that are followed by broken ones, and what was shown cannot be
    taken back.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer.backend_tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._waiting: list[int] = []

    def add(self, token_id: int) -> str:
        """The text that this token completes; special tokens and ids beyond the vocabulary have none."""
        self._waiting.append(token_id)
        try:
            text: str | None = self._stream.step(self._tokenizer, token_id)
        except Exception:  # noqa: BLE001 - tokenizers' own, of no other kind: text was taken back
            self._stream = DecodeStream(skip_special_tokens=True)
            text = self.finish()
        if text is None:
            return ""
        self._waiting.clear()
        return text

    def finish(self) -> str:
        """What was still waiting: U+FFFD for a character that never got complete."""
        text: str = self._tokenizer.decode(self._waiting, skip_special_tokens=True)
        self._waiting.clear()
        return text
