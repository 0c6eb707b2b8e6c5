"""Findings -> lines for a person, or one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from launcher.cli import render, streams
from launcher.cli.paragraphs import fitted
from launcher.diagnosis import Finding, Level

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "red"}
_MARGIN = 9


def show(findings: Sequence[Finding], code: int) -> None:
    """A line for each finding, what mends it below, whole, so that it can be copied; the verdict last."""
    console = Console(soft_wrap=True, highlight=False)
    with streams.output():
        for finding in findings:
            level = Text(finding.level.value.ljust(_MARGIN), style=_COLOURS[finding.level])
            text = fitted(f"{finding.subject}: {finding.text}", sys.stdout, _MARGIN)
            console.print(level.append(text[_MARGIN:], style="default"))
            if finding.mend and finding.level is not Level.OK:
                console.print(fitted(finding.mend, sys.stdout, _MARGIN), markup=False)
        verdict = (
            "launcher serve would work here."
            if code == 0
            else "launcher serve would not work here: mend the faults first."
        )
        console.print(f"\n{verdict}", markup=False)


def data(findings: Sequence[Finding], code: int) -> None:
    """The same for programs."""
    lines = [
        {"subject": each.subject, "level": each.level.value, "text": each.text, "mend": each.mend or None}
        for each in findings
    ]
    render.data({"serve_works": code == 0, "exit_code": code, "findings": lines})
