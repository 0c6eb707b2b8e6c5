"""One end of the way between the launcher and a model's process: whole messages of bytes, each behind its
length. Knows nothing of what they say.

Not ``multiprocessing.Connection``, which reads on without a bound once a message has begun: a process that
stops in the middle of one would hold the launcher's thread for ever.
"""

from __future__ import annotations

import os
import select
import socket
import struct

_LENGTH = struct.Struct("!I")
_READ_BYTES = 1 << 16


class UnreadableMessage(Exception):
    """What came is no message; nothing that follows it can be read either."""


class MessagePipe:
    """Sends from one thread and receives in one, at the same time if need be.

    Args:
        end: one of a pair of connected sockets, which this owns.
        most_bytes: the longest message that is received.
    """

    def __init__(self, end: socket.socket, most_bytes: int) -> None:
        self._end = end
        self._most_bytes = most_bytes
        self._unread = bytearray()
        self._arrivals = select.poll()
        self._arrivals.register(end, select.POLLIN)

    @classmethod
    def inherited(cls, file_descriptor: int, most_bytes: int) -> MessagePipe:
        """The end that a parent process has passed on; processes spawned from here do not get it."""
        os.set_inheritable(file_descriptor, False)
        return cls(socket.socket(fileno=file_descriptor), most_bytes)

    def send(self, *messages: bytes) -> None:
        """Sends them in order, as one. Blocks while the other side does not read.

        Raises:
            OSError: the other side is gone.
        """
        self.send_on(framed(*messages))

    def send_on(self, data: bytes) -> None:
        """Sends what is framed already, or the rest of it, as `send` does."""
        self._end.sendall(data)

    def send_at_once(self, data: bytes) -> bytes:
        """Sends as much of what is framed already as can be without blocking; returns the rest.

        Raises:
            OSError: the other side is gone.
        """
        try:
            return data[self._end.send(data, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            return data

    def receive(self, timeout_s: float | None = None) -> bytes | None:
        """The next message, or None where it is not complete after one arrival or ``timeout_s``, whichever is
        sooner.

        Raises:
            EOFError: the other side has closed.
            OSError: the other side is gone.
            UnreadableMessage: a message longer than ``most_bytes`` is announced.
        """
        if (message := self._complete()) is not None:
            return message
        if not self._arrivals.poll(None if timeout_s is None else timeout_s * 1000):
            return None
        arrived = self._end.recv(_READ_BYTES)
        if not arrived:
            raise EOFError
        self._unread += arrived
        return self._complete()

    def close(self) -> None:
        """Ends both directions."""
        self._end.close()

    def _complete(self) -> bytes | None:
        """The first message among what has arrived, which is then forgotten."""
        if len(self._unread) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._unread)
        if length > self._most_bytes:
            raise UnreadableMessage(f"it announces {length} bytes; {self._most_bytes} is the most")
        end = _LENGTH.size + length
        if len(self._unread) < end:
            return None
        message = bytes(memoryview(self._unread)[_LENGTH.size : end])
        del self._unread[:end]
        return message


def framed(*messages: bytes) -> bytes:
    """Each behind its length."""
    return b"".join(part for each in messages for part in (_LENGTH.pack(len(each)), each))


def message_pipe(most_bytes: int) -> tuple[MessagePipe, socket.socket]:
    """The launcher's end, and the other one to be passed on to a process."""
    ours, theirs = socket.socketpair()
    return MessagePipe(ours, most_bytes), theirs
