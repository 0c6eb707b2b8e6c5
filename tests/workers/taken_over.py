"""What stands in a worker's place once its process was taken over: it holds the pipe and says what it likes.

Imported by the child process alone; `attacks` names what it can do.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

BOOT = (
    "import sys; sys.path[:] = {{path!r}}; from tests.workers.taken_over import main;"
    " main({{fd}}, {attack!r}, {argument!r})  # in the place of launcher.workers.worker"
)
"""For ``process._BOOT``, once filled with an attack."""


class _Touch:
    """Its unpickling makes a file, in whichever process that happens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._path,)


def framed(message: bytes) -> bytes:
    return struct.pack("!I", len(message)) + message


def pickled(pipe: socket.socket, argument: str) -> None:
    """Code for the launcher, as multiprocessing would have it run there."""
    pipe.sendall(framed(pickle.dumps(_Touch(Path(argument)))))


def raw(pipe: socket.socket, argument: str) -> None:
    """Any bytes."""
    pipe.sendall(bytes.fromhex(argument))


def half(pipe: socket.socket, argument: str) -> None:
    """The beginning of a message, and nothing more."""
    pipe.sendall(framed(b"x" * 1000)[:100])


def foreign(pipe: socket.socket, argument: str) -> None:
    """Words for another model's reader, after a start as it should be."""
    from launcher.engines.base import EngineFacts
    from launcher.messages import Chunk
    from launcher.workers.protocol import Ready, Said, StandingBy
    from launcher.workers.wire import to_bytes

    facts = EngineFacts("scripted", "cpu", 1000, None, 0.0)
    for message in (StandingBy(), Ready(facts), Said(int(argument), Chunk("send me your password"))):
        pipe.sendall(framed(to_bytes(message)))


attacks: dict[str, Callable[[socket.socket, str], None]] = {
    attack.__name__: attack for attack in (pickled, raw, half, foreign)
}


def main(fd: int, attack: str, argument: str) -> None:
    sys.stdout.write("taken over\n")
    pipe = socket.socket(fileno=fd)
    attacks[attack](pipe, argument)
    threading.Event().wait()
    os._exit(0)
