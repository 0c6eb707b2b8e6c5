"""The page is complete where there is no network at all: server and browser share a network namespace that
has nothing but its loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c"]
LOOPBACK = 'ip link set lo up && exec "$0" "$@"'
WHAT = [
    "tests/browser/test_page.py::test_a_picture_and_a_question_get_a_streamed_answer",
    "tests/browser/test_page.py::test_the_page_in_chinese[zh-CN]",
]


def can_be_alone() -> bool:
    return (
        all(map(shutil.which, ("unshare", "ip")))
        and not subprocess.run([*ALONE, LOOPBACK, "true"], check=False, capture_output=True).returncode
    )


@pytest.mark.skipif(not can_be_alone(), reason="no network namespace can be made here")
def test_the_page_needs_no_network() -> None:
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *WHAT]
    done = subprocess.run([*ALONE, LOOPBACK, *tests], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "2 passed" in done.stdout
