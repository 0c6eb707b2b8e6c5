"""How the figures of ``launcher bench`` look: a table each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from launcher.cli import streams

_COLUMNS = 160
"""A table is not cut at the edge of a narrow terminal or a pipe."""


def engine_table(title: str, figures: Sequence[dict[str, Any]]) -> None:
    """The bare engine's figures, a line for each number of people."""
    table = _table("users", "tokens/s", "first text", "95 %", "whole answer", "95 %", "tokens each")
    for each in figures:
        first, end = each["first_token_ms"], each["end_ms"]
        table.add_row(
            str(each["users"]),
            _tokens(each["tokens_s"]),
            _ms(first["median"]),
            _ms(first["p95"]),
            _ms(end["median"]),
            _ms(end["p95"]),
            f"{each['tokens']:g}",
        )
    _show(title, table)


def page_table(title: str, figures: Sequence[dict[str, Any]]) -> None:
    """The page's figures beside the bare engine's, a line for each route and number of people."""
    table = _table(
        "route", "users", "tokens/s", "bare engine", "ratio", "first text later", "95 %", "end later", "95 %"
    )
    for each in figures:
        first, end = each["first_token_delay_ms"], each["end_delay_ms"]
        table.add_row(
            each["route"],
            str(each["users"]),
            _tokens(each["tokens_s"]),
            _tokens(each["engine_tokens_s"]),
            f"{each['ratio']:.3f}",
            _ms(first["median"]),
            _ms(first["p95"]),
            _ms(end["median"]),
            _ms(end["p95"]),
        )
    _show(title, table)


def switch_table(figures: Sequence[dict[str, Any]]) -> None:
    """A line for each model."""
    table = _table("model", "first text", "fastest", "slowest")
    for each in figures:
        all_s = each["all_s"]
        table.add_row(
            each["model"], *(f"{one:.3f} s" for one in (each["first_text_s"], min(all_s), max(all_s)))
        )
    _show("A question in a tab whose model sleeps", table)


def start_table(figures: dict[str, Any]) -> None:
    """A start in one line."""
    table = _table("page", "first answer", "launcher --help", "interpreter alone", "ratio")
    table.add_row(
        f"{figures['page_s']:.2f} s",
        f"{figures['first_answer_s']:.2f} s",
        f"{figures['help_s']:.3f} s",
        f"{figures['interpreter_s']:.3f} s",
        f"{figures['help_ratio']:g}",
    )
    _show(f"launcher serve, {figures['model']} answers first", table)


def idle_table(figures: dict[str, Any]) -> None:
    """Idle pages in one line."""
    table = _table("pages", "waiting", "measured for", "processor time", "core")
    table.add_row(
        str(figures["pages"]),
        str(figures["waiting"]),
        f"{figures['seconds']:g} s",
        f"{figures['cpu_s']:.2f} s",
        f"{figures['core_percent']:.1f} %",
    )
    _show("Open pages that do nothing", table)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, no_wrap=True, justify="right" if number else "left")
    return table


def _show(title: str, table: Table) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False, width=_COLUMNS)
    with streams.output():
        console.print(title)
        console.print(table)


def _tokens(tokens_s: float) -> str:
    return f"{tokens_s:,.0f}"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms"
