"""Requests to an ASGI app in this process, without a socket, from whatever address a test wants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx

from launcher.ui.headers import App, Message, Receive, Scope, Send

PAGE = "http://localhost:6006"


class Inner:
    """What is guarded: reads each request to its end and answers with how much it read; remembers them."""

    def __init__(self) -> None:
        self.seen: list[Scope] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        said = str(len(body)).encode()
        length = (b"content-length", str(len(said)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": said})


def client(app: App, address: str = "127.0.0.1", url: str = PAGE) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=url)


def scope_of(path: str = "/", method: str = "GET", **headers: str) -> dict[str, Any]:
    """A request as uvicorn hands it over."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "client": ("127.0.0.1", 50_000),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


async def exchange(
    app: App, scope: dict[str, Any], pieces: Iterable[Message] = ({"type": "http.request"},)
) -> list[Message]:
    """What the app sends, told these messages, and afterwards that the client has gone."""
    ahead, sent = iter(pieces), list[Message]()

    async def receive() -> Message:
        return next(ahead, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent
