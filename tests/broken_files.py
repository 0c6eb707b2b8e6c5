"""Tiny checkpoints of every family, and all the ways in which their small files are broken: whole files, and
every value of those that are JSON.

    python -m tests.broken_files [family …]   goes through all of them, half a minute to two minutes a family
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, Literal

from launcher.errors import LauncherError
from launcher.readiness import COMPLETE, Readiness, ReadyState, assess
from tests.engines.on_transformers import loaded
from tests.models.tiny import write_internlm2, write_internlm3, write_internvl2, write_xcomposer2
from tests.models.tiny_generic import write_generic, write_internvl_qwen
from tests.models.tiny_internvl_hf import write_internvl_hf
from tests.models.tiny_qwen_vl import write_qwen_vl
from tests.test_generic_readiness import NO_GPU, preset

Kind = Literal["vision", "text"]
WRITERS: dict[str, tuple[Callable[[Path], Path], Kind]] = {
    "internlm2": (write_internlm2, "text"),
    "internlm3": (write_internlm3, "text"),
    "internvl2": (write_internvl2, "vision"),
    "internvl_qwen2": (partial(write_internvl_qwen, kind="qwen2"), "vision"),
    "internvl_hf": (write_internvl_hf, "vision"),
    "xcomposer2": (write_xcomposer2, "vision"),
    "qwen2": (partial(write_generic, architecture="Qwen2ForCausalLM"), "text"),
    "qwen3": (partial(write_generic, architecture="Qwen3ForCausalLM"), "text"),
    "llama": (partial(write_generic, architecture="LlamaForCausalLM"), "text"),
    "qwen2_vl": (partial(write_qwen_vl, kind="qwen2_vl"), "vision"),
    "qwen2_5_vl": (partial(write_qwen_vl, kind="qwen2_5_vl"), "vision"),
    "qwen3_vl": (partial(write_qwen_vl, kind="qwen3_vl"), "vision"),
    "qwen3_5": (partial(write_qwen_vl, kind="qwen3_5"), "vision"),
}
LARGE = ("tokenizer.json", "vocab.json")
"""JSON of which only the whole is broken: their values are pieces."""
NOTHING = object()
"""In place of a value: its key goes, too."""
VALUES = (NOTHING, None, 0, -1, 3, 10**9, 10**30, 1e308, "x", True, [], {}, [1], {"a": 1})
DEEPEST = 4
Spot = tuple[str | int, ...]


def small_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix != ".safetensors")


def broken_wholes(content: bytes) -> dict[str, bytes | None]:
    """What a file may hold instead; None: there is no such file."""
    return {
        "gone": None,
        "empty": b"",
        "cut": content[: len(content) // 2],
        "bytes": b"\xff\xfe{",
        "a list": b"[]",
        "a number": b"7",
        "half a character": content[:-2] + "é".encode()[:1] + content[-2:],
    }


def spots(tree: Any, at: Spot = ()) -> Iterator[Spot]:
    """Every place in a JSON tree, but for what is said of each added token."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*at, key)
        if isinstance(value, dict | list) and len(at) < DEEPEST and "added_tokens_decoder" not in at[:1]:
            yield from spots(value, (*at, key))


def changed(tree: Any, spot: Spot, value: object) -> Any:
    made = inner = deepcopy(tree)
    for key in spot[:-1]:
        inner = inner[key]
    if value is NOTHING:
        del inner[spot[-1]]
    else:
        inner[spot[-1]] = value
    return made


@contextmanager
def holding(file: Path, content: bytes | None) -> Iterator[None]:
    """The file with this content meanwhile."""
    whole = file.read_bytes()
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    try:
        yield
    finally:
        file.write_bytes(whole)


def standing(folder: Path, kind: Kind) -> Readiness:
    return assess(preset(folder, kind=kind), NO_GPU, COMPLETE)


def check_told(found: Readiness, folder: Path) -> None:
    """It is not ready, and the sentence is one that somebody meant, and names the checkpoint."""
    assert isinstance(found.reason, LauncherError)
    assert found.state in (ReadyState.BROKEN, ReadyState.UNSUPPORTED, ReadyState.NEEDS_DOWNLOAD), found.reason
    assert "defect of the launcher" not in str(found.reason), found.reason
    assert str(folder) in str(found.reason)


async def check(folder: Path, kind: Kind) -> None:
    """It is not ready, and says why; or it loads."""
    found = standing(folder, kind)
    if found.state is ReadyState.READY:
        engine = await loaded(folder, kind)
        await engine.close()
    else:
        check_told(found, folder)


def all_ways(folder: Path) -> Iterator[tuple[Path, str, bytes | None]]:
    """Every file, how it is broken, and what it holds then."""
    for file in small_files(folder):
        content = file.read_bytes()
        for name, instead in broken_wholes(content).items():
            yield file, name, instead
        if file.suffix == ".json" and file.name not in LARGE:
            tree = json.loads(content)
            for spot in spots(tree):
                for value in VALUES:
                    named = "is gone" if value is NOTHING else f"is {json.dumps(value)}"
                    instead = json.dumps(changed(tree, spot, value)).encode()
                    yield file, f"{'.'.join(map(str, spot))} {named}", instead


def main(families: Sequence[str]) -> int:
    """Says each way that is neither told nor loaded; how many there are."""
    wrong = 0
    for name in families or WRITERS:
        write, kind = WRITERS[name]
        with tempfile.TemporaryDirectory() as parent:
            folder, count = write(Path(parent) / "model"), 0
            for file, way, content in all_ways(folder):
                with holding(file, content):
                    try:
                        asyncio.run(check(folder, kind))
                    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                        wrong += 1
                        print(f"{name}: {file.name}: {way}: {type(error).__name__}: {error}")
                count += 1
        print(f"{name}: {count} ways")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
