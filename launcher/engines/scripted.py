"""An engine that plays a script instead of running a model: for tests and measurements alone, and it says so
when asked to serve anywhere else.

A script is text with a command on each line that begins with a slash, blanks aside; any other line is echoed
word by word. The last message is the script of an answer, the preset's system prompt that of loading. Waiting
is for events: a gate is a FIFO in the spec's folder, made by the test, that opens once the test opens it for
writing.

    /name               says the preset's name              /fail TEXT      raises EngineError
    /say N              says the numbers 0 to N - 1         /raise TEXT     raises RuntimeError
    /endless            says numbers until it is stopped    /crash CODE     the process exits
    /wait GATE          goes on once the gate opens         /kill           the process gets SIGKILL
    /open GATE          opens a gate on which a test waits  /hang           blocks the event loop for good
    /progress STAGE F   reports progress (loading alone)    /stall          is silent for good, the loop alive
    /sleep GATE         asleep only once the gate opens     /sleepless      cannot sleep (these: loading)
    /insomnia           fails when it is put to sleep       /held           says how often it has been loaded
    /grump              fails when it is woken (loading alone)
    /print N            prints N lines of 1 KiB             /mute           ends without a last chunk
    /full MARK          raises OutOfMemory the first time, which leaves the file MARK
    /spawn              says the id of a process of its own /block GATE     blocks the loop until it opens
    /detach             the same, in a session of its own   /complain TEXT  prints the text
    /broken TEXT        raises EngineBroken, for good
    /loaded MARK        adds a line with the preset's name to the file MARK
    /asked              says the whole request as JSON, in a code block so that a page shows it as it is
    /pace RATE N        says the numbers 0 to N - 1 at RATE a second, each at its own time from the start on

A token is a word; the session is the preset's ``memory.session_tokens``, and holds the last message's words
and the answer.
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
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict
from pathlib import Path

from launcher.engines.base import EngineFacts, EngineSpec, Progress
from launcher.engines.endings import answer_room, out_of_tokens
from launcher.errors import EngineBroken, EngineError
from launcher.messages import ChatRequest, Chunk, FinishReason, Usage

ALLOWED_BY = "LAUNCHER_SCRIPTED_ENGINE"
"""The environment variable that tests set to 1, and measurements to `FOR_MEASUREMENTS`."""

FOR_MEASUREMENTS = "measure"
"""Whoever may reach a page that is being measured can have it say words, and nothing else."""

_MEASURED = ("/pace", "/stall")

_AUTO_SESSION_TOKENS = 1 << 20


ENDLESS_PAUSE_S = 0.01
"""Between the words of an answer without end: a hundred a second, as a model says them. Faster ones choke
whoever shows them."""


_ABOUT_SLEEP = ("/sleep", "/sleepless", "/insomnia", "/grump")


class ScriptedEngine:
    """Plays scripts, any number at once.

    Raises:
        EngineError: the environment does not say that this is a test.
    """

    def __init__(self, spec: EngineSpec) -> None:
        allowed = os.environ.get(ALLOWED_BY)
        if allowed not in ("1", FOR_MEASUREMENTS):
            raise EngineError(
                "{model} asks for the scripted engine, which is no model: it plays scripts for the"
                " launcher's own tests.",
                hint="Write `engine: auto` in the preset.",
                model=spec.preset.name,
            )
        self._spec = spec
        self._only = _MEASURED if allowed == FOR_MEASUREMENTS else ()
        self._progress: Progress = lambda _stage, _fraction: None
        session_tokens = spec.preset.memory.session_tokens
        self._session_tokens = _AUTO_SESSION_TOKENS if session_tokens == "auto" else session_tokens
        self._loads = 0
        self._bedtime = ""
        self._broken = ""

    async def prepare(self) -> None:
        """There is nothing to import."""

    async def load(self, progress: Progress) -> EngineFacts:
        """Plays the system prompt, each time; what it says is lost."""
        begun_s = time.monotonic()
        self._progress = progress
        self._loads += 1
        async for _ in self._play(self._spec.preset.chat.system_prompt):
            pass
        load_s = time.monotonic() - begun_s
        return EngineFacts(
            "scripted", self._spec.device, self._session_tokens, None, load_s, self._bedtime != "/sleepless"
        )

    async def sleep(self) -> None:
        """Falls asleep in the way that the loading script asked for."""
        command, _, gate = self._bedtime.partition(" ")
        if command == "/insomnia":
            raise RuntimeError("says the script")
        if command == "/sleep":
            await _pass_gate(self._spec.folder / gate, "/wait")

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Plays the last message, a token a chunk, at most ``max_new_tokens``; pictures are named first."""
        begun_s = time.monotonic()
        if self._broken:
            raise self._is_broken()
        question, wanted = request.messages[-1], request.options.max_new_tokens
        room = answer_room(len(question.text.split()), 0, self._session_tokens, wanted)
        first_s = 0.0
        said = 0
        finish: FinishReason = "stop"
        for picture in question.pictures:
            yield Chunk(f"[{picture.name}] ")
        async for token in self._play(question.text, request):
            if token is None:
                return
            first_s = first_s or time.monotonic() - begun_s
            said += 1
            yield Chunk(token)
            if said == room:
                finish = out_of_tokens(said, wanted)
                break
        usage = Usage(
            len(question.text.split()), len(question.pictures), said, first_s, time.monotonic() - begun_s
        )
        yield Chunk("", finish, usage)

    async def close(self) -> None:
        """Nothing is held."""

    async def _play(
        self, script: str, request: ChatRequest | None = None
    ) -> AsyncGenerator[str | None, None]:
        """The tokens of a script, which came with a request or is that of loading; None ends the answer
        without a last chunk."""
        for line in script.splitlines():
            command, _, argument = line.strip().partition(" ")
            self._check_allowed(command)
            if command == "/name":
                yield self._spec.preset.name
            elif command in ("/say", "/endless", "/pace"):
                async for number in _numbers(command, argument):
                    yield f"{number} "
            elif command in _ABOUT_SLEEP:
                self._about_sleep(line)
            elif command == "/asked":
                yield f"\n\n```json\n{json.dumps(asdict(request), default=str) if request else None}\n```\n"
            elif command == "/held":
                yield str(self._loads)
            elif command in ("/spawn", "/detach"):
                yield str(_spawn(apart=command == "/detach"))
            elif command == "/mute":
                yield None
            elif command.startswith("/"):
                await self._act(command, argument)
            else:
                for word in line.split():
                    yield f"{word} "
                    await asyncio.sleep(0)

    def _check_allowed(self, command: str) -> None:
        if self._only and command.startswith("/") and command not in self._only:
            raise _no_command(command)

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

    async def _act(self, command: str, argument: str) -> None:
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
            case "/stall":
                await asyncio.Event().wait()
            case _:
                raise _no_command(command)


def _no_command(command: str) -> EngineError:
    return EngineError("The script has no command {command}.", command=command)


async def _numbers(command: str, argument: str) -> AsyncGenerator[int, None]:
    if command == "/endless":
        for number in itertools.count():
            yield number
            await asyncio.sleep(ENDLESS_PAUSE_S)
    elif command == "/say":
        for number in range(int(argument)):
            yield number
            await asyncio.sleep(0)
    else:
        rate, count = argument.split()
        async for number in _paced(float(rate), int(count)):
            yield number


async def _paced(rate: float, count: int) -> AsyncGenerator[int, None]:
    """One number that comes late makes no other late: each has its time from the start on."""
    begun_s = time.monotonic()
    for number in range(count):
        due_s = begun_s + (number + 1) / rate
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        yield number


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
