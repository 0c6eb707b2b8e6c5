"""The engine of the tests: plays scripts, as ``launcher.bench.scripted`` says, in which more can happen.

Waiting is for events: a gate is a FIFO in the spec's folder, made by the test, that opens once the test opens
it for writing.

    /name               says the preset's name              /fail TEXT      raises EngineError
    /say N              says the numbers 0 to N - 1         /raise TEXT     raises RuntimeError
    /endless            says numbers until it is stopped    /crash CODE     the process exits
    /wait GATE          goes on once the gate opens         /kill           the process gets SIGKILL
    /open GATE          opens a gate on which a test waits  /hang           blocks the event loop for good
    /progress STAGE F   reports progress (loading alone)    /held           says how often it has been loaded
    /sleep GATE         asleep only once the gate opens     /sleepless      cannot sleep (these: loading)
    /insomnia           fails when it is put to sleep       /grump          fails when it is woken
    /print N            prints N lines of 1 KiB             /mute           ends without a last chunk
    /full MARK          raises OutOfMemory the first time, which leaves the file MARK
    /spawn              says the id of a process of its own /block GATE     blocks the loop until it opens
    /detach             the same, in a session of its own   /complain TEXT  prints the text
    /broken TEXT        raises EngineBroken, for good
    /loaded MARK        adds a line with the preset's name to the file MARK
    /asked              says the whole request as JSON, in a code block so that a page shows it as it is
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict, replace
from pathlib import Path

from launcher.bench import scripted
from launcher.engines import table
from launcher.engines.base import EngineFacts, EngineSpec, Progress
from launcher.errors import EngineBroken, EngineError
from launcher.messages import ChatRequest, Chunk

SCRIPTED = replace(scripted.MEASURED, name="scripted", runs="tests.scripted_engine:ScriptedEngine")

ENDLESS_PAUSE_S = 0.01
"""Between the words of an answer without end: a hundred a second, as a model says them. Faster ones choke
whoever shows them."""

_ABOUT_SLEEP = ("/sleep", "/sleepless", "/insomnia", "/grump")


def register() -> None:
    """Presets that this process reads may say ``engine: scripted`` from now on."""
    table.register(SCRIPTED)


class ScriptedEngine(scripted.ScriptedEngine):
    """Plays scripts, any number at once."""

    def __init__(self, spec: EngineSpec) -> None:
        super().__init__(spec)
        self._loads = 0
        self._bedtime = ""
        self._broken = ""

    async def load(self, progress: Progress) -> EngineFacts:
        self._loads += 1
        facts = await super().load(progress)
        return replace(facts, sleeps=self._bedtime != "/sleepless")

    async def sleep(self) -> None:
        """Falls asleep in the way that the loading script asked for."""
        command, _, gate = self._bedtime.partition(" ")
        if command == "/insomnia":
            raise RuntimeError("says the script")
        if command == "/sleep":
            await _pass_gate(self._spec.folder / gate, "/wait")

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        if self._broken:
            raise self._is_broken()
        async for chunk in super().stream(request):
            yield chunk

    async def _obey(self, line: str, request: ChatRequest | None) -> AsyncGenerator[str | None, None]:
        command, _, argument = line.partition(" ")
        if command == "/name":
            yield self._spec.preset.name
        elif command in ("/say", "/endless"):
            async for number in _numbers(argument):
                yield f"{number} "
        elif command in _ABOUT_SLEEP:
            self._about_sleep(line)
        elif command == "/asked":
            yield f"\n\n```json\n{json.dumps(asdict(request), default=_as_json) if request else None}\n```\n"
        elif command == "/held":
            yield str(self._loads)
        elif command in ("/spawn", "/detach"):
            yield str(_spawn(apart=command == "/detach"))
        elif command == "/mute":
            yield None
        elif not await self._has_acted(command, argument):
            async for token in super()._obey(line, request):
                yield token

    def _about_sleep(self, line: str) -> None:
        if line != "/grump":
            self._bedtime = line
        elif self._loads > 1:
            raise EngineError(
                "The script failed: {text}", hint="Ask something else.", text="it is not to be woken"
            )

    def _leave_a_trace(self, command: str, argument: str) -> None:
        if command == "/full":
            _fill_once(self._spec.folder / argument)
        elif command == "/complain":
            os.write(2, f"{argument}\n".encode())
        elif command == "/print":
            for number in range(int(argument)):
                os.write(1, f"{number:<1023}\n".encode())
        else:
            with (self._spec.folder / argument).open("a", encoding="utf-8") as marks:
                marks.write(f"{self._spec.preset.name}\n")

    def _is_broken(self) -> EngineBroken:
        return EngineBroken("The engine broke: {text}", hint="Ask again: it starts anew.", text=self._broken)

    async def _has_acted(self, command: str, argument: str) -> bool:
        """Does what says nothing; False for another command."""
        match command:
            case "/wait" | "/open" | "/block":
                await _pass_gate(self._spec.folder / argument, command)
            case "/progress":
                stage, fraction = argument.split()
                self._progress(stage, float(fraction))
            case "/fail":
                raise EngineError("The script failed: {text}", hint="Ask something else.", text=argument)
            case "/broken":
                self._broken = argument
                raise self._is_broken()
            case "/full" | "/loaded" | "/complain" | "/print":
                self._leave_a_trace(command, argument)
            case "/raise":
                raise RuntimeError(argument)
            case "/crash":
                os._exit(int(argument or 3))
            case "/kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "/hang":
                threading.Event().wait()
            case _:
                return False
        return True


async def _numbers(argument: str) -> AsyncGenerator[int, None]:
    """So many; without end where none are asked for."""
    for number in range(int(argument)) if argument else itertools.count():
        yield number
        await asyncio.sleep(0 if argument else ENDLESS_PAUSE_S)


def _spawn(*, apart: bool) -> int:
    program = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    return subprocess.Popen(program, start_new_session=apart).pid


def _fill_once(mark: Path) -> None:
    """Finds no memory the first time, and some from then on."""
    if not mark.exists():
        mark.touch()
        raise RuntimeError("CUDA out of memory, says the script")


async def _pass_gate(gate: Path, command: str) -> None:
    if command == "/block":
        gate.open("rb").close()
    else:
        await _in_thread(lambda: gate.open("wb" if command == "/open" else "rb").close())


async def _in_thread(wait: Callable[[], None]) -> None:
    """Waits in a daemon thread: asyncio's own pool would be too small for many waiters, and would hold up the
    process's end."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def run() -> None:
        wait()
        loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, daemon=True).start()
    await done.wait()


def _as_json(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, frozenset) else str(value)
