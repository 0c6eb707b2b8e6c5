"""Conversation -> prompt text with a place for each picture. A family's own form is a ``ChatTemplate``:
torch-free, so that any process can write it. Engines know ``PromptForm``, which a tokenizer's own template
follows too (``launcher.models.tokenizer_prompts``).

The text has no BOS: the tokenizer adds it, if it is one that does. Each picture is one picture token; the
engine puts as many in its place as the picture has. A conversation is written as it is given: whether the
preset's system prompt stands in it is decided where it is made.

Text that people (or earlier answers) wrote must not forge turns or pictures, and a tokenizer cannot tell it
from ours once both are in one string. ``defused`` therefore breaks every such token in it with a
zero-width space, which leaves the words readable for the model and for people. LMDeploy takes strings, so its
path has to use the same function.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from launcher.errors import RequestError
from launcher.messages import Message

_ZERO_WIDTH_SPACE = "\u200b"


class PromptForm(Protocol):
    """What an engine has to know of a prompt form."""

    @property
    def turn_end(self) -> str:
        """The token that ends a turn, the model's own too."""
        ...

    @property
    def picture_token(self) -> str | None:
        """What stands for a picture's tokens; None for a text model."""
        ...

    @property
    def picture(self) -> str:
        """What stands for one picture, opening and closing included."""
        ...

    def write(self, messages: Sequence[Message]) -> str:
        """The conversation up to where the assistant speaks; its texts are defused. Use ``build_prompt``,
        which looks at the pictures first."""
        ...


@dataclass(frozen=True, slots=True)
class PictureMarks:
    """How pictures stand in the prompts of a tokenizer's own chat template: ``token`` stands for all tokens
    of one.

    ``in_template`` is what the template writes for a picture, where transformers' processor puts all the rest
    in its place; "" where the template writes it whole. ``label``, with the picture's number in the
    conversation, is said before each picture of a turn that has several. ``typed`` are tokens that people may
    type, as they forge nothing.
    """

    opening: str
    token: str
    closing: str
    in_template: str = ""
    label: str = ""
    typed: frozenset[str] = frozenset()

    @property
    def written(self) -> str:
        """One picture."""
        return f"{self.opening}{self.token}{self.closing}"

    @property
    def from_template(self) -> str:
        """One picture as the template writes it."""
        return self.in_template or self.written


def defused(text: str, markup: re.Pattern[str]) -> str:
    """The text with every piece of markup in it broken by a zero-width space, so that it reads the same and
    does nothing."""
    return markup.sub(lambda match: match[0][0] + _ZERO_WIDTH_SPACE + match[0][1:], text)


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How a conversation is written down.

    ``turn_end`` is one token, which ends the model's own turn too; ``turn_separator`` stands between it and
    the next turn. ``markup`` finds what could forge a turn or a picture in text that somebody wrote.
    ``picture_token`` is None for a text model. ``picture_label``, with the picture's number in the
    conversation, stands before each picture of a turn that has several. ``strips_answers``: answers are told
    to the model without the blanks around them.
    """

    turn_start: str
    turn_end: str
    markup: re.Pattern[str]
    turn_separator: str = "\n"
    picture_open: str = ""
    picture_token: str | None = None
    picture_close: str = ""
    picture_label: str = ""
    strips_answers: bool = False

    @property
    def picture(self) -> str:
        """What stands for one picture."""
        return f"{self.picture_open}{self.picture_token}{self.picture_close}"

    def defuse(self, text: str) -> str:
        """See ``defused``."""
        return defused(text, self.markup)

    def write(self, messages: Sequence[Message]) -> str:
        """See ``PromptForm``."""
        before = accumulate((len(message.pictures) for message in messages), initial=0)
        turns = [_turn(message, self, number) for message, number in zip(messages, before, strict=False)]
        return "".join(turns) + f"{self.turn_start}assistant\n"


def build_prompt(messages: Sequence[Message], form: PromptForm) -> str:
    """The conversation up to where the assistant speaks.

    Raises:
        RequestError: there are pictures, and the form has no place for them.
    """
    if form.picture_token is None and any(message.pictures for message in messages):
        raise RequestError(
            "This model reads text only; the conversation has a picture",
            hint="Take the picture out, or ask a model that reads pictures.",
        )
    return form.write(messages)


def _turn(message: Message, template: ChatTemplate, pictures_before: int) -> str:
    label = template.picture_label if len(message.pictures) > 1 else ""
    numbers = range(pictures_before + 1, pictures_before + 1 + len(message.pictures))
    pictures = "".join(label.format(number=number) + template.picture for number in numbers)
    told = message.text.strip() if template.strips_answers and message.role == "assistant" else message.text
    start, end = f"{template.turn_start}{message.role}\n", template.turn_end + template.turn_separator
    return start + pictures + template.defuse(told) + end


def split_at_pictures(prompt: str, form: PromptForm) -> list[str]:
    """The prompt's pieces before, between and after its picture tokens: one more than there are pictures."""
    return [prompt] if form.picture_token is None else prompt.split(form.picture_token)
