"""The people who ask, in a process beside the page's, as browsers and programs are."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from launcher.bench.child import Child, child, serve_pipe
from launcher.bench.openai_route import OpenaiRoute, first_model
from launcher.bench.page_routes import ApiRoute, BrowserRoute, upload
from launcher.bench.route import API, BROWSER, Heard, Route
from launcher.bench.workload import Conversation
from launcher.messages import GenerationOptions
from launcher.presets import Preset


@dataclass(frozen=True, slots=True)
class Connect:
    """Ask this preset's tab of the page at ``url`` from now on, by the route."""

    url: str
    route: str
    preset: Preset


@dataclass(frozen=True, slots=True)
class ConnectOther:
    """Ask another server's first model from now on, by OpenAI's API, which begins at ``url``."""

    url: str
    options: GenerationOptions


@dataclass(frozen=True, slots=True)
class Upload:
    """Upload files; answered with where the page keeps them."""

    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class AskAll:
    """Ask all of this at one moment, a person each; answered with ``AllHeard``."""

    conversations: tuple[Conversation, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class AllHeard:
    """Every person's answer, and the seconds from the first question to the last end."""

    answers: tuple[Heard, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class OpenPages:
    """Have as many pages open, and do nothing with them."""

    count: int


@dataclass(frozen=True, slots=True)
class LeaveOpen:
    """Have as many people ask, and wait for what does not come."""

    conversations: tuple[Conversation, ...]


Message = Connect | ConnectOther | Upload | AskAll | OpenPages | LeaveOpen


def people_process(name: str = "people") -> AbstractContextManager[Child]:
    """A process of people, to be told to ``Connect``."""
    return child(__name__, name)


def main(pipe_fd: int, _heartbeat_s: float, launcher_pid: int) -> None:
    """Serves the pipe until it ends; does not return."""
    serve_pipe(_People(), pipe_fd, launcher_pid)


class _People:
    def __init__(self) -> None:
        self._url = ""
        self._route: Route | None = None
        self._asking: list[asyncio.Task[Heard]] = []

    async def answer(self, message: Message) -> list[Path] | AllHeard | None:
        match message:
            case Connect():
                await self._connect(message.url, _route(message))
            case ConnectOther(url, options):
                await self._connect(url, OpenaiRoute(url, await first_model(url), options))
            case Upload(files):
                return await upload(self._url, files)
            case OpenPages(count):
                assert self._route is not None, "Connect comes first"
                await self._route.open_pages(count)
            case LeaveOpen(conversations):
                assert self._route is not None, "Connect comes first"
                await self._route.open_pages(len(conversations))
                self._asking = [
                    asyncio.create_task(self._route.ask(person, each, 1))
                    for person, each in enumerate(conversations)
                ]
            case AskAll():
                return await self._ask_all(message)
        return None

    async def _connect(self, url: str, route: Route) -> None:
        await self.close()
        self._url, self._route = url, route

    async def _ask_all(self, message: AskAll) -> AllHeard:
        assert self._route is not None, "Connect comes first"
        route = self._route
        await route.open_pages(len(message.conversations))
        begun_s = time.monotonic()
        answers = await asyncio.gather(
            *(route.ask(person, each, message.tokens) for person, each in enumerate(message.conversations))
        )
        return AllHeard(tuple(answers), time.monotonic() - begun_s)

    async def close(self) -> None:
        for task in self._asking:
            task.cancel()
        if self._route is not None:
            self._route.close()


def _route(to: Connect) -> Route:
    if to.route == API:
        return ApiRoute(to.url, to.preset.api_name)
    if to.route == BROWSER:
        return BrowserRoute(to.url, to.preset.name)
    return OpenaiRoute(f"{to.url}/v1", to.preset.name, to.preset.generation.options())
