"""Who holds a device's memory, as a stacked bar with its legend: each model's weights, KV cache and the rest,
sleepers, other programs, what is free, and what models may hold together. HTML, pure.

What a model holds is what was measured of its process; how that is parted is its plan's, and is said to be.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from launcher.ui.places import place
from launcher.ui.texts import Language, say
from launcher.workers.states import DeviceUse, Share

BRIEF, WHOLE = "@devices-brief", "@devices"
"""Names of places (``page/places.js``)."""

_GIB = 1 << 30
_COLOURS = 6
"""Of models, by their order; ``theme.py`` has them as ``.m0`` and so on."""


@dataclass(frozen=True)
class _Segment:
    """A part of a bar: what it is, and how much."""

    kind: str
    size_bytes: int
    title: str


def devices_html() -> str:
    """Where the picture stands: small until it is opened."""
    return f'<details class="devices">{place(BRIEF, tag="summary")}{place(WHOLE)}</details>'


def device_places(uses: Iterable[DeviceUse], names: Sequence[str], language: Language) -> dict[str, str]:
    """Place -> what it shows.

    Args:
        uses: the devices.
        names: of all models, in the page's order, so that each keeps its colour.
        language: the reader's.
    """
    uses = tuple(uses)
    return {
        BRIEF: "".join(_brief(use, names, language) for use in uses),
        WHOLE: "".join(_whole(use, names, language) for use in uses),
    }


def _brief(use: DeviceUse, names: Sequence[str], language: Language) -> str:
    return (
        f'<span class="device">{_bar(use, names, language, is_named=False)}'
        f"<span>{html.escape(_heading(use, language))}</span></span>"
    )


def _whole(use: DeviceUse, names: Sequence[str], language: Language) -> str:
    lines = "".join(
        f'<li class="{kind}">{html.escape(line)}</li>' for kind, line in _legend(use, names, language)
    )
    return (
        f'<section class="device"><h3>{html.escape(_heading(use, language))}</h3>'
        f"{_bar(use, names, language, is_named=True)}<ul>{lines}</ul></section>"
    )


def _heading(use: DeviceUse, language: Language) -> str:
    is_known = use.total_bytes is not None
    total_bytes = use.total_bytes if use.total_bytes is not None else use.budget_bytes
    return say(
        "{device}: {used:.1f} of {total:.1f} GiB in use"
        if is_known
        else "{device}: models hold {used:.1f} of {total:.1f} GiB",
        language,
        {
            "device": say(
                "Memory" if use.device == "cpu" else "GPU {number}", language, {"number": use.number}
            ),
            "used": (total_bytes - use.free_bytes) / _GIB,
            "total": total_bytes / _GIB,
        },
    )


def _bar(use: DeviceUse, names: Sequence[str], language: Language, *, is_named: bool) -> str:
    """The bar, for screen readers a picture that the legend's sentences describe; the small one is none, as
    its sentence stands beside it."""
    whole_bytes = max(1, _whole_bytes(use))
    parts = "".join(
        f'<i class="{each.kind}" style="width:{100 * each.size_bytes / whole_bytes:.2f}%"'
        f' title="{html.escape(each.title)}"></i>'
        for each in _segments(use, names, language)
        if each.size_bytes
    )
    budget = say("Models may hold {budget:.1f} GiB together", language, {"budget": use.budget_bytes / _GIB})
    at = min(100.0, 100 * use.budget_bytes / whole_bytes)
    mark = f'<b style="left:{at:.2f}%" title="{html.escape(budget)}"></b>'
    told = "; ".join(line for _, line in _legend(use, names, language))
    role = f' role="img" aria-label="{html.escape(told)}"' if is_named else ' aria-hidden="true"'
    return f'<span class="bar"{role}>{parts}{mark}</span>'


def _whole_bytes(use: DeviceUse) -> int:
    """What the bar's length stands for: the device, or more where plans say that more is held."""
    known_bytes = use.budget_bytes if use.total_bytes is None else use.total_bytes
    return max(known_bytes, sum(use.held_bytes.values()) + use.others_bytes)


def _segments(use: DeviceUse, names: Sequence[str], language: Language) -> Iterator[_Segment]:
    for name, share in use.shares.items():
        yield from _of_model(name, share, _colour(name, names), language)
    yield _Segment("free", use.free_bytes, _free(use, language))
    if use.others_bytes:
        yield _Segment("others", use.others_bytes, _others(use, language))


def _of_model(name: str, share: Share, colour: str, language: Language) -> Iterator[_Segment]:
    if share.is_asleep or not share.weight_bytes:
        yield _Segment(f"{colour} {'asleep' if share.is_asleep else 'whole'}", share.held_bytes,
                       _held(name, share, language))  # fmt: skip
        return
    weights, cache, rest = _parted(share)
    for kind, size_bytes, title in (
        ("weights", weights, "{name}: weights {size:.1f} GiB, as planned"),
        ("cache", cache, "{name}: KV cache {size:.1f} GiB, as planned"),
        ("rest", rest, "{name}: the rest {size:.1f} GiB"),
    ):
        told = say(title, language, {"name": name, "size": size_bytes / _GIB})
        yield _Segment(f"{colour} {kind}", size_bytes, told)


def _parted(share: Share) -> tuple[int, int, int]:
    """Weights, cache and the rest: together what the model holds. Where it holds less than its plan has for
    the first two, they share that."""
    planned_bytes = share.weight_bytes + share.cache_bytes
    if planned_bytes <= share.held_bytes:
        return share.weight_bytes, share.cache_bytes, share.held_bytes - planned_bytes
    weights = share.held_bytes * share.weight_bytes // planned_bytes
    return weights, share.held_bytes - weights, 0


def _legend(use: DeviceUse, names: Sequence[str], language: Language) -> Iterator[tuple[str, str]]:
    """A class and a sentence for each who holds some."""
    for name, share in use.shares.items():
        kind = "asleep" if share.is_asleep else "weights" if share.weight_bytes else "whole"
        yield f"{_colour(name, names)} {kind}", _held(name, share, language)
    if use.others_bytes:
        yield "others", _others(use, language)
    yield "free", _free(use, language)
    yield (
        "budget",
        say("Models may hold {budget:.1f} GiB together", language, {"budget": use.budget_bytes / _GIB}),
    )


def _held(name: str, share: Share, language: Language) -> str:
    sentence = {
        (False, True): "{name}: {held:.1f} GiB, measured",
        (False, False): "{name}: {held:.1f} GiB, as planned",
        (True, True): "{name}, asleep: {held:.1f} GiB, measured",
        (True, False): "{name}, asleep: {held:.1f} GiB, as planned",
    }[share.is_asleep, share.is_measured]
    told = say(sentence, language, {"name": name, "held": share.held_bytes / _GIB})
    if share.is_asleep or not share.weight_bytes:
        return told
    parted = (
        "{whole} (planned: weights {weights:.1f}, KV cache {cache:.1f})"
        if share.is_measured
        else "{whole} (weights {weights:.1f}, KV cache {cache:.1f})"
    )
    values = {"whole": told, "weights": share.weight_bytes / _GIB, "cache": share.cache_bytes / _GIB}
    return say(parted, language, values)


def _others(use: DeviceUse, language: Language) -> str:
    sentence = (
        "Others, with 1 GiB that models leave them: {held:.1f} GiB, measured"
        if use.device == "cpu"
        else "Others: {held:.1f} GiB, measured"
    )
    return say(sentence, language, {"held": use.others_bytes / _GIB})


def _free(use: DeviceUse, language: Language) -> str:
    return say("Free: {free:.1f} GiB", language, {"free": use.free_bytes / _GIB})


def _colour(name: str, names: Sequence[str]) -> str:
    return f"m{list(names).index(name) % _COLOURS}" if name in names else "m0"
