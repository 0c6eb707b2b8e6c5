"""A large GPU taken for a smaller one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from launcher.bench.smaller_gpu import limited, smaller
from launcher.devices import Devices, Gpu
from launcher.workers.states import Seen


def on_the_card(seen: Seen | None, device: str = "cuda:0", limit_bytes: int = 8) -> Seen | None:
    """What is measured with a limit where ``seen`` is measured without."""

    def measure(_device: str, _pids: Mapping[str, int]) -> Seen | None:
        return seen

    return limited(measure, limit_bytes)(device, {"one": 1})


@pytest.mark.parametrize(
    ("held_bytes", "free_bytes", "left_bytes"),
    [
        (5, 75, 3),  # of 8, one holds 5
        (5, 2, 2),  # others have the rest of the card
        (9, 71, 0),  # more than there is to be
    ],
)
def test_models_find_no_more_than_the_limit(held_bytes: int, free_bytes: int, left_bytes: int) -> None:
    seen = on_the_card(Seen(free_bytes, {"one": held_bytes}))
    assert seen == Seen(left_bytes, {"one": held_bytes})


def test_where_the_driver_tells_of_no_process_the_plans_stand_in() -> None:
    assert on_the_card(Seen(75, {})) is None
    assert on_the_card(None) is None


def test_ram_is_what_it_is() -> None:
    seen = Seen(75, {"one": 5})
    assert on_the_card(seen, device="cpu") == seen


def test_models_are_planned_for_what_there_is_to_be() -> None:
    large = Gpu("H100", "GPU-1", 80, 75, (9, 0), "580.1", (13, 0))
    taken = Gpu("RTX 4060", "GPU-2", 8, 3, (8, 9), "580.1", (13, 0))
    found = smaller(Devices((large, taken), 64, 32), 8)
    assert [gpu.free_bytes for gpu in found.gpus] == [8, 3]
    assert (found.gpus[0].total_bytes, found.ram_free_bytes) == (80, 32)
