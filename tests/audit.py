"""Are there known holes in what the lock files install? ``python -m tests.audit [--where-it-can] LOCK …``

Asks PyPI's advisory database through pip-audit, which uv fetches; both need the network. Prints each hole,
and each package that could not be looked up: pip-audit itself passes those over as if they were sound. Ends
with 1 where there are holes, with 2 where something could not be looked up; --where-it-can lets the second
pass, having said so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

AUDIT = ["tool", "run", "--quiet", "--from", "pip-audit>=2.9,<3", "pip-audit"]
OPTIONS = ["--progress-spinner", "off", "--format", "json", "--no-deps", "--disable-pip"]
HOLES, UNKNOWN = 1, 2
_SHOWN = 5


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--where-it-can", action="store_true", help="what cannot be looked up is no failure")
    parser.add_argument("locks", nargs="+", type=Path)
    options = parser.parse_args()
    worst = 0
    for lock in options.locks:
        lines, code = looked_up(lock)
        print(f"audit of {lock}: {lines[0]}", *lines[1:], sep="\n  ")
        worst = HOLES if HOLES in (worst, code) else max(worst, code)
    return 0 if worst == UNKNOWN and options.where_it_can else worst


def looked_up(lock: Path) -> tuple[list[str], int]:
    """What is said of a lock file, and the exit code."""
    command = [sys.executable, "-m", "uv", *AUDIT, *OPTIONS, "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        return ["not done: pip-audit cannot run here", *said[-2:]], UNKNOWN
    return verdict(report)


def verdict(report: dict[str, Any]) -> tuple[list[str], int]:
    """What is said of pip-audit's report, and the exit code."""
    packages = report["dependencies"]
    holes = [
        f"{each['name']} {each['version']}: {hole['id']}, mended in"
        f" {', '.join(hole['fix_versions']) or 'no version yet'}"
        for each in packages
        for hole in each.get("vulns", ())
    ]
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    if holes:
        return [f"{len(holes)} known holes", *holes], HOLES
    if unknown:
        named = ", ".join(unknown[:_SHOWN]) + (", …" if len(unknown) > _SHOWN else "")
        return [f"{len(unknown)} of {len(packages)} packages could not be looked up: {named}"], UNKNOWN
    return [f"{len(packages)} packages, no known hole"], 0


if __name__ == "__main__":
    sys.exit(main())
