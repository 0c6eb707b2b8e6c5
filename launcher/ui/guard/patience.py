"""How long a connection may keep the server waiting: uvicorn waits for ever for the head of a request, for
the rest of a body that it has refused already, and for a reader that does not read."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from launcher.ui.guard.crowds import OPEN_FROM_ONE_ADDRESS, most_connections
from launcher.ui.guard.rates import address_of, stands_for_many

HEAD_S = 20.0
"""For the head of a request, from its first byte, or from the beginning of the connection."""

REST_S = 20.0
"""For the rest of a body after the answer."""

UNREAD_S = 60.0
"""For a reader to take some of what waits for it, once the system's buffers are full."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with an end to its patience; and with as many connections as the system has room for. Above
    that, they are closed before they have asked anything."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        if self._is_one_too_many():
            transport.close()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        self._wait_no_longer()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The reader does not keep up. What waits for it is not sent to its end if it never does."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The reader has taken some."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Some of a request has come."""
        super().data_received(data)
        self._watch()

    def _unsupported_upgrade_warning(self) -> None:
        """A request that would rather speak another protocol (a WebSocket, HTTP/2) is answered in this one,
        as HTTP has it (RFC 9110, 7.8). uvicorn would tell the terminal to install packages for it."""

    def on_response_complete(self) -> None:
        """An answer has gone out."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """A deadline stands while a part is owed; more bytes of the same part do not move it."""
        owed_s = self._owed_within_s()
        if owed_s is None or self.transport.is_closing():
            self._wait_no_longer()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(owed_s, self.transport.close)

    def _owed_within_s(self) -> float | None:
        """How long to wait for what the client owes; None where it owes nothing that is watched here: a body
        is watched by ``guard.bodies``, silence between two requests by uvicorn itself."""
        if self.conn.their_state is h11.IDLE:
            return None if self.timeout_keep_alive_task is not None else HEAD_S
        has_answered = self.conn.our_state in (h11.DONE, h11.MUST_CLOSE)
        return REST_S if has_answered and self.conn.their_state is h11.SEND_BODY else None

    def _wait_no_longer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_one_too_many(self) -> bool:
        if len(self.connections) > most_connections():
            return True
        address = _address(self)
        if stands_for_many(address):
            return False
        from_there = Counter(_address(each) for each in self.connections)[address]
        return from_there > OPEN_FROM_ONE_ADDRESS


def _address(connection: Any) -> str:
    return address_of({"client": connection.client})
