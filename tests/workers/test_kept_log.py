"""What is kept of what a worker prints."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from launcher.workers.logs import FILE_BYTES, TAIL_BYTES, BoundedLog


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
