"""A checkpoint's own chat template, tried out before its tokenizer is loaded: whether it is Jinja, and writes
pictures as its family's prompts have them. Prompts themselves are written by transformers
(``launcher.models.tokenizer_prompts``)."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import partial

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from launcher.errors import CheckpointError
from launcher.families.common.prompts import PictureMarks

_SAID = "launcher"
_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
"""Those that transformers hands to a template."""
TAKE_CHAT = "Take the model's chat or instruct version, or download its tokenizer again."


class _Generation(Extension):
    """transformers' own tag around what the assistant says."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's own spelling

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """What stands in it, as it is."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def check_template(template: str, marks: PictureMarks | None, folder: object) -> None:
    """Makes sure that a template can write this family's prompts.

    Args:
        template: Jinja, as the tokenizer's files hold it.
        marks: how a picture stands in the prompts; None for a text model.
        folder: what errors call the checkpoint.

    Raises:
        CheckpointError: it is no Jinja, or does not write a conversation, or a picture otherwise.
    """
    try:
        written = _written(template, pictures=2 if marks else 0)
    except (TemplateError, ValueError, TypeError) as error:
        raise CheckpointError(
            "{folder}: the tokenizer's chat template cannot be used: {reason}",
            hint=TAKE_CHAT,
            folder=folder,
            reason=str(error).split("\n", maxsplit=1)[0],
        ) from error
    if marks:
        check_pictures(written, marks, folder)


def check_pictures(written: str, marks: PictureMarks, folder: object) -> None:
    """Raises CheckpointError where what a template wrote has not two pictures, one behind the other."""
    if written.count(marks.token) != 2 or marks.from_template * 2 not in written:
        raise CheckpointError(
            "{folder}: the tokenizer's chat template does not write a picture as {marks}",
            hint=TAKE_CHAT,
            folder=folder,
            marks=marks.from_template,
        )


def _written(template: str, pictures: int) -> str:
    """A question, rendered as transformers does."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = partial(json.dumps, ensure_ascii=False)
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now(timezone.utc).strftime(form)
    content = [*({"type": "image"} for _ in range(pictures)), {"type": "text", "text": _SAID}]
    message = {"role": "user", "content": content if pictures else _SAID}
    return environment.from_string(template).render(
        messages=[message],
        add_generation_prompt=True,
        enable_thinking=False,
        tools=None,
        documents=None,
        **dict.fromkeys(_SPECIAL_TOKENS, ""),
    )


def _refuse(reason: str) -> None:
    raise TemplateError(reason)
