"""One served page with its endpoint for the tests of a module; scripts are allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.cli.conftest import environment  # noqa: F401 - a fixture
from tests.ui.scripted_page import Served, scripted, served


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("endpoint")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        models = [
            scripted("one", folder),
            scripted("two", folder, kind="text"),
            scripted("short", folder, memory={"session_tokens": 256}),
        ]
        with served(models, folder) as page:
            yield page


@pytest.fixture(scope="module")
def client(page: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{page.url}/v1", api_key="none", max_retries=0) as client:
        yield client
