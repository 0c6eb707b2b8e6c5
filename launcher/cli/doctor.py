"""``launcher doctor``: what is right with this machine, what is not, and what mends it.

The exit code is 0 where ``launcher serve`` with the same options would show a page on which at least one
model answers; else it is the first fault's, by the same table as every command's. Warnings change nothing
about it.
"""

from __future__ import annotations

from typing import Annotated

import typer

from launcher.cli.listening import DEFAULT_HOST, DEFAULT_PORT, HIGHEST_PORT, Address
from launcher.cli.preset_paths import PresetPaths


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    presets: PresetPaths = None,
    host: Annotated[str, typer.Option(help="Address that the page would listen on.")] = DEFAULT_HOST,
    port: Annotated[
        int, typer.Option(min=1, max=HIGHEST_PORT, help="Port that the page would listen on.")
    ] = DEFAULT_PORT,
) -> None:
    """Check this machine: exit code 0 says that the page would work here; each fault comes with what mends
    it."""
    from launcher.cli import doctor_view
    from launcher.cli.doctor_facts import gather
    from launcher.diagnosis import diagnose, exit_code  # 0.03 s that --help need not cost

    findings = diagnose(gather(presets or (), Address(host, port)))
    code = exit_code(findings)
    if as_json:
        doctor_view.data(findings, code)
    else:
        doctor_view.show(findings, code)
    raise typer.Exit(code)
