"""The process that reads one document or video: ``python -m launcher.documents.reader KIND SECONDS``, the
file on standard input. It says what ``told`` has, and may do nothing else.

Once its libraries are there, it may open nothing more, neither file nor connection (a program that may have
no further descriptor gets none), write no file, start no process, and take so much memory and time. So a
file that takes the libraries over gets nowhere.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator

from PIL import Image

from launcher.documents.limits import ADDRESS_SPACE_BYTES, MAX_BYTES
from launcher.documents.told import End, Found, Picture, Refused, encode


def main(kind: str, cpu_s: int) -> None:
    """Reads standard input and writes to standard output."""
    content = sys.stdin.buffer.read(MAX_BYTES)
    read = _pages_of(kind, content)
    _give_up_rights(cpu_s)
    try:
        for each in read:
            _tell(each)
    except MemoryError:  # it ends without a word
        raise
    except Exception:  # noqa: BLE001 - whatever a library says of a broken file
        _tell(Refused("damaged"))
    sys.stdout.buffer.flush()


def _pages_of(kind: str, content: bytes) -> Iterator[Found | Refused | Image.Image | End]:
    """The library is imported here and tried; nothing of the file is read before the first is asked for."""
    if kind == "pdf":
        from launcher.documents.pdf import pages, rehearse

        rehearse()
        return _whole(pages(content))
    from launcher.documents.video import frames, rehearse

    rehearse()
    return _whole(frames(content, "mp4" if kind == "mp4" else "matroska"))


def _whole(read: Iterator[Found | Refused | Image.Image]) -> Iterator[Found | Refused | Image.Image | End]:
    yield from read
    yield End()


def _give_up_rights(cpu_s: int) -> None:
    Image.init()  # Pillow imports its formats late, and none of them could be opened then
    limits = {
        resource.RLIMIT_AS: ADDRESS_SPACE_BYTES,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    for what, most in limits.items():
        resource.setrlimit(what, (most, most))


def _tell(each: Found | Refused | Image.Image | End) -> None:
    out = sys.stdout.buffer
    if isinstance(each, Image.Image):
        out.write(encode(Picture(*each.size)) + b"\n")
        out.write(each.tobytes())
    else:
        out.write(encode(each) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
