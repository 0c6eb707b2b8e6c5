"""Stands in the reading process's place and says what no honest one does: ``python -m … HOW SECONDS``."""

from __future__ import annotations

import signal
import sys

WAYS = {
    "too many": b'{"type":"Found","count":1}\n' + b'{"type":"Picture","width":1,"height":1}\nabc' * 13,
    "too wide": b'{"type":"Picture","width":1025,"height":1}\n' + bytes(1025 * 3),
    "no picture": b'{"type":"Picture","width":8,"height":8}\nabc',
    "no message": b"\xff\xfe" * 5000,
    "no line": b" " * 5000,
    "another type": b'{"type":"Command","run":"rm"}\n',
    "more": b'{"type":"Found","count":1,"name":"../x"}\n',
    "nothing": b"",
}

if __name__ == "__main__":
    sys.stdout.buffer.write(WAYS.get(sys.argv[1], b""))
    sys.stdout.buffer.flush()
    if sys.argv[1] == "for ever":
        signal.pause()
