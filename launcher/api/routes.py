"""The endpoint's routes, an app of Starlette's."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path

from openai.pagination import SyncPage
from openai.types import Model
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from launcher.api.addresses import PictureAddresses
from launcher.api.asking import Asked, streamed, unless_gone, whole
from launcher.api.completions import Completion
from launcher.api.conversation import to_request
from launcher.api.failures import in_openai_form, status_of
from launcher.api.metrics import Metrics
from launcher.api.pictures import request_pictures
from launcher.api.requests import read_body
from launcher.errors import EngineError, LauncherError, UnknownModel
from launcher.linked_pictures.leave import Leave
from launcher.presets import Preset
from launcher.settings import shown
from launcher.ui.texts import language_of
from launcher.workers.manager import Manager

_LOG = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


def endpoint_app(
    presets: Mapping[str, Preset],
    manager: Manager,
    metrics: Metrics,
    folder: Path,
    leave: Leave | None = None,
) -> Starlette:
    """The endpoint.

    Args:
        presets: those that can run here, by name.
        manager: runs them.
        metrics: is told of each question.
        folder: where pictures lie while they are asked about.
        leave: which pictures may be given by their address; None: none.
    """
    endpoint = _Endpoint(presets, manager, metrics, folder, leave)
    return Starlette(
        routes=[
            Route("/v1/models", _refusing(endpoint.models)),
            Route("/v1/models/{model}", _refusing(endpoint.model)),
            Route("/v1/chat/completions", _refusing(endpoint.chat), methods=["POST"]),
            Route("/health", endpoint.health),
            Route("/metrics", endpoint.figures),
        ]
    )


class _Endpoint:
    def __init__(
        self,
        presets: Mapping[str, Preset],
        manager: Manager,
        metrics: Metrics,
        folder: Path,
        leave: Leave | None,
    ) -> None:
        self._presets, self._manager, self._metrics, self._folder = presets, manager, metrics, folder
        self._addresses = PictureAddresses(leave)
        self._begun = int(time.time())

    async def models(self, _request: Request) -> Response:
        """What there is to be asked."""
        page = SyncPage[Model](data=[self._model(name) for name in list(self._presets)], object="list")
        return Response(page.model_dump_json(exclude_unset=True), media_type="application/json")

    async def model(self, request: Request) -> Response:
        """One of them."""
        name = request.path_params["model"]
        self._preset(name)
        return Response(self._model(name).model_dump_json(exclude_unset=True), media_type="application/json")

    async def chat(self, request: Request) -> Response:
        """A question."""
        asked = await asyncio.to_thread(read_body, await request.body())
        preset = self._preset(asked.model)
        self._metrics.asked(preset.name)
        counts = bool(asked.stream_options and asked.stream_options.include_usage)
        completion = Completion(preset.name, counts)
        async with AsyncExitStack() as held:
            try:
                fetching = self._addresses.fetched(asked, preset)
                fetched = await unless_gone(request, fetching)
                pictures = held.enter_context(request_pictures(self._folder, fetched))
                making = asyncio.to_thread(to_request, asked, preset, pictures)
                wanted = await unless_gone(request, making)
                answer = held.enter_context(self._manager.ask(preset.name, wanted, retry=True))
                question = Asked(request, answer, completion, self._metrics)
                return await (streamed(question, held) if asked.stream else whole(question))
            except LauncherError:
                self._metrics.failed(preset.name)
                raise

    async def health(self, _request: Request) -> Response:
        """That the launcher answers."""
        return JSONResponse({"status": "ok"})

    async def figures(self, _request: Request) -> Response:
        """For Prometheus."""
        return PlainTextResponse(self._metrics.text())

    def _model(self, name: str) -> Model:
        return Model(id=name, created=self._begun, object="model", owned_by="launcher")

    def _preset(self, name: str) -> Preset:
        if name not in self._presets:
            raise UnknownModel(
                "There is no model named {name} that can run here.",
                hint="These are offered: {names}.",
                name=shown(name),
                names=", ".join(list(self._presets)),
                field="model",
            )
        return self._presets[name]


def _refusing(handler: Handler) -> Handler:
    """The handler, whose errors are answers in OpenAI's form."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
        except LauncherError as error:
            return _refusal(error, request)
        except Exception:  # noqa: BLE001 - logged, and told: a client reads JSON alone
            _LOG.exception("A question at the endpoint failed in a way that nobody foresaw")
            unknown = EngineError(
                "Something went wrong on the server.", hint="The terminal that runs the launcher says more."
            )
            return _refusal(unknown, request)

    return answer


def _refusal(error: LauncherError, request: Request) -> Response:
    language = language_of(request.headers.get("accept-language"))
    return JSONResponse(in_openai_form(error, language), status_of(error)[0])
