"""Damaged documents and videos: ``python -m tests.documents.mutated COUNT`` opens so many of each kind. Each
becomes pictures or a sentence, within the bounds; anything else is printed and the exit status is 1.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from launcher.documents import open_document
from launcher.documents.limits import WALL_S
from launcher.errors import PictureError
from tests.documents import made


def mutated(content: bytes, seed: int) -> bytes:
    """Some bytes changed, or a part cut out or doubled."""
    draw, changed = random.Random(seed), bytearray(content)
    for _ in range(draw.randint(1, 30)):
        at = draw.randrange(len(changed))
        match draw.randrange(4):
            case 0:
                del changed[at : at + draw.randrange(64)]
            case 1:
                changed[at:at] = changed[at : at + draw.randrange(64)]
            case _:
                changed[at] = draw.randrange(256)
    return bytes(changed)


def main(count: int) -> int:
    """Opens them all; the exit status."""
    failed, slowest_s, outcomes = 0, 0.0, dict[str, int]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = [made.pdf(folder / "a.pdf", 2)]
        whole += [made.video(folder / file, 20, codec) for file, codec in CODECS]

        def store(_name: str, _content: bytes) -> Path:
            return folder

        for path in whole:
            content = path.read_bytes()
            for seed in range(count):
                path.write_bytes(mutated(content, seed))
                begun_s = time.monotonic()
                try:
                    outcome = f"{path.name}: {len(open_document(path, store).pictures)} pictures"
                except PictureError as error:
                    outcome = error.message
                except Exception as error:  # noqa: BLE001 - that is what is looked for
                    failed, outcome = failed + 1, f"{path.name} {seed}: {error!r}"
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
                slowest_s = max(slowest_s, time.monotonic() - begun_s)
    print(*(f"{times:5} {outcome}" for outcome, times in sorted(outcomes.items())), sep="\n")
    print(f"slowest: {slowest_s:.1f} s")
    return int(failed > 0 or slowest_s > WALL_S + 5)


CODECS = (("a.mp4", "h264"), ("b.mov", "hevc"), ("c.webm", "libvpx-vp9"), ("d.mkv", "mpeg4"))

if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
