"""When an answer begins and how it ends, the same on every engine: room in the session, the finish, an answer
without a word."""

from __future__ import annotations

from launcher.errors import EngineError, RequestError
from launcher.messages import FinishReason

MIN_ANSWER_TOKENS = 32
"""A session with less room than this behind the prompt is full."""


def answer_room(prompt_tokens: int, picture_tokens: int, session_tokens: int, max_new_tokens: int) -> int:
    """How many tokens the answer may have.

    Args:
        prompt_tokens: of the whole prompt, ``picture_tokens`` among them.
        picture_tokens: of all pictures.
        session_tokens: what prompt and answer may have together.
        max_new_tokens: what was asked for.

    Raises:
        RequestError: too few to be an answer.
    """
    room = session_tokens - prompt_tokens
    if room < min(MIN_ANSWER_TOKENS, max_new_tokens):
        raise too_long(prompt_tokens, picture_tokens, session_tokens)
    return min(room, max_new_tokens)


def too_long(prompt_tokens: int, picture_tokens: int, session_tokens: int) -> RequestError:
    """The conversation leaves no room for an answer."""
    if picture_tokens:
        return RequestError(
            "The conversation takes {total} tokens, {pictures} of them for pictures; this model's"
            " session holds {session},"
            " the answer included.",
            hint="Clear the conversation, send fewer or smaller pictures, or shorten the question.",
            total=prompt_tokens,
            pictures=picture_tokens,
            session=session_tokens,
        )
    return RequestError(
        "The conversation takes {total} tokens; this model's session holds {session}, the answer included.",
        hint="Clear the conversation or shorten the question.",
        total=prompt_tokens,
        session=session_tokens,
    )


def out_of_tokens(new_tokens: int, max_new_tokens: int) -> FinishReason:
    """The finish of an answer that was cut off: at what was asked for, or sooner, as the session was full."""
    return "length" if new_tokens >= max_new_tokens else "session_full"


def check_said(finish: FinishReason, *, said: bool) -> None:
    """Makes sure that an answer that ended by itself said something.

    Args:
        finish: how it ended. One that was cut off or stopped may have said nothing yet.
        said: whether its text has anything but blanks, or it said a stop text.

    Raises:
        EngineError: it ended without a word.
    """
    if finish == "stop" and not said:
        raise EngineError("The model ended its answer without a word.", hint="Ask again in other words.")
