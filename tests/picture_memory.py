"""What decoding takes of memory, for the largest picture that is accepted of each kind:
``python -m tests.picture_memory``.

Each picture is loaded in a process of its own. What is told is the highest resident size while it was loaded,
less what the process had before, a small picture of the same kind once loaded.
"""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from launcher.errors import PictureError
from launcher.images import DEFAULT_LIMITS
from launcher.images.formats import coded
from launcher.images.memory import check_memory
from launcher.images.png import chunk, unpacked_bytes

ROOT = Path(__file__).resolve().parent.parent
_CHILD = """
import sys
from pathlib import Path
from launcher.errors import PictureError
from launcher.images import load_picture
def kib(name):
    return int(next(l for l in open("/proc/self/status") if l.startswith(name)).split()[1])
load_picture(Path(sys.argv[1]))
before = kib("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
from concurrent.futures import ThreadPoolExecutor
try:
    with ThreadPoolExecutor() as pool:
        picture = list(pool.map(load_picture, [Path(sys.argv[2])] * int(sys.argv[3])))[0]
    print("shown", picture.width, picture.height, (kib("VmHWM") - before) // 1024)
except PictureError as error:
    print("refused", 0, 0, (kib("VmHWM") - before) // 1024, error.message)
"""


@dataclass(frozen=True)
class Seen:
    is_shown: bool
    size: tuple[int, int]
    mib: int


def seen(small: Path, large: Path, threads: int = 1) -> Seen:
    """How a picture fares in a process of its own, loaded by so many threads at once."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2"}
    command = [sys.executable, "-c", _CHILD, str(small), str(large), str(threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    word, width, height, mib = done.stdout.split()[:4]
    return Seen(word == "shown", (int(width), int(height)), int(mib))


def png(
    width: int, height: int, colour: int, depth: int = 8, beside: bytes = b"", interlace: int = 0
) -> bytes:
    """A PNG of one colour, written row by row: it may be larger than memory."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    packer, left, packed = zlib.compressobj(1), unpacked_bytes(header), []
    while left > 0:
        packed.append(packer.compress(bytes(min(left, 1 << 20))))
        left -= 1 << 20
    chunks = [(b"IHDR", header), (b"IDAT", b"".join([*packed, packer.flush()])), (b"IEND", b"")]
    if beside:
        chunks.insert(1, (b"PLTE", bytes(768)))
        chunks.insert(2, (b"tRNS", beside))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in chunks)


def saved(mode: str, kind: str, **options: Any) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        held, image = io.BytesIO(), Image.new(mode, (width, height), 77)
        if options.get("save_all"):
            options["append_images"] = [Image.new(mode, (width, height), 99)]
        image.save(held, kind, **options)
        return held.getvalue()

    return make


def heic(mode: str) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        import pillow_heif

        held, samples = io.BytesIO(), {"RGB": 3, "RGBA": 4, "RGB;16": 6}[mode]
        file = pillow_heif.from_bytes(mode, (width, height), bytes(width * height * samples))
        # As many pixels, written in a quarter of the time.
        file.save(held, quality=50, enc_params={"preset": "ultrafast"})
        return held.getvalue()

    return make


KINDS: dict[str, Callable[[int, int], bytes]] = {
    "PNG, RGB": lambda w, h: png(w, h, 2),
    "PNG, RGBA": lambda w, h: png(w, h, 6),
    "PNG, RGBA, interlaced": lambda w, h: png(w, h, 6, interlace=1),
    "PNG, grey": lambda w, h: png(w, h, 0),
    "PNG, grey, 16 bits": lambda w, h: png(w, h, 0, 16),
    "PNG, palette with transparency": lambda w, h: png(w, h, 3, beside=bytes([0, 128])),
    "JPEG": saved("RGB", "JPEG"),
    "JPEG, CMYK": saved("CMYK", "JPEG"),
    "JPEG, progressive, 4:4:4": saved("RGB", "JPEG", progressive=True, subsampling=0),
    "JPEG, progressive, 4:2:0": saved("RGB", "JPEG", progressive=True, subsampling=2),
    "WebP": saved("RGB", "WEBP", quality=80, method=0),
    "WebP, lossless, RGBA": saved("RGBA", "WEBP", lossless=True, method=0),
    "WebP, animated": saved("RGBA", "WEBP", lossless=True, method=0, save_all=True),
    "GIF": saved("P", "GIF"),
    "GIF, animated": saved("P", "GIF", save_all=True),
    "BMP, grey": saved("L", "BMP"),
    "AVIF": saved("RGB", "AVIF", speed=10, quality=50),
    "AVIF, RGBA": saved("RGBA", "AVIF", speed=10, quality=50),
    "HEIC": heic("RGB"),
    "HEIC, RGBA": heic("RGBA"),
    "HEIC, 10 bits": heic("RGB;16"),
}
KEPT = (4000, 4000)
"""The largest that are not made smaller."""


def largest(make: Callable[[int, int], bytes]) -> tuple[int, int]:
    """The largest 4:3 size that is accepted of this kind, to some tens of pixels.

    The limit depends on the kind and on the file's bytes alone: a small file is made to say that it is large.
    """
    picture = coded(make(64, 48))
    picture = replace(picture, content=bytes(1_000_000))
    for width in range(9200, 100, -40):
        size = (width, width * 3 // 4)
        try:
            check_memory(replace(picture, size=size), Path("x"), DEFAULT_LIMITS)
        except PictureError:
            continue
        return size
    raise AssertionError("none is accepted")


def main() -> None:
    """Writes the table of docs/measurements.md."""
    names = sys.argv[1:] or list(KINDS)
    print(
        "| picture | largest accepted | kept as | memory above the process's own |\n| --- | --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind in names:
            make, worst = KINDS[kind], []
            (folder / "small").write_bytes(make(64, 48))
            size = largest(make)
            for width, height in dict.fromkeys((size, min(size, KEPT))):
                content = make(width, height)
                if len(content) > 20_000_000:
                    print("too many bytes", kind, len(content), file=sys.stderr)
                    continue
                (folder / "large").write_bytes(content)
                del content
                worst.append((width, height, seen(folder / "small", folder / "large")))
            for width, height, one in worst:
                kept = f"{one.size[0]:,} x {one.size[1]:,}" if one.is_shown else "REFUSED"
                print(f"| {kind} | {width:,} x {height:,} | {kept} | {one.mib} MiB |", flush=True)


if __name__ == "__main__":
    main()
