"""Damaged picture files of one format, loaded one after another in this process:
``python -m tests.mutated_pictures FORMAT [COUNT] [SEED]`` (FORMAT as ``launcher.images`` calls it, or APNG).

Prints JSON: how many were shown (``pictures``) and refused (``refusals``); what else was raised (``others``,
by the number of the file; there should be none); ``peak_mib``, the most that was held above what was before;
``grown_mib``, what of it is left; ``slowest_s``, and the ``slowest`` file's number. The same seed makes the
same files.
"""

from __future__ import annotations

import ctypes
import gc
import json
import random
import sys
import tempfile
import time
import zlib
from pathlib import Path

from launcher.errors import PictureError
from launcher.images import FORMATS, load_picture, make_private
from tests.picture_variants import SIGNATURE, variants

KINDS = (*FORMATS, "APNG")
COUNT, SEED = 2000, 7
_WARM = 30
"""Loaded before anything is measured: libraries keep what they build at first."""
_EXTREMES = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\1",
    b"\1\0\0\0",
    b"\0\1\0\0",
    b"\x80\0",
)


def originals(kind: str) -> list[bytes]:
    return [content for name, content in variants().items() if name.split()[0] == kind.lower()]


def mutated(whole: list[bytes], source: random.Random) -> bytes:
    """One of the files with up to six things done to it, most of them near its beginning."""
    content = bytearray(source.choice(whole))
    for _ in range(source.randint(1, 6)):
        near = source.random() < 0.6
        at = source.randrange(max(1, min(len(content), 100) if near else len(content)))
        length = source.randint(1, 60)
        match source.choice(["bit", "bit", "byte", "extreme", "cut", "double", "end", "other", "noise"]):
            case "bit" if at < len(content):
                content[at] ^= 1 << source.randrange(8)
            case "byte" if at < len(content):
                content[at] = source.randrange(256)
            case "extreme":
                new = source.choice(_EXTREMES)
                content[at : at + len(new)] = new
            case "cut":
                del content[at : at + length]
            case "double":
                content[at:at] = content[at : at + length * 20]
            case "end":
                del content[max(8, at) :]
            case "other":
                other = source.choice(whole)
                content[at:] = other[min(at, len(other)) :]
            case "noise":
                content[at : at + length] = source.randbytes(length)
    if content.startswith(SIGNATURE) and source.random() < 0.7:
        return with_right_checksums(bytes(content))
    return bytes(content)


def with_right_checksums(png: bytes) -> bytes:
    """Damage that a checksum does not give away."""
    repaired, at = bytearray(png), len(SIGNATURE)
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        if end + 4 > len(png):
            break
        repaired[end : end + 4] = zlib.crc32(png[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(repaired)


def _kib(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1])


def _given_back() -> int:
    """What is held once the C library has given back what it only keeps."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return _kib("VmRSS")


def main(kind: str, count: int = COUNT, seed: int = SEED) -> None:
    whole, source = originals(kind), random.Random(f"{kind} {seed}")
    outcomes = {"pictures": 0, "refusals": 0}
    others: dict[int, str] = {}
    slowest, before = (0.0, 0), 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture"
        for number in range(count):
            if number == min(_WARM, count - 1):
                before = _given_back()
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            file.write_bytes(mutated(whole, source))
            begun_s = time.perf_counter()
            try:
                make_private(file)
                outcomes["pictures"] += load_picture(file).mode == "RGB"
            except PictureError as error:
                outcomes["refusals"] += bool(error.message)
            except BaseException as error:  # noqa: BLE001 - what is looked for
                others[number] = f"{type(error).__name__}: {error}"
            slowest = max(slowest, (round(time.perf_counter() - begun_s, 3), number))
        peak = _kib("VmHWM")
    told = {
        "kind": kind,
        "count": count,
        **outcomes,
        "others": others,
        "peak_mib": (peak - before) // 1024,
        "grown_mib": (_given_back() - before) // 1024,
        "slowest_s": slowest[0],
        "slowest": slowest[1],
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
