"""No model says "ready" that then refuses to load: each small file of a tiny checkpoint of each family is
broken, and readiness tells of it, or the model loads. ``python -m tests.broken_files`` goes through every
way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.readiness import ReadyState
from tests.broken_files import (
    LARGE,
    VALUES,
    WRITERS,
    Kind,
    broken_wholes,
    changed,
    check,
    holding,
    small_files,
    spots,
    standing,
)
from tests.engines.on_transformers import loaded

Written = tuple[Path, Kind]
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    write, kind = WRITERS[request.param]
    return write(tmp_path_factory.mktemp(request.param) / "model"), kind


async def test_a_whole_one_is_ready_and_loads(written: Written) -> None:
    folder, kind = written
    assert standing(folder, kind).state is ReadyState.READY
    await (await loaded(folder, kind)).close()


async def test_a_broken_file_is_told_or_not_needed(written: Written) -> None:
    folder, kind = written
    for file in small_files(folder):
        for content in broken_wholes(file.read_bytes()).values():
            with holding(file, content):
                await check(folder, kind)


@FEW
@given(data=st.data())
async def test_a_wrong_value_is_told_or_does_not_matter(written: Written, data: st.DataObject) -> None:
    folder, kind = written
    files = [each for each in small_files(folder) if each.suffix == ".json" and each.name not in LARGE]
    file = data.draw(st.sampled_from(files), label="file")
    tree = json.loads(file.read_bytes())
    spot = data.draw(st.sampled_from(list(spots(tree))), label="spot")
    value = data.draw(st.sampled_from(VALUES), label="value")
    with holding(file, json.dumps(changed(tree, spot, value)).encode()):
        await check(folder, kind)
