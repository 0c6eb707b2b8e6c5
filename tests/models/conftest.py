"""Tests of the models keep converted tokenizers in a folder of their own, not in the user's cache."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from launcher.models import register


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        register()
        yield
