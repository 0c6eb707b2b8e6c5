"""A test module's ``folder`` on the transformers engine, and pictures to ask about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from launcher import families
from launcher.checkpoints import read_facts
from tests.models.noisy_pictures import noisy_pictures

if TYPE_CHECKING:
    from launcher.engines.transformers import TransformersEngine


@pytest_asyncio.fixture
async def engine(folder: Path) -> AsyncIterator[TransformersEngine]:
    from tests.engines.on_transformers import loaded  # torch: fast tests here do without

    family = families.of(read_facts(folder).config)
    made = await loaded(folder, "vision" if family.reads_pictures else "text")
    yield made
    await made.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return noisy_pictures(tmp_path_factory.mktemp("pictures"))
