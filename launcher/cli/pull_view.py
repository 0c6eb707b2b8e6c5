"""How far a download is: a bar in a terminal, a line for each whole file elsewhere; on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from launcher.cli import render
from launcher.downloads import Download, Progress, Report
from launcher.fetching.tally import Tally


@contextmanager
def progress(download: Download) -> Iterator[Report]:
    """What a download reports to."""
    whole_bytes = sum(file.size_bytes for file in download.files)
    source = download.repository.source
    render.note(
        f"{source.name} from {source.hub}: {decimal(whole_bytes)}, of which"
        f" {decimal(download.missing_bytes)} to fetch"
    )
    unhashed = [file.name for file in download.files if not file.has_hash]
    if unhashed:
        render.note(f"taken by size alone, as the hub gives no hash: {', '.join(unhashed)}")
    if not sys.stderr.isatty():
        yield lambda step: _line(step, "size checked" if step.file in unhashed else "checked")
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _OnBar(bar, whole_bytes)


def _line(step: Progress, how: str) -> None:
    if step.stage == "done":
        render.note(f"{step.file}: {decimal(step.size_bytes)}, {how}")


class _OnBar:
    """All files as one bar that names the file at hand."""

    def __init__(self, bar: Bar, whole_bytes: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=whole_bytes)
        self._tally = Tally()

    def __call__(self, step: Progress) -> None:
        description = f"checking {step.file}" if step.stage == "checking" else step.file
        self._bar.update(self._task, description=render.visible(description), completed=self._tally.add(step))
