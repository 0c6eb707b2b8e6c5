"""What a test needs of its machine, and is not there."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(what: str, ci_must: str) -> NoReturn:
    """Skips the test for ``what`` is missing; CI has to have it, and fails by what it must do."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must {ci_must}")
    pytest.skip(what)
