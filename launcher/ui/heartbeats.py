"""Signs of life of a response that is silent for long."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Send

_BODY = "http.response.body"


class Heartbeats:
    """Sends a response, and ``beat`` whenever nothing of it has been sent for so long, from its head to its
    end.

    Args:
        send: takes the response's messages.
        beat: a piece of its body that means nothing.
        every_s: how long it may be silent.
    """

    def __init__(self, send: Send, beat: bytes, every_s: float) -> None:
        self._send = send
        self._beat: Message = {"type": _BODY, "body": beat, "more_body": True}
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Future[None] | None = None
        self._over = False

    async def send(self, message: Message) -> None:
        """Sends a message of the response. A piece is handed on before anything is waited for, so that a beat
        never comes into the middle of one, nor after the last."""
        self._over = self._over or (message["type"] == _BODY and not message.get("more_body"))
        self._wait_anew()
        await self._send(message)

    def stop(self) -> None:
        """The response is over, or nobody reads it any more."""
        self._over = True
        self._wait_anew()
        if self._beating is not None:
            self._beating.cancel()

    def _wait_anew(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = (
            None if self._over else asyncio.get_running_loop().call_later(self._every_s, self._send_beat)
        )

    def _send_beat(self) -> None:
        self._beating = asyncio.ensure_future(self.send(self._beat))
