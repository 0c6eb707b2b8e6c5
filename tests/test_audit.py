"""What the audit says of pip-audit's reports: a package that was not looked up is not sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import audit

SOUND = {"name": "a", "version": "1.0", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "Dependency not found on PyPI and could not be audited: b (1.0)"}
HOLE = {"name": "c", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": []}]}


@pytest.mark.parametrize(
    ("packages", "lines", "code"),
    [
        ([SOUND], ["1 packages, no known hole"], 0),
        ([SOUND, SKIPPED], ["1 of 2 packages could not be looked up: b"], audit.UNKNOWN),
        ([SOUND, SKIPPED, HOLE], ["1 known holes", "c 1.0: PYSEC-1, mended in 1.1"], audit.HOLES),
    ],
)
def test_a_report_is_told(packages: list[object], lines: list[str], code: int) -> None:
    assert audit.verdict({"dependencies": packages}) == (lines, code)


@pytest.mark.parametrize(
    ("codes", "options", "ends"),
    [
        ([0, 0], [], 0),
        ([0, audit.UNKNOWN], [], audit.UNKNOWN),
        ([audit.UNKNOWN, audit.HOLES], ["--where-it-can"], audit.HOLES),
        ([audit.HOLES, audit.UNKNOWN], ["--where-it-can"], audit.HOLES),
        ([audit.UNKNOWN, 0], ["--where-it-can"], 0),
    ],
)
def test_the_worst_of_all_locks_counts(
    monkeypatch: pytest.MonkeyPatch, codes: list[int], options: list[str], ends: int
) -> None:
    left = iter(codes)

    def looked_up(lock: Path) -> tuple[list[str], int]:
        return ["said"], next(left)

    monkeypatch.setattr(audit, "looked_up", looked_up)
    monkeypatch.setattr("sys.argv", ["audit", *options, "one.lock", "two.lock"])
    assert audit.main() == ends
