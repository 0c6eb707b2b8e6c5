"""What a hub did wrong -> an error that names it and what to type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import httpx

from launcher.checkpoints import Hub
from launcher.commands_here import program
from launcher.connection_failures import what_happened
from launcher.errors import CheckpointError, Remark
from launcher.proxies import proxy_for

THROUGH = " through the proxy {proxy} (in {variable})"

_NOT_FOUND = (401, 404)
"""Hugging Face answers 401 for what does not exist, so as not to tell what is private."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whom to ask for which model. ``again`` is what was typed, ``instead`` what takes another hub, "" for
    none."""

    hub: Hub
    name: str
    again: str
    instead: str = ""


def not_reached(source: Source, endpoint: str, error: Exception) -> CheckpointError:
    """Nobody takes the connection, or it broke."""
    if not source.instead:
        hint = "Check the connection, and type again: {again}"
    elif source.hub == "hf":
        hint = (
            "Check the connection; a mirror's address goes into HF_ENDPOINT. Or take the other hub: {instead}"
        )
    else:
        hint = "Check the connection, or take the other hub: {instead}"
    proxy = proxy_for(httpx.URL(endpoint))
    return CheckpointError(
        "{endpoint} is not reached{through}: {reason}",
        hint,
        endpoint=shown(endpoint),
        through=Remark(THROUGH, (("proxy", proxy.shown), ("variable", proxy.variable))) if proxy else "",
        reason=what_happened(error),
        again=source.again,
        instead=source.instead,
    )


def refuse(source: Source, endpoint: str, response: httpx.Response) -> NoReturn:
    """Raises CheckpointError: what the hub's answer means, which is not the listing that was asked for."""
    facts: dict[str, Any] = {"name": source.name, "endpoint": shown(endpoint), "instead": source.instead}
    if response.headers.get("X-Error-Code") == "GatedRepo" or response.status_code == httpx.codes.FORBIDDEN:
        raise CheckpointError(
            "{endpoint} gives {name} only to those who were let in",
            "Ask for it at {endpoint}/{name}, then type: {hf} auth login",
            hf=program("hf"),
            **facts,
        )
    if response.status_code in _NOT_FOUND:
        hint = "Check the spelling in the preset's sources" + (
            ", or take the other hub: {instead}" if source.instead else "."
        )
        raise CheckpointError("{endpoint} knows no model {name}, or it is private", hint, **facts)
    raise CheckpointError(
        "{endpoint} does not give {name}: HTTP {status}",
        "Try again later. A broken mirror is left out with: unset HF_ENDPOINT",
        status=response.status_code,
        **facts,
    )


def shown(endpoint: str) -> str:
    """An address as it may be printed: a mirror's user and password stay in the environment."""
    scheme, mark, rest = endpoint.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"
