"""How ``launcher plan`` looks: for each preset a table of its parts with bars, what follows from them, what
was changed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from launcher.cli.paragraphs import fitted
from launcher.engines.table import find
from launcher.memory import GIB, Card, MemoryPlan, PartName

BAR_CELLS = 40
_LABELS: dict[PartName, str] = {
    "language_model": "language model",
    "vision_tower": "picture tower",
    "projector": "projector",
    "cuda_context": "CUDA context",
    "activations": "activations",
    "kv_cache": "KV cache",
}


def show(plans: Sequence[tuple[str, MemoryPlan, Card, str]]) -> None:
    """Prints plans: a preset's name, its plan, the card and what that is called, "" on a machine without."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for number, (name, plan, card, label) in enumerate(plans):
        console.print(("\n" if number else "") + _title(name, plan, card, label))
        console.print(_table(plan, card))
        console.print(fitted(_consequences(plan), sys.stdout))
        for change in plan.changes:
            console.print(fitted(f"changed: {change}", sys.stdout))


def _title(name: str, plan: MemoryPlan, card: Card, label: str) -> str:
    engine = find(plan.engine).title
    free, budget = card.free_bytes / GIB, plan.budget_bytes / GIB
    where = label or "the card"
    return f"{name} on {engine}, {plan.dtype}: {free:.4g} GiB free on {where}, budget {budget:.4g} GiB"


def _table(plan: MemoryPlan, card: Card) -> Table:
    """The parts on a scale as long as the card, after what others hold of it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("part", no_wrap=True)
    table.add_column("GiB", justify="right", no_wrap=True)
    table.add_column(f"of the card's {card.total_bytes / GIB:.4g} GiB", no_wrap=True)

    def row(label: str, size_bytes: int, bar: str) -> None:
        table.add_row(label, f"{size_bytes / GIB:.2f}", bar)

    start_bytes = others_bytes = card.total_bytes - card.free_bytes
    if others_bytes:
        row("other programs", others_bytes, _bar(0, others_bytes, card, filled="x"))
    for part in plan.parts:
        row(_LABELS[part.name], part.size_bytes, _bar(start_bytes, part.size_bytes, card))
        start_bytes += part.size_bytes
    row("together", plan.total_bytes, _bar(others_bytes, plan.total_bytes, card, filled="="))
    row("budget", plan.budget_bytes, _budget(others_bytes + plan.budget_bytes, card))
    return table


def _bar(start_bytes: int, size_bytes: int, card: Card, filled: str = "#") -> str:
    """The part's own stretch of the card, so that the parts stand under each other like one bar taken
    apart."""
    start = min(BAR_CELLS - 1, round(BAR_CELLS * start_bytes / card.total_bytes))
    end = min(BAR_CELLS, max(start + 1, round(BAR_CELLS * (start_bytes + size_bytes) / card.total_bytes)))
    return "|" + "." * start + filled * (end - start) + "." * (BAR_CELLS - end) + "|"


def _budget(end_bytes: int, card: Card) -> str:
    """Marks where the budget ends; beyond the card's end it limits nothing, and is marked with an arrow."""
    end = round(BAR_CELLS * end_bytes / card.total_bytes)
    mark = ">" if end > BAR_CELLS else "^"
    before = max(0, min(BAR_CELLS, end) - 1)
    return "|" + "." * before + mark + "." * (BAR_CELLS - before - 1) + "|"


def _consequences(plan: MemoryPlan) -> str:
    picture = ""
    if plan.picture is not None:
        picture = f"; largest picture {plan.picture.shown}: {plan.picture.tokens:,} tokens"
    return (
        f"KV cache: {plan.kv_bits} bits, {plan.cache_ratio:.3g} of the memory left by the weights,"
        f" {plan.cache_tokens:,} tokens"
        f"\nsession: {plan.session_tokens:,} tokens, question and answer{picture}"
        f"\nat once: {plan.max_batch} askers; prompts are read {plan.max_prefill_tokens:,} tokens at a time"
        f"; asleep: {plan.asleep_bytes / GIB:.2f} GiB; most while loading: {plan.loading_bytes / GIB:.2f} GiB"
    )
