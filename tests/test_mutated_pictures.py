"""Damaged files of every format that is accepted: each is a picture or a clear refusal, none ends the
process, hangs, or leaves it larger. 200 of each here; ``--mutations 2000`` for more."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.images.memory import MAX_BYTES
from tests.mutated_pictures import KINDS, SEED, mutated, originals

ROOT = Path(__file__).resolve().parent.parent
MOST_GROWN_MIB = 24
"""What an allocator may keep in pieces; a leak of a picture for each file would be gigabytes."""


def test_each_format_has_files_to_damage() -> None:
    assert all(originals(kind) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_never_worse_than_a_refusal(kind: str, request: pytest.FixtureRequest) -> None:
    count = int(request.config.getoption("mutations"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.mutated_pictures", kind, str(count), str(SEED)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"it ended with {done.returncode}: {done.stderr[-2000:]}"
    told = json.loads(done.stdout)
    assert told["others"] == {}
    assert told["pictures"] + told["refusals"] == count
    assert told["pictures"] > 0
    assert told["refusals"] > count // 20
    assert told["peak_mib"] <= MAX_BYTES >> 20
    assert told["grown_mib"] <= MOST_GROWN_MIB


def test_the_same_seed_damages_in_the_same_way() -> None:
    whole = originals("PNG")
    once, again = (
        [mutated(whole, source) for _ in range(20)] for source in (random.Random(1), random.Random(1))
    )
    assert once == again
    assert len(set(once)) == 20
