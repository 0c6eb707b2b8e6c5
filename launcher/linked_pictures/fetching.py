"""What lies at an address -> its bytes, bounded in bytes and seconds. Whether it is a picture is for
``launcher.images`` to say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from launcher.connection_failures import what_happened
from launcher.downloads.redirects import forbidden_target
from launcher.errors import PictureError, Remark
from launcher.images import DEFAULT_LIMITS
from launcher.linked_pictures.connections import Connections
from launcher.linked_pictures.leave import Leave
from launcher.linked_pictures.shown import is_web_address, shown_address

SILENCE_S = 10.0
"""A server that says nothing for so long is given up."""

FETCH_S = 60.0
"""For one picture in all, names and redirects too: a server that drips bytes must not hold anybody up."""

MAX_REDIRECTS = 5


async def fetched(
    address: str, leave: Leave | None = None, most_bytes: int = DEFAULT_LIMITS.max_bytes
) -> bytes:
    """What lies there.

    Args:
        address: ``http://…`` or ``https://…``.
        leave: what may be fetched; None: whoever runs the launcher has named the address, which may be on
            this machine, and only where it leads is judged.
        most_bytes: what is larger is not read to its end.

    Raises:
        PictureError: it may not or cannot be fetched.
        LauncherError: the environment's proxy cannot be used.
    """
    if not is_web_address(address):
        raise PictureError(
            "{address} cannot be fetched: only http and https addresses can",
            "Check the address.",
            address=shown_address(address),
        )
    try:
        return await asyncio.wait_for(_read(address, leave, most_bytes), FETCH_S)
    except httpx.HTTPStatusError as error:
        raise _not_fetched(address, f"the server said {error.response.status_code}") from error
    except asyncio.TimeoutError as error:
        raise PictureError(
            "{address} took longer than {seconds:.0f} s to fetch",
            "Give the picture itself instead of its address.",
            address=shown_address(address),
            seconds=FETCH_S,
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _not_fetched(address, what_happened(error)) from error


async def _read(address: str, leave: Leave | None, most_bytes: int) -> bytes:
    connections = Connections()
    client = httpx.AsyncClient(
        transport=connections,
        follow_redirects=True,
        max_redirects=MAX_REDIRECTS,
        event_hooks=_judging_targets(connections, address) if leave is None else _judging(connections, leave),
        timeout=SILENCE_S,
        trust_env=False,  # the proxies are the connections' business
    )
    # Uncompressed: a few bytes on the wire must not become gigabytes here.
    asked = {"Accept-Encoding": "identity"}
    async with client, client.stream("GET", address, headers=asked) as response:
        response.raise_for_status()
        content = bytearray()
        async for piece in response.aiter_raw():
            content += piece
            if len(content) > most_bytes:
                raise PictureError(
                    "{address} is larger than the {limit_mb:g} MB a picture may have",
                    "Make the picture smaller, or save it as JPEG.",
                    address=shown_address(address),
                    limit_mb=most_bytes / 1e6,
                )
        return bytes(content)


_Hooks = dict[str, list[Callable[..., Awaitable[None]]]]


def _judging(connections: Connections, leave: Leave) -> _Hooks:
    """Before each request: of what was given, and of each place to which that leads."""

    async def judge(request: httpx.Request) -> None:
        leave.check(request.url, await connections.addresses(request.url))

    return {"request": [judge]}


def _judging_targets(connections: Connections, address: str) -> _Hooks:
    """After each answer: where it leads."""

    async def judge(response: httpx.Response) -> None:
        if target := await asyncio.to_thread(forbidden_target, response, connections.names):
            raise _not_fetched(address, f"it leads to {target}, which is not followed")

    return {"response": [judge]}


def _not_fetched(address: str, reason: str | Remark) -> PictureError:
    return PictureError(
        "{address} could not be fetched: {reason}",
        "See in a browser whether it is there, or give the picture itself instead of its address.",
        address=shown_address(address),
        reason=reason,
    )
