"""What every question has to be before a model's process sees it, whoever asks: the page, a program, the
terminal, or code that has a ``Manager``. The bound on its text is here alone.

No tokens are counted: that takes seconds for megabytes. A text that is let through may still be too long,
which the engine says with the tokens' figures.
"""

from __future__ import annotations

from dataclasses import replace

from launcher.errors import RequestError
from launcher.messages import ChatRequest, GenerationOptions, Message, well_formed
from launcher.settings import OPTION_NAMES, read_options, shown

LONGEST_TOKEN_CHARACTERS = 128
"""The longest token of any vocabulary that is offered: InternLM2's run of 128 blanks."""

MOST_STOP_TEXTS, LONGEST_STOP_TEXT = 16, 256
"""Of a request: each is looked for at every token."""

MOST_SESSION_TOKENS = 1_048_576
"""The preset schema's: for a model whose session is known only once it is loaded."""


def checked(request: ChatRequest, session_tokens: int) -> ChatRequest:
    """The request as it may go to an engine: text that is well-formed, options and stop texts in
    their ranges.

    Raises:
        RequestError: it has more text than fits the session, an option or a stop text that cannot be.
    """
    check_length(request, session_tokens)
    return replace(
        request,
        messages=tuple(map(_well_formed, request.messages)),
        options=read_options(
            {name: getattr(request.options, name) for name in OPTION_NAMES}, GenerationOptions()
        ),
        stop=_checked_stop(request.stop),
    )


def _well_formed(message: Message) -> Message:
    text = well_formed(message.text)
    return message if text is message.text else replace(message, text=text)


def _checked_stop(stop: tuple[str, ...]) -> tuple[str, ...]:
    for text in stop:
        if len(stop) > MOST_STOP_TEXTS or not 0 < len(text) <= LONGEST_STOP_TEXT:
            raise RequestError(
                "{name} cannot be {value}",
                "It is at most {most} texts of 1 to {longest} characters each.",
                name="stop",
                field="stop",  # what the endpoint's refusal points at
                value=shown(list(stop)),
                most=MOST_STOP_TEXTS,
                longest=LONGEST_STOP_TEXT,
            )
    return tuple(map(well_formed, stop))


def check_length(request: ChatRequest, session_tokens: int) -> None:
    """Raises RequestError where the conversation cannot fit the session, however its text is cut into
    tokens."""
    characters = sum(len(message.text) for message in request.messages)
    limit = session_tokens * LONGEST_TOKEN_CHARACTERS
    if characters > limit:
        raise RequestError(
            "The conversation has {characters:,} characters; this model's session of {session:,} tokens holds"
            " {limit:,} at the very most.",
            hint="Clear the conversation or shorten the question.",
            characters=characters,
            session=session_tokens,
            limit=limit,
        )
