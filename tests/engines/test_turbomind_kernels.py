"""What the installed TurboMind has kernels for, read from its own library: the names of the kernels that it
registers. No GPU is asked."""

from __future__ import annotations

import mmap
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from launcher.engine_costs import COSTS

FOUND = find_spec("lmdeploy")
if FOUND is None or FOUND.origin is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)
LIBRARIES = sorted((Path(FOUND.origin).parent / "turbomind").glob("_turbomind*.so"))

KERNEL = re.compile(rb"N9turbomind9attention10KernelImplI[A-Za-z0-9_]+DecodingCtaMap[A-Za-z0-9_]+")
"""A registered kernel that reads the cache for the next token, by the compiler's name of its type."""
CARD = re.compile(r"4arch4(Sm\d+)E")
"""In that: the oldest cards that it is for."""
HEAD = re.compile(r"Li(\d+)ELi\d+EEEEENS_20BlockIteratorFactory")
"""In that: numbers in a head, the last but one of its own sizes."""
EIGHT_BITS = re.compile(r"(6__half|13__nv_bfloat16)hL")
"""In that: the type of the cache, behind the model's."""

Kernel = tuple[str, int, int]
"""The oldest cards that it is for, bits of the cache, numbers in a head."""


@cache
def kernels() -> frozenset[Kernel]:
    (library,) = LIBRARIES
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        names = {match.group().decode() for match in KERNEL.finditer(held)}
    found = set[Kernel]()
    for name in names:
        card, head = CARD.search(name), HEAD.search(name)
        assert card, name
        assert head, name
        bits = 4 if "7uint4_t" in name else 8 if EIGHT_BITS.search(name) else 16
        found.add((card[1], bits, int(head[1])))
    return frozenset(found)


def heads(card: str, bits: int) -> set[int]:
    return {head for *kernel, head in kernels() if kernel == [card, bits]}


@pytest.mark.parametrize("card", ["Sm70", "Sm75", "Sm80"])
def test_there_is_a_kernel_for_each_model_that_a_plan_may_be_for(card: str) -> None:
    costs = COSTS["turbomind"]
    assert costs.heads
    assert costs.quantised_heads
    assert heads(card, 16) >= costs.heads
    assert heads(card, 8) & heads(card, 4) >= costs.quantised_heads


def test_the_names_of_kernels_are_read_right() -> None:
    """A head of 192 numbers has a kernel at 8 bits on newer cards, none at 4 and none on older ones: who
    finds others reads the names wrongly, or has another LMDeploy."""
    assert 192 in heads("Sm80", 8)
    assert 192 not in heads("Sm80", 4) | heads("Sm75", 16)
