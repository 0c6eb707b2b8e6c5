"""A process of a measurement, as it is asked."""

from __future__ import annotations

import pytest

from launcher.bench.child import child
from launcher.errors import WorkerDied


@pytest.mark.timeout(60)
def test_a_defect_ends_the_process_and_is_told() -> None:
    """Its thread that reads the pipe had kept the process, and the launcher waited for its answer."""
    with child("tests.bench.failing_child", "failing") as failing:
        assert failing.ask("hello") == "hello"
        with pytest.raises(WorkerDied) as told:
            failing.ask("fail")
    assert "failing stopped unexpectedly" in told.value.message
    assert "nobody foresaw this" in str(told.value.hint)
