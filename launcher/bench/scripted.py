"""An engine that plays a script instead of running a model, for measurements of everything but a model. No
user can name it in a preset: whoever measures registers it.

A script is text. A line that begins with a slash, blanks aside, is a command; any other is said word by word.
The last message is the script of an answer, the preset's system prompt that of loading.

    /pace RATE N   says the numbers 0 to N - 1 at RATE a second, each at its own time from the start on
    /stall         is silent for good, the event loop alive

A token is a word; the session is the preset's ``memory.session_tokens``, and holds the last message's words
and the answer. Whoever may reach a page that is being measured can have it say words, and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from launcher.engines import table
from launcher.engines.base import EngineFacts, EngineSpec, Progress
from launcher.engines.declaration import Declaration
from launcher.engines.endings import answer_room, out_of_tokens
from launcher.errors import EngineError
from launcher.messages import ChatRequest, Chunk, FinishReason, Usage

MEASURED = Declaration(
    name="measured-script",
    title="a script",
    runs="launcher.bench.scripted:ScriptedEngine",
    devices=("cpu",),
    needs="folder",
)

_AUTO_SESSION_TOKENS = 1 << 20


def register() -> None:
    """Presets that this process reads may name ``MEASURED`` from now on, and the models that it starts play
    it."""
    table.register(MEASURED)


class ScriptedEngine:
    """Plays scripts, any number at once; see ``launcher.engines.base``."""

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._progress: Progress = lambda _stage, _fraction: None
        session_tokens = spec.preset.memory.session_tokens
        self._session_tokens = _AUTO_SESSION_TOKENS if session_tokens == "auto" else session_tokens

    async def prepare(self) -> None:
        """There is nothing to import."""

    async def load(self, progress: Progress) -> EngineFacts:
        """Plays the system prompt, each time; what it says is lost."""
        begun_s = time.monotonic()
        self._progress = progress
        async for _ in self._play(self._spec.preset.chat.system_prompt):
            pass
        load_s = time.monotonic() - begun_s
        name, device = self._spec.engine, self._spec.device
        return EngineFacts(name, device, self._session_tokens, None, load_s, sleeps=True)

    async def sleep(self) -> None:
        """There is nothing to give back."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Plays the last message, a token a chunk, at most ``max_new_tokens``; pictures are named first."""
        begun_s = time.monotonic()
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
            if line.lstrip().startswith("/"):
                async for token in self._obey(line.strip(), request):
                    yield token
            else:
                for word in line.split():
                    yield f"{word} "
                    await asyncio.sleep(0)

    async def _obey(self, line: str, _request: ChatRequest | None) -> AsyncGenerator[str | None, None]:
        """The tokens of a command."""
        command, _, argument = line.partition(" ")
        if command == "/pace":
            rate, count = argument.split()
            async for number in _paced(float(rate), int(count)):
                yield f"{number} "
        elif command == "/stall":
            await asyncio.Event().wait()
        else:
            raise EngineError("The script has no command {command}.", command=command)


async def _paced(rate: float, count: int) -> AsyncGenerator[int, None]:
    """One number that comes late makes no other late: each has its time from the start on."""
    begun_s = time.monotonic()
    for number in range(count):
        due_s = begun_s + (number + 1) / rate
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        yield number
