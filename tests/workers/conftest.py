"""A stage for each test, cleared and checked afterwards: no worker process outlives a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.workers import restarts
from tests.workers.stage import Stage, children


@pytest.fixture
def brief_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarts follow at once, not 7.5 s later in all; how the pauses grow: test_restarts.py."""
    monkeypatch.setattr(restarts, "FIRST_PAUSE_S", 0.01)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, [])
    yield stage
    for manager in stage.managers:
        manager.close()
    assert not children()
