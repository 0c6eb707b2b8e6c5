"""``launcher add`` as a person runs it, against a server on this machine that plays both hubs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.downloads.hub import PlayedHub, asking, played_hub

MODEL = "org/Tiny.1B"


@pytest.fixture
def hub() -> Iterator[PlayedHub]:
    with played_hub(MODEL) as played:
        yield played


@pytest.fixture
def environment(environment: dict[str, str], hub: PlayedHub) -> dict[str, str]:
    """Both hubs are the played one."""
    return asking(hub, environment)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The folder of the user's own presets, which is made by the first."""
    return tmp_path / "home" / ".config" / "launcher" / "presets"
