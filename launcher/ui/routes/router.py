"""The routes: those of the page below ``/launcher``, and programs' questions where Gradio has them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from launcher.commands_here import command
from launcher.errors import RequestError
from launcher.fetching.fetches import Fetches
from launcher.settings import shown
from launcher.ui.document_pictures import DocumentPictures
from launcher.ui.guard.rates import address_of
from launcher.ui.handlers import ChatHandlers, Turn
from launcher.ui.routes.calls import PARAMETERS, Calls
from launcher.ui.routes.pages import Pages
from launcher.ui.routes.pictures import add_picture_routes, language_in
from launcher.ui.routes.refusals import RefusingRoute
from launcher.ui.routes.requests import (
    CancelButton,
    FetchButton,
    FromPage,
    KeptTurns,
    PageId,
    Question,
    ShownTab,
    StopButton,
    UnloadButton,
)
from launcher.ui.settings import to_settings
from launcher.ui.shown_text import ShownTurn, turn_as_shown
from launcher.ui.streams import EventStream, LineStream
from launcher.workers.states import ModelState


def page_routes(
    tabs: Mapping[str, ChatHandlers], pages: Pages, documents: DocumentPictures
) -> list[APIRoute]:
    """What the page asks, for tabs by their presets' names."""
    router = _router("/launcher")
    manager = pages.manager

    def tab_of(name: str | None) -> ChatHandlers:
        if name is None and tabs:
            return next(iter(tabs.values()))
        if name is None or name not in tabs:
            raise RequestError(
                "There is no tab named {name}.",
                hint="These are offered: {names}.",
                name=shown(name),
                names=", ".join(tabs),
            )
        return tabs[name]

    @router.post("/ask")
    async def ask(request: Request, asked: Question) -> Response:
        """One question and its answer, a JSON object a line: ``launcher.ui.updates``."""
        chat, turn = tab_of(asked.tab), Turn(asked.page, asked.turn)
        history = [each.exchange() for each in asked.history]
        settings = to_settings(asked.settings, chat.preset)
        updates = chat.ask(turn, asked.question.typed(), history, settings, language_in(request))
        return await LineStream(updates).begun()

    add_picture_routes(router, tab_of, documents)

    @router.post("/shown", response_model=None)
    async def shown_again(asked: KeptTurns) -> list[ShownTurn]:
        """A kept conversation as HTML. The browser's own copy of that could come from anywhere."""
        return await asyncio.to_thread(
            lambda: [turn_as_shown(each.question, each.answer) for each in asked.turns]
        )

    @router.post("/stop", status_code=HTTPStatus.NO_CONTENT)
    async def stop(asked: StopButton) -> None:
        """Ends an answer; what was said of it stays."""
        tab_of(asked.tab).stop(Turn(asked.page, asked.turn))

    @router.get("/awake")
    async def awake() -> list[str]:
        """The tabs whose models answer at once: who asks several asks them first, lest they make room for the
        others and are loaded again."""
        return [status.name for status in manager.statuses() if status.state is ModelState.READY]

    @router.post("/show", status_code=HTTPStatus.NO_CONTENT)
    async def show(asked: ShownTab) -> None:
        """A tab is shown: its model wakes. Opening the page sends no other model to sleep for it."""
        if asked.tab is None:
            manager.leave(asked.page)
        else:
            name = tab_of(asked.tab).preset.name
            manager.wake(name, page=asked.page, only_if_free=asked.by_itself)

    @router.post("/unload", status_code=HTTPStatus.NO_CONTENT)
    async def unload(asked: UnloadButton) -> None:
        """Gives a model's memory back, once the answers it has begun are finished."""
        tab_of(asked.tab).unload()

    def fetches() -> Fetches:
        if pages.fetches is None:
            raise RequestError(
                "This page downloads no models.",
                hint="It does on this machine alone, or behind a password: {command}",
                command=command("serve", "--auth", "me:FILE"),
            )
        return pages.fetches

    @router.post("/fetch", status_code=HTTPStatus.NO_CONTENT)
    async def fetch(asked: FetchButton) -> None:
        """Begins a model's download, or goes on with it; the second who asks sees the first one's."""
        await asyncio.to_thread(fetches().start, asked.tab, asked.hub)

    @router.post("/fetch/cancel", status_code=HTTPStatus.NO_CONTENT)
    async def cancel(asked: CancelButton) -> None:
        """Ends it for everyone; what has come stays."""
        await asyncio.to_thread(fetches().cancel, asked.tab)

    @router.get("/status")
    async def status(request: Request, page: Annotated[PageId, Query()]) -> Response:
        """The status lines of all models, then those that change, for as long as the page is seen."""
        return EventStream(pages.follow(page, language_in(request)))

    @router.post("/cover", status_code=HTTPStatus.NO_CONTENT)
    async def cover(asked: FromPage) -> None:
        """The page is not seen any more: its status stream ends, and it stays a page."""
        pages.cover(asked.page)

    @router.post("/leave", status_code=HTTPStatus.NO_CONTENT)
    async def leave(asked: FromPage) -> None:
        """The page is being closed."""
        pages.leave(asked.page)

    return _routes(router)


class _Values(BaseModel):
    """What a program sends: an endpoint's parameters, in order."""

    data: list[Any]


def program_routes(calls: Calls) -> list[APIRoute]:
    """What programs ask over plain HTTP, at the tabs' endpoints: ``launcher.ui.routes.calls``."""
    router = _router("/gradio_api/call")

    async def begun(request: Request, api_name: str, given: Mapping[str, Any]) -> dict[str, str]:
        event = await calls.begin(api_name, given, address_of(request.scope), language_in(request))
        return {"event_id": event}

    @router.post("/{api_name}")
    @router.post("/{api_name}/")
    async def ask(request: Request, api_name: str, asked: _Values) -> dict[str, str]:
        """A question, its parameters in order."""
        if len(asked.data) != len(PARAMETERS):
            raise RequestError(
                "The request cannot be read: {endpoint} takes {count} values, not {given}.",
                hint="In order: {names}. {address} says more of them.",
                endpoint=api_name,
                count=len(PARAMETERS),
                given=len(asked.data),
                names=", ".join(PARAMETERS),
                address="/gradio_api/info",
            )
        return await begun(request, api_name, dict(zip(PARAMETERS, asked.data, strict=True)))

    @router.post("/v2/{api_name}")
    @router.post("/v2/{api_name}/")
    async def ask_by_name(request: Request, api_name: str, asked: dict[str, Any]) -> dict[str, str]:
        """A question, its parameters by name; what is left out is the preset's."""
        return await begun(request, api_name, asked)

    @router.get("/{api_name}/{event_id}")
    @router.get("/v2/{api_name}/{event_id}")
    async def answer(api_name: str, event_id: str) -> Response:
        """Its answer, as server-sent events."""
        return calls.answer(api_name, event_id)

    return _routes(router)


def _router(prefix: str) -> APIRouter:
    return APIRouter(prefix=prefix, route_class=RefusingRoute)


def _routes(router: APIRouter) -> list[APIRoute]:
    """To be put among an app's own: looking through included routers costs a millisecond a request."""
    return [route for route in router.routes if isinstance(route, APIRoute)]
