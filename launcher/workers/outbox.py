"""Messages on their way to a process."""

from __future__ import annotations

from collections import deque
from threading import Condition

from launcher.workers.message_pipe import MessagePipe, framed


class Outbox:
    """Sends in the order of `put`, from the thread that puts, as far as the pipe takes it at once; the rest
    in a thread of its own.

    A thread that has to be woken first must wait for the interpreter, which a busy event loop keeps: of 32
    questions the first would be sent when the last one is read.
    """

    def __init__(self) -> None:
        self._unsent: deque[bytes] = deque()
        self._changed = Condition()
        self._pipe: MessagePipe | None = None
        self._closed = False

    def put(self, message: bytes) -> None:
        """Has the message sent, in time; never blocks. What is put while there is no process, or none any
        more, is kept."""
        with self._changed:
            data = framed(message)
            if self._pipe is not None and not self._unsent:
                try:
                    data = self._pipe.send_at_once(data)
                except OSError:
                    self._pipe = None  # the process is gone
            if data:
                self._unsent.append(data)
                self._changed.notify()

    def run(self, pipe: MessagePipe) -> None:
        """Sends what waits over this pipe, until the outbox is closed or the process is gone."""
        with self._changed:
            self._pipe = pipe
            try:
                while not self._closed:
                    if self._unsent:
                        self._send_first(pipe)
                    else:
                        self._changed.wait()
            except OSError:
                pass  # who reads from the process sees that, too
            finally:
                self._pipe = None

    def _send_first(self, pipe: MessagePipe) -> None:
        """Lets go of the lock while it sends; what comes meanwhile waits behind."""
        data = self._unsent[0]
        self._changed.release()
        try:
            pipe.send_on(data)
        finally:
            self._changed.acquire()
        self._unsent.popleft()

    def close(self) -> None:
        """Nothing is sent any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
