"""Which cards CUDA_VISIBLE_DEVICES leaves. Pure but for that variable."""

from __future__ import annotations

import os
from collections.abc import Sequence

VARIABLE = "CUDA_VISIBLE_DEVICES"


def visible(cards: Sequence[tuple[str, str]]) -> list[int]:
    """Positions of the cards that may be used, in the variable's order; like CUDA, stops at the first that it
    cannot find.

    A number counts as nvidia-smi does, whatever CUDA_DEVICE_ORDER says: processes are told their card by
    uuid, so CUDA's own count is never asked. A GPU that is cut into MIG devices stands for its first one, as
    in CUDA.

    Args:
        cards: each one's number ("1", or "0:2" for a MIG device) and uuid.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return list(range(len(cards)))
    seen: list[int] = []
    for each in (part.strip() for part in wanted.split(",")):
        found = _meant(each, cards)
        if found is None or found in seen:
            break
        seen.append(found)
    return seen


def _meant(entry: str, cards: Sequence[tuple[str, str]]) -> int | None:
    """The position of the one card that an entry means."""
    by_number = [index for index, (number, _) in enumerate(cards) if number.partition(":")[0] == entry]
    if by_number:
        return by_number[0]
    by_uuid = [index for index, (_, uuid) in enumerate(cards) if entry and uuid.startswith(entry)]
    return by_uuid[0] if len(by_uuid) == 1 else None
