"""Every route is judged: the lists of the code, of docs/security.md and of what the app mounts are one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount, Route

from launcher.ui.app import Page
from launcher.ui.document_pictures import DocumentPictures
from launcher.ui.guard.routes import CLOSED, ENDPOINT, OPEN, Routes
from launcher.ui.routes.calls import Calls
from launcher.ui.routes.pages import Pages
from launcher.ui.serving import _app, _mounted
from launcher.workers.manager import Manager
from tests.ui.guard.asgi import Inner, client, exchange, scope_of

SECURITY = Path(__file__).parents[3] / "docs" / "security.md"
OPEN_PATHS = {route.partition(" ")[2] for route in OPEN}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    async def built(manager: Manager) -> FastAPI:
        with gr.Blocks(analytics_enabled=False) as blocks:
            pass
        return _app(
            Page(blocks, gr.I18n(en={}), {}, Calls({}), Pages(manager), DocumentPictures("", print)), ""
        )

    with Manager([], log_folder=tmp_path_factory.mktemp("logs")) as manager:
        yield asyncio.run(built(manager))


def mounted(app: FastAPI) -> set[str]:
    parts = [each for part in (app, _mounted(app)) for each in iter_route_contexts(part.routes)]
    assert not [each for each in parts if not isinstance(each.original_route, (Route, Mount))]
    return {str(each.path) for each in parts if isinstance(each.original_route, Route)}


def test_every_route_of_the_app_is_open_or_closed_on_purpose(app: FastAPI) -> None:
    assert mounted(app) - OPEN_PATHS == CLOSED.keys()


def test_no_route_is_both() -> None:
    assert not OPEN_PATHS & CLOSED.keys()


def test_every_route_is_told_of() -> None:
    told = re.findall(r"^\| `(.+)` \|", SECURITY.read_text("utf-8"), re.MULTILINE)
    assert told == [*OPEN, *ENDPOINT, *CLOSED]


def concrete(path: str) -> str:
    return re.sub(r"\{\w+(:path)?\}", "x", path)


@pytest.mark.parametrize("route", OPEN)
async def test_open_routes_are_open_with_their_method_alone(route: str) -> None:
    method, path = route.split(" ")
    inner = Inner()
    async with client(Routes(inner)) as http:
        assert (await http.request(method, concrete(path))).status_code == 200
        assert (await http.request("DELETE", concrete(path))).status_code == 404
    assert len(inner.seen) == 1


@pytest.mark.parametrize("route", ENDPOINT)
async def test_a_wrong_method_at_the_endpoint_is_told_with_the_right_one(route: str) -> None:
    method, path = route.split(" ")
    inner = Inner()
    async with client(Routes(inner, ENDPOINT, is_page=False)) as http:
        refused = await http.delete(concrete(path))
        assert (refused.status_code, refused.headers["allow"]) == (405, method)
        said = f"{concrete(path)} does not answer to DELETE\nIt takes {method}."
        assert refused.json()["error"]["message"] == said
        assert (await http.delete("/v1/nowhere")).status_code == 404
    assert not inner.seen


@pytest.mark.parametrize("path", [*CLOSED, "/nowhere", "/gradio_api/upload/x", "//config", "/config/../x"])
async def test_everything_else_is_closed(path: str) -> None:
    inner = Inner()
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        [start, body] = await exchange(Routes(inner), scope_of(concrete(path), method))
        assert start["status"] == 404
        assert body["body"].startswith(b"There is nothing here under /")
    assert not inner.seen


async def test_no_route_is_a_websocket() -> None:
    scope: dict[str, Any] = {**scope_of(), "type": "websocket"}
    del scope["method"]
    [closed] = await exchange(Routes(Inner()), scope)
    assert closed["type"] == "websocket.close"
