"""A stage for each test, cleared and checked afterwards: no worker process outlives a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.stage import Stage, children


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, [])
    yield stage
    for manager in stage.managers:
        manager.close()
    assert not children()
