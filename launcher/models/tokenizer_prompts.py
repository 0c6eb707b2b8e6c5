"""The prompt form that a tokenizer carries: the checkpoint's own chat template, in Jinja, run by transformers
in its sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from launcher.errors import CheckpointError, RequestError
from launcher.families.common.chat_templates import TAKE_CHAT, check_pictures
from launcher.families.common.prompts import PictureMarks, defused
from launcher.messages import Message

_WITHOUT_THINKING = {"enable_thinking": False}
"""Templates of models that can think before they answer ask for it by this name (Qwen3); others do not look.
What was thought would stand in the answer, and take its tokens."""
_SAID = "launcher"
_ANY_PICTURE = Path("picture")


class TokenizerPrompts:
    """Prompts of one tokenizer; see ``launcher.families.PromptForm``. Whatever its template stands for is
    written, a default system prompt too.

    Typed text that holds one of the tokenizer's added tokens is defused before the template sees it.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, marks: PictureMarks | None = None) -> None:
        """
        Args:
            tokenizer: the checkpoint's.
            marks: how its template writes a picture; None for a text model.

        Raises:
            CheckpointError: there is no template, or it cannot write a conversation, or a picture otherwise.
        """
        self._tokenizer, self._marks = tokenizer, marks
        self.picture_token = marks.token if marks else None
        self.picture = marks.written if marks else ""
        self._markup = _any_of({*_added_tokens(tokenizer)} - (marks.typed if marks else frozenset()))
        self._bos = tokenizer.bos_token if _adds_bos(tokenizer) else None
        try:
            self.turn_end = self._find_turn_end()
        except (TemplateError, ValueError, TypeError) as error:
            raise CheckpointError(
                "{folder}: the tokenizer's chat template cannot be used: {reason}",
                hint=TAKE_CHAT,
                folder=tokenizer.name_or_path,
                reason=str(error).split("\n", maxsplit=1)[0],
            ) from error
        if marks is not None:
            self._check_pictures(marks)

    def write(self, messages: Sequence[Message]) -> str:
        """See ``launcher.families.PromptForm``.

        Raises:
            RequestError: the template refuses such a conversation.
        """
        label = self._marks.label if self._marks else ""
        before = accumulate((len(each.pictures) for each in messages), initial=0)
        turns = [
            _turn(each, defused(each.text, self._markup), label, number + 1)
            for each, number in zip(messages, before, strict=False)
        ]
        try:
            text = self._render(turns, add_generation_prompt=True)
        except TemplateError as error:
            raise RequestError(
                "The model's chat template refuses this conversation: {reason}",
                hint="Clear the conversation and the system prompt, and ask again.",
                reason=str(error),
            ) from error
        if self._marks:
            text = text.replace(self._marks.from_template, self._marks.written)
        return text.removeprefix(self._bos) if self._bos else text

    def _check_pictures(self, marks: PictureMarks) -> None:
        asked = [_turn(Message("user", _SAID, (_ANY_PICTURE, _ANY_PICTURE)), _SAID)]
        written = self._render(asked, add_generation_prompt=True)
        check_pictures(written, marks, self._tokenizer.name_or_path)

    def _render(self, turns: list[dict[str, Any]], *, add_generation_prompt: bool) -> str:
        text: Any = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=add_generation_prompt, **_WITHOUT_THINKING
        )
        return str(text)

    def _find_turn_end(self) -> str:
        """The first special token behind what the assistant said; EOS where the template writes none."""
        turns = [_turn(Message(role, _SAID), _SAID) for role in ("user", "assistant")]
        rest = self._render(turns, add_generation_prompt=False).rpartition(_SAID)[2]
        found = _any_of(_special_tokens(self._tokenizer)).search(rest)
        return found[0] if found else str(self._tokenizer.eos_token)


def _turn(message: Message, text: str, label: str = "", first: int = 1) -> dict[str, Any]:
    """As templates take it: pictures and text in a list, a text alone as it is, which all of them know.
    ``first`` is the number of its first picture."""
    if not message.pictures:
        return {"role": message.role, "content": text}
    parts = list[dict[str, str]]()
    for number, _ in enumerate(message.pictures, first):
        if label and len(message.pictures) > 1:
            parts.append({"type": "text", "text": label.format(number=number)})
        parts.append({"type": "image"})
    return {"role": message.role, "content": [*parts, {"type": "text", "text": text}]}


def _added_tokens(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """What a text could forge: all added tokens but runs of blanks and single characters, which people
    type."""
    return [token for token in tokenizer.get_added_vocab() if len(token.strip()) > 1]


def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """All of them: ``all_special_tokens`` has only those with a role, such as EOS."""
    return [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]


def _any_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """The longest first, as one may begin another; of no tokens, what finds nothing."""
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _adds_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    return tokenizer.bos_token_id in tokenizer.backend_tokenizer.encode("", add_special_tokens=True).ids
