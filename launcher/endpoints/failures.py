"""What a server that speaks OpenAI's API did wrong -> an error that names its address and what to type."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus

from launcher.connection_failures import one_line
from launcher.errors import EngineError, LauncherError, Remark, RequestError
from launcher.presets import Endpoint

MOST_NAMES = 20
"""Models that are listed; more tell a person nothing new."""

_SEE_ITS_LOG = "Ask again; the server's own log may say why."
_WHERE_IT_BEGINS = "The preset's url has to be where such an API begins; mostly it ends in /v1."

_KEY_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def unreachable(url: str, reason: str | Remark) -> EngineError:
    """Nobody takes the connection."""
    return EngineError(
        "The server at {url} cannot be reached: {reason}",
        "See that it runs there, and that the preset's url is right. `launcher doctor` asks it again.",
        url=url,
        reason=reason,
    )


def silent(url: str, seconds: float) -> EngineError:
    """It takes too long over a word."""
    return EngineError(
        "The server at {url} said nothing for {seconds:.0f} s",
        _SEE_ITS_LOG,
        url=url,
        seconds=seconds,
    )


def broken_off(url: str) -> EngineError:
    """The connection ended before the answer did."""
    return EngineError(
        "The server at {url} broke off before the answer's end",
        _SEE_ITS_LOG,
        url=url,
    )


def unreadable(url: str, said: str) -> EngineError:
    """What came is not OpenAI's form."""
    return EngineError(
        "The server at {url} said something that is no answer in OpenAI's form: {said}",
        _WHERE_IT_BEGINS,
        url=url,
        said=shortened(said),
    )


def endless(url: str, limit_mib: int) -> EngineError:
    """More came than any answer has."""
    return EngineError(
        "The server at {url} sent more than {limit} MiB and no end",
        "Ask again; if that happens each time, the server is at fault.",
        url=url,
        limit=limit_mib,
    )


def unknown_model(endpoint: Endpoint, names: Sequence[str]) -> EngineError:
    """It has others."""
    more = len(names) - MOST_NAMES
    shown = ", ".join([*map(shortened, names[:MOST_NAMES]), *([f"… ({more})"] if more > 0 else [])])
    return EngineError(
        "The server at {url} has no model {model}",
        "Write one that it has for model in the preset: {names}",
        url=endpoint.url,
        model=endpoint.model,
        names=shown or "-",
    )


def bad_key(endpoint: Endpoint) -> EngineError:
    """What the environment has cannot be sent."""
    return EngineError(
        "{variable} holds characters that no key has",
        "Type: export {variable}=…  with the key alone, and start the launcher again.",
        variable=endpoint.key_env,
    )


def told_in_the_stream(url: str, said: str) -> EngineError:
    """It ended an answer with an error of its own."""
    return EngineError(
        "The server at {url} failed over this answer: {said}", "Ask again.", url=url, said=shortened(said)
    )


def ended_otherwise(url: str, reason: str) -> EngineError:
    """For a reason that is no end of an answer here."""
    return EngineError(
        "The server at {url} ended the answer for another reason: {reason}",
        "Ask something else.",
        url=url,
        reason=reason,
    )


def refusal(
    endpoint: Endpoint, status: int, said: str, *, location: str, after_s: float | None
) -> LauncherError:
    """What a status other than 200 says.

    Args:
        endpoint: who was asked.
        status: the HTTP status.
        said: the server's own sentence.
        location: where it sends on to.
        after_s: when to come back, if it says so.
    """
    url, values = endpoint.url, {"url": endpoint.url, "status": status, "said": shortened(said)}
    if status in _KEY_REFUSED:
        return _key_refused(endpoint, values)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _too_many(values, after_s)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return EngineError(
            "The server at {url} sends on to {location}, which is not followed",
            "If that is where the API is, write it for url in the preset.",
            url=url,
            location=shortened(location) or "-",
        )
    if status == HTTPStatus.NOT_FOUND:
        return EngineError(
            "The server at {url} has nothing there ({status}): {said}",
            _WHERE_IT_BEGINS,
            **values,
        )
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return RequestError(
            "The server at {url} refuses the question ({status}): {said}",
            "Change what it names: in the question, under Advanced, or in the preset.",
            **values,
        )
    return EngineError(
        "The server at {url} failed ({status}): {said}",
        _SEE_ITS_LOG,
        **values,
    )


def _key_refused(endpoint: Endpoint, values: dict[str, object]) -> EngineError:
    if endpoint.key_env:
        return EngineError(
            "The server at {url} does not take the key in {variable} ({status}): {said}",
            "Type: export {variable}=…  with a key that it takes, and start the launcher again.",
            variable=endpoint.key_env,
            **values,
        )
    return EngineError(
        "The server at {url} asks for a key, and the preset names none ({status}): {said}",
        "Put the key into an environment variable, and the variable's name into the preset, beside url:"
        " key_env: NAME",
        **values,
    )


def _too_many(values: dict[str, object], after_s: float | None) -> EngineError:
    if after_s is None:
        return EngineError(
            "The server at {url} takes no more questions now: {said}", "Ask again later.", **values
        )
    return EngineError(
        "The server at {url} takes no more questions now: {said}",
        "Ask again in {seconds:.0f} s.",
        seconds=after_s,
        **values,
    )


def sentence_of(body: bytes) -> str:
    """The server's own sentence in the body of a refusal: OpenAI's form, FastAPI's, or its text as it is."""
    text = body.decode("utf-8", errors="replace")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(given, dict):
        found = given.get("error", given)
        if isinstance(found, dict):
            found = found.get("message") or found.get("detail") or found
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
    return text


def shortened(text: str) -> str:
    """What a server said as it may be shown: ``one_line``, with a stop between its sentences."""
    sentences = (each.rstrip() for each in text.splitlines())
    return one_line(
        " ".join(f"{each}." if each[-1:].isalnum() else each for each in sentences) if "\n" in text else text
    )
