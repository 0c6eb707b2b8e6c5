"""What the Compare tab does with models that take turns: a question to all of them, and how often each was
loaded for it.

    LAUNCHER_MODELS=FOLDER python3 -m tests.gpu.comparing internvl2-2b internlm-xcomposer2-vl-1_8b \\
        internlm2-chat-1_8b [--rounds 5] [--tokens 64]

Asks a page that ``launcher serve --metrics`` serves as the tab's script does (``ui/page/compare.js``): who is
awake, then all others at once. Prints a line of JSON for each comparison: seconds to the first and the last
text of each model's answer, and its loads as the server counts them. Ends with 1 where a model was loaded
more than once for one question.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from launcher.bench.page_routes import BrowserRoute
from launcher.bench.route import Heard
from launcher.messages import Message
from tests.free_port import free_port

_UP_S = 120.0


@contextmanager
def served() -> Iterator[str]:
    """The address of a launcher of our own, in the environment that is."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "launcher", "serve", "--metrics", "--port", str(port)]
    with subprocess.Popen(command, env={**os.environ, "NO_COLOR": "1"}) as process:
        try:
            _until_up(url)
            yield url
        finally:
            process.terminate()


def _until_up(url: str) -> None:
    until_s = time.monotonic() + _UP_S
    while time.monotonic() < until_s:
        try:
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(url)


def loads(url: str) -> dict[str, int]:
    """How often each model was loaded or woken since the server began."""
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    found = re.findall(r'^launcher_loads_total\{model="([^"]+)"\} (\S+)', text, re.MULTILINE)
    return {model: int(float(count)) for model, count in found}


class People:
    """One person a model, as the tab has a column for each."""

    def __init__(self, url: str, models: Sequence[str], tokens: int) -> None:
        self._url, self._tokens = url, tokens
        self._columns = {model: BrowserRoute(url, model) for model in models}

    async def open(self) -> None:
        for column in self._columns.values():
            await column.open_pages(1)

    async def compare(self, question: str) -> dict[str, Heard]:
        """One question to all: those awake first, then the others at once."""
        awake = httpx.get(f"{self._url}/launcher/awake", trust_env=False).json()
        first = [model for model in self._columns if model in awake]
        rest = [model for model in self._columns if model not in awake]
        return {**await self._ask(first, question), **await self._ask(rest, question)}

    async def _ask(self, models: Sequence[str], question: str) -> dict[str, Heard]:
        conversation = (Message("user", question),)
        answers = [self._columns[model].ask(0, conversation, self._tokens) for model in models]
        return dict(zip(models, await asyncio.gather(*answers), strict=True))

    def close(self) -> None:
        for column in self._columns.values():
            column.close()


async def comparisons(url: str, arguments: argparse.Namespace) -> bool:
    """Whether each model was loaded at most once a question."""
    people, is_right = People(url, arguments.models, arguments.tokens), True
    await people.open()
    for number in range(arguments.rounds):
        before, begun_s = loads(url), time.monotonic()
        heard = await people.compare(f"Tell me about the number {number}.")
        seconds = time.monotonic() - begun_s
        loaded = {model: loads(url).get(model, 0) - before.get(model, 0) for model in arguments.models}
        is_right &= max(loaded.values()) <= 1
        timings = {model: each.timing for model, each in heard.items()}
        line = {
            "comparison": number + 1,
            "all_s": round(seconds, 2),
            "first_s": {model: round(each.first_s, 2) for model, each in timings.items()},
            "end_s": {model: round(each.end_s, 2) for model, each in timings.items()},
            "loads": loaded,
        }
        print(json.dumps(line), flush=True)
    people.close()
    return is_right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    arguments = parser.parse_args()
    with served() as url:
        return 0 if asyncio.run(comparisons(url, arguments)) else 1


if __name__ == "__main__":
    sys.exit(main())
