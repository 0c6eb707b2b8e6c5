"""A start: how long ``launcher serve`` takes to its page and to its first answer, and ``launcher --help``
beside the interpreter alone."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from launcher.bench.page_routes import ApiRoute
from launcher.bench.throughput import Tell
from launcher.bench.workload import Workload
from launcher.commands_here import command
from launcher.errors import EngineError
from launcher.presets import Preset
from launcher.workers.leftovers import MARK, Leftovers

_LAUNCHER = [sys.executable, "-m", "launcher"]
_WITH_SCRIPTS = [sys.executable, "-m", "launcher.bench.launched"]
_ADDRESS = re.compile(r"The page is at (\S+)")
_ANSWER_TOKENS = 16
_END_S = 60.0
"""For a page to end, which is told to; far more than it takes."""


def measure_start(
    preset: Preset, paths: Sequence[Path], runs: int, tell: Tell, *, rate: float | None = None
) -> dict[str, Any]:
    """Seconds of a start, the runs' medians.

    Args:
        preset: the model that answers first; it is loaded from the start on.
        paths: the preset files and folders that are served; none: the launcher's own.
        runs: how often.
        tell: what is measured now.
        rate: tokens a second, of a scripted model.

    Raises:
        EngineError: the page does not come up, or has no answer.
    """
    work = Workload(_ANSWER_TOKENS, rate)
    starts = []
    for number in range(runs):
        tell(f"launcher serve: start {number + 1} of {runs}")
        starts.append(_start(_LAUNCHER if rate is None else _WITH_SCRIPTS, preset, paths, work))
    tell("launcher --help")
    help_s = _median_s([*_LAUNCHER, "--help"], runs)
    interpreter_s = _median_s([sys.executable, "-c", "pass"], runs)
    return {
        "model": preset.name,
        "page_s": round(statistics.median(page_s for page_s, _ in starts), 2),
        "first_answer_s": round(statistics.median(answer_s for _, answer_s in starts), 2),
        "help_s": round(help_s, 3),
        "interpreter_s": round(interpreter_s, 4),
        "help_ratio": round(help_s / interpreter_s, 1),
    }


def _start(
    launcher: Sequence[str], preset: Preset, paths: Sequence[Path], work: Workload
) -> tuple[float, float]:
    """Seconds to the page, and to the first text of an answer that is asked for at once."""
    begun_s = time.monotonic()
    with _serving(launcher, preset, paths) as url:
        return asyncio.run(_first_visit(url, preset, work, lambda: time.monotonic() - begun_s))


async def _first_visit(
    url: str, preset: Preset, work: Workload, passed_s: Callable[[], float]
) -> tuple[float, float]:
    async with httpx.AsyncClient(trust_env=False, timeout=None) as http:
        (await http.get(url)).raise_for_status()
    page_s = passed_s()
    question = work.conversation(0, _ANSWER_TOKENS)
    heard = await ApiRoute(url, preset.api_name).ask(0, question, _ANSWER_TOKENS)
    return page_s, page_s + heard.timing.first_s


@contextmanager
def _serving(launcher: Sequence[str], preset: Preset, paths: Sequence[Path]) -> Iterator[str]:
    """The address of a page that ``launcher serve`` serves; it has ended afterwards, however this ends."""
    options = [word for path in paths for word in ("--presets", str(path))]
    leftovers = Leftovers()
    process = subprocess.Popen(
        [*launcher, "serve", "--port", "0", "--preload", preset.name, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, MARK: (mark := leftovers.new_mark())},
    )
    try:
        assert process.stdout is not None
        yield _address(process.stdout)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        leftovers.end(mark)
        leftovers.close()


def _address(output: IO[str]) -> str:
    said = []
    for line in output:
        said.append(line)
        if found := _ADDRESS.search(line):
            return found[1]
    raise EngineError(
        "launcher serve ended before its page was there. It said:\n{said}",
        hint="Type the same by hand: {command}",
        command=command("serve"),
        said="".join(said[-12:]).strip(),
    )


def _median_s(words: Sequence[str], runs: int) -> float:
    """Once more than it counts: the first reads what lies on the disk."""
    seconds = []
    for _ in range(runs + 1):
        begun_s = time.monotonic()
        subprocess.run(words, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.monotonic() - begun_s)
    return statistics.median(seconds[1:])
