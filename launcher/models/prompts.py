"""Conversation -> prompt text with a place for each picture, per chat template; torch-free, so that any
process can count it.

The three templates are the published ones and what LMDeploy's chat template makes of the same settings. The
text has no BOS: the tokenizer adds it. Each picture is one picture token; the engine puts as many in its
place as the picture has.

Text that people (or earlier answers) wrote must not forge turns or pictures, and a tokenizer cannot tell it
from ours once both are in one string. ``defuse`` therefore breaks every such token in it with a zero-width
space, which leaves the words readable for the model and for people. LMDeploy takes strings, so its path has
to use the same function.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from launcher.errors import RequestError
from launcher.messages import Message

# What can open or close a turn, a picture place or the text itself, in any of the three vocabularies and in
# LMDeploy (<IMAGE_TOKEN>). <ref>, <box> and <quad> are InternVL2's grounding marks: people type them, and
# they forge nothing.
_MARKUP = re.compile(
    r"<\|(?:im_start|im_end|action_start|action_end|interpreter|plugin)\|>"
    r"|</?(?:s|img)>|<(?:unk|IMG_CONTEXT|IMAGE_TOKEN|ImageHere)>|\[UNUSED_TOKEN_\d+\]"
)
_ZERO_WIDTH_SPACE = "\u200b"


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How a conversation is written down. ``picture_token`` is None for a text model."""

    turn_start: str
    turn_end: str
    picture_open: str = ""
    picture_token: str | None = None
    picture_close: str = ""


TEMPLATES = {
    "internlm2": ChatTemplate("<|im_start|>", "<|im_end|>"),
    "internvl2": ChatTemplate("<|im_start|>", "<|im_end|>", "<img>", "<IMG_CONTEXT>", "</img>\n"),
    "xcomposer2": ChatTemplate("[UNUSED_TOKEN_146]", "[UNUSED_TOKEN_145]", "", "<ImageHere>", ""),
}
"""The templates by the names that presets use."""


def defuse(text: str) -> str:
    """The text with every piece of markup in it broken by a zero-width space, so that it reads the same and
    does nothing."""
    return _MARKUP.sub(lambda match: match[0][0] + _ZERO_WIDTH_SPACE + match[0][1:], text)


def build_prompt(messages: Sequence[Message], template: ChatTemplate, system_prompt: str = "") -> str:
    """The conversation up to where the assistant speaks. ``system_prompt`` stands in when the conversation
    has none.

    Raises:
        RequestError: there are pictures, and the template has no place for them.
    """
    if template.picture_token is None and any(message.pictures for message in messages):
        raise RequestError(
            "This model reads text only; the conversation has a picture",
            hint="Take the picture out, or ask a model that reads pictures.",
        )
    if messages and messages[0].role != "system" and system_prompt:
        messages = (Message("system", system_prompt), *messages)
    turns = [_turn(message, template) for message in messages]
    return "".join(turns) + f"{template.turn_start}assistant\n"


def _turn(message: Message, template: ChatTemplate) -> str:
    picture = f"{template.picture_open}{template.picture_token}{template.picture_close}"
    content = picture * len(message.pictures) + defuse(message.text)
    return f"{template.turn_start}{message.role}\n{content}{template.turn_end}\n"


def split_at_pictures(prompt: str, template: ChatTemplate) -> list[str]:
    """The prompt's pieces before, between and after its picture tokens: one more than there are pictures."""
    return [prompt] if template.picture_token is None else prompt.split(template.picture_token)
