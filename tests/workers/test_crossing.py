"""What crosses the pipe, and what is kept of what a worker prints."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

from launcher.errors import EngineError, RequestError, WorkerDied
from launcher.workers.logs import FILE_BYTES, TAIL_BYTES, BoundedLog
from launcher.workers.protocol import sendable


class TooLongError(RequestError):
    """A class that the launcher process does not know."""


class ForeignError(Exception):
    """A value that the launcher process cannot unpickle."""

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("cannot be pickled")


def test_an_error_crosses_with_known_class_and_plain_values() -> None:
    error = TooLongError(
        "{count:.1f} of {path}: {why}",
        "Try {other}.",
        count=1.25,
        path=Path("/a"),
        why=ForeignError("no"),
        other="less",
    )
    back = pickle.loads(pickle.dumps(sendable(error)))
    assert type(back) is RequestError
    assert back.values == {"count": 1.25, "path": "/a", "why": "no", "other": "less"}
    assert str(back) == "1.2 of /a: no\nTry less."


def test_known_classes_stay_what_they_are() -> None:
    assert type(sendable(WorkerDied("gone"))) is WorkerDied
    assert type(sendable(EngineError("gone"))) is EngineError


def write_through(log: BoundedLog, *pieces: bytes) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as source:
        follower = threading.Thread(target=log.follow, args=(source,))
        follower.start()
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for piece in pieces:
                pipe.write(piece)
        follower.join()


def test_last_lines_are_bare_and_come_from_the_end(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "deep" / "one.log")
    write_through(log, b"\x1b[31mred\x1b[0m\n\n", b"10%\r20%\r30%\n", b"caf\xc3\xa9 \xff\n", b"no newline")
    assert log.last_lines(4) == ("20%", "30%", "café �", "no newline")
    assert (tmp_path / "deep" / "one.log").read_bytes().startswith(b"\x1b[31mred")


def test_the_file_turns_over_and_the_tail_is_bounded(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "one.log")
    write_through(log, *[b"x" * 65535 + b"\n"] * 64, b"end\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.log", "one.log.1"]
    assert all(path.stat().st_size <= FILE_BYTES for path in tmp_path.iterdir())
    assert log.last_lines()[-1] == "end"
    assert sum(map(len, log.last_lines())) <= TAIL_BYTES


def test_a_folder_that_cannot_be_made_costs_only_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = BoundedLog(tmp_path / "file" / "one.log")
    write_through(log, b"still here\n")
    assert log.last_lines() == ("still here",)
