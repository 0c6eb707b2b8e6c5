"""A server on 127.0.0.1 that sends exactly the bytes that a test gives it: every fault that a server that
speaks OpenAI's API can have."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from launcher.presets import Endpoint

MODELS = json.dumps({"object": "list", "data": [{"id": "polly"}, {"id": "molly"}]}).encode()
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
HANG = b"<nothing more>"
"""At the end of a reply: the connection stays open."""


def reply(status: str, body: bytes, *heads: str) -> bytes:
    """Says that the connection ends with it: else a client may ask again on one that is being closed."""
    said = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close", *heads)
    lines = [f"HTTP/1.1 {status}", *said]
    return "\r\n".join([*lines, "", ""]).encode() + body


def error(status: str, message: str, *heads: str) -> bytes:
    return reply(status, json.dumps({"error": {"message": message}}).encode(), *heads)


def event(text: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    delta = {} if text is None else {"content": text}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "polly", "choices": choices}
    return b"data: " + json.dumps({**chunk, **more}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
WHOLE = STREAM + event("hello ") + event("there") + event(finish="stop") + DONE


@dataclass
class BadServer:
    """``asked`` are the requests so far, each its first line and its JSON."""

    port: int
    asked: list[tuple[str, Any]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    def endpoint(self, **keys: str) -> Endpoint:
        url = f"http://127.0.0.1:{self.port}/v1"
        return Endpoint.model_validate({"url": url, "model": "polly", **keys})


@contextmanager
def bad_server(*replies: bytes) -> Iterator[BadServer]:
    """Answers connection after connection with these, the last one again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = BadServer(listener.getsockname()[1])
        open_ones: list[socket.socket] = []
        Thread(target=_serve, args=(listener, server, replies, open_ones), daemon=True).start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for each in open_ones:
                each.close()


def _serve(
    listener: socket.socket, server: BadServer, replies: Sequence[bytes], open_ones: list[socket.socket]
) -> None:
    for number in range(1_000_000):
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        server.heads.append("")
        head, body = _request(connection)
        server.heads[-1] = head
        server.asked.append((head.splitlines()[0], json.loads(body) if body else None))
        wanted = replies[min(number, len(replies) - 1)]
        _send(connection, wanted.removesuffix(HANG))
        if wanted.endswith(HANG):
            open_ones.append(connection)
        else:
            connection.close()


def _send(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # the client has seen enough
        connection.sendall(data)


def _request(connection: socket.socket) -> tuple[str, bytes]:
    file = connection.makefile("rb")
    lines = []
    while (line := file.readline().strip()) != b"":
        lines.append(line.decode("latin-1"))
    lengths = [line.partition(":")[2] for line in lines if line.lower().startswith("content-length:")]
    return "\n".join(lines), file.read(int(lengths[0])) if lengths else b""
