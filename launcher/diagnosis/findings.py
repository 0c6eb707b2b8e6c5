"""What a diagnosis comes to: lines, and the exit code that they mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How a finding stands."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: about what, how it stands, and what mends it. ``exit_code`` is a fault's, as the errors of
    its kind have it."""

    subject: str
    level: Level
    text: str
    mend: str = ""
    exit_code: int = 0


def exit_code(findings: tuple[Finding, ...]) -> int:
    """0 where ``launcher serve`` would work, else the first fault's."""
    return next((finding.exit_code for finding in findings if finding.level is Level.FAULT), 0)
