"""One request to LMDeploy: prepared, run on the pipeline's event loop, handed over piece by piece, cancelled,
accounted for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lmdeploy.serve.core.exceptions import ErrorCode
from lmdeploy.serve.core.exceptions import RequestError as LmdeployRequestError

from launcher import families
from launcher.checkpoints import CONFIG, facts_from_config, own_preprocessing
from launcher.engine_costs import COSTS
from launcher.engines.endings import answer_room, check_said, out_of_tokens, too_long
from launcher.engines.lmdeploy_failures import StatusError, silent_end, translate
from launcher.engines.lmdeploy_pictures import OpenedPicture, OpenedPictures, cut_pictures, tiled_pictures
from launcher.engines.lmdeploy_scaled_pictures import scaled_pictures
from launcher.engines.lmdeploy_settings import generation_config, messages_for
from launcher.engines.own_tokens import first_ids, stop_ids
from launcher.engines.text_stream import TextStream
from launcher.errors import RequestError
from launcher.families import Family, build_prompt, split_at_pictures
from launcher.hand_over import HandOver, to_this_loop
from launcher.memory import MemoryPlan
from launcher.messages import ChatRequest, Chunk, FinishReason, Usage

if TYPE_CHECKING:
    from lmdeploy import Pipeline
    from lmdeploy.serve.core.async_engine import GenOut
    from lmdeploy.tokenizer import DetokenizeState

STOP_LIMIT_S = 5.0
"""For LMDeploy to take a cancelled request off the GPU: it ends with the token under way."""

FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "abort": "cancelled"}
"""LMDeploy's finish reasons; "error" comes as an exception."""


_LONG_TOKEN_CHARACTERS = 8
"""A text with more to a token throughout is rare: one with more than that to each of the session's is counted
first."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """First thing that a request hands over: what its prompt takes, and how much of that its pictures."""

    prompt_tokens: int
    picture_tokens: int


@dataclass(frozen=True, slots=True)
class _End:
    """Last thing that a request hands over, once LMDeploy is done with it."""

    error: Exception | None = None


Piece: TypeAlias = "_Prepared | GenOut | _End"


def _without_text(
    all_input_ids: Sequence[int], state: DetokenizeState, **_: Any
) -> tuple[str, DetokenizeState]:
    """In place of LMDeploy's incremental detokenising: counts the tokens and makes nothing of them."""
    state.ids_offset = len(all_input_ids)
    return "", state


class RequestMaker:
    """What all requests of one pipeline share."""

    def __init__(
        self,
        pipe: Pipeline,
        plan: MemoryPlan,
        folder: Path,
        stops: Sequence[str],
    ) -> None:
        self.pipe = pipe
        self.plan = plan
        self.stops = stops
        self.tokenizer = pipe.async_engine.tokenizer.model.model  # transformers' own
        config = facts_from_config(folder).config
        family = families.of(config, folder / CONFIG)
        self.form = family.prompt_form(config, self.tokenizer)
        self.stop_token_ids = sorted(stop_ids(folder, self.tokenizer, self.form.turn_end))
        self._first_ids = first_ids(self.tokenizer)
        # LMDeploy turns a bad status into an error without it, and makes text of every token, as we do; the
        # instances' own attributes come before their classes'.
        pipe.async_engine._request_error_from_status = StatusError
        pipe.async_engine.tokenizer.detokenize_incrementally = _without_text
        crowd = COSTS[plan.engine].crowd
        self._first_looks = asyncio.Semaphore(crowd) if crowd else nullcontext()
        self._decoder = families.code(family.decoder)
        pictures = family.sizes(config).pictures
        self._budget = pictures.limited(plan.picture.limit) if pictures and plan.picture else None
        self.cuts_prompts = True
        encoder = pipe.async_engine.prompt_processor.vl_encoder
        self._pictures = self._take_over(encoder, family, folder) if encoder and self._budget else None

    def __call__(self, request: ChatRequest) -> Request:
        """A request of this pipeline, asked for by the loop that will read it; it begins when its pieces are
        asked for."""
        return Request(self, request, to_this_loop())

    def _take_over(self, encoder: Any, family: Family, folder: Path) -> OpenedPictures:
        """Has LMDeploy take pictures that are pixels already."""
        assert self._budget is not None
        if not family.pixels:
            return tiled_pictures(encoder.model, self._budget)
        self.cuts_prompts = not encoder._uses_new_preprocess
        own = own_preprocessing(folder)
        family.check_preprocessing(own.values, own.file, self._budget)
        way = families.code(family.pixels)
        if self._budget.unit == "tiles":
            return cut_pictures(encoder.model, way, self._budget)
        return scaled_pictures(encoder.model, way, self._budget, self.encode)

    def encode(self, text: str) -> list[int]:
        """Token ids of a piece of a prompt, as both engines count them."""
        (encoding,) = self.tokenizer.backend_tokenizer.encode_batch([text], add_special_tokens=False)
        return list(encoding.ids)

    def open_picture(self, path: Path, *, one_tile: bool) -> OpenedPicture:
        """A picture as this pipeline takes it; text models' prompts have none. Raises PictureError."""
        assert self._pictures is not None
        return self._pictures.open(path, one_tile=one_tile)

    def count_prompt(self, request: ChatRequest, picture_tokens: int) -> int:
        """Tokens of the whole prompt, as LMDeploy counts them. Lets go of the interpreter while it counts."""
        prompt = build_prompt(request.messages, self.form)
        pieces = split_at_pictures(prompt, self.form)
        encodings = self.tokenizer.backend_tokenizer.encode_batch(pieces, add_special_tokens=False)
        return len(self._first_ids) + picture_tokens + sum(len(encoding.ids) for encoding in encodings)

    def refuse_too_long(self, request: ChatRequest, picture_tokens: int) -> None:
        """Raises RequestError where a very long text does not fit the session. LMDeploy finds out by itself,
        and holds the interpreter of the whole process for as long as it reads."""
        characters = sum(len(message.text) for message in request.messages)
        if characters > _LONG_TOKEN_CHARACTERS * self.plan.session_tokens:
            prompt_tokens = self.count_prompt(request, picture_tokens)
            if prompt_tokens > self.plan.session_tokens:
                raise too_long(prompt_tokens, picture_tokens, self.plan.session_tokens)

    def picture_tokens(self, messages: list[dict[str, Any]]) -> int:
        """Tokens that the pictures of LMDeploy's messages take."""
        content = messages[0]["content"]
        if isinstance(content, str):
            return 0
        return sum(item["image_data"]["data"].tokens for item in content if item["type"] == "image_data")

    def reading(self, picture_tokens: int) -> AbstractAsyncContextManager[None]:
        """To be held while a prompt with so many tokens of pictures is read; waits for others that are."""
        return self._first_looks if picture_tokens else nullcontext()

    def text_stream(self, stop: tuple[str, ...]) -> TextStream:
        """The text of one answer, which the preset's texts end, or these."""
        return TextStream(self._decoder(self.tokenizer), (*self.stops, *stop))


class Request:
    """A request under way. Begins with the first piece that is asked for; ``stop`` ends it wherever it is."""

    def __init__(self, maker: RequestMaker, request: ChatRequest, hand_over: HandOver) -> None:
        self._maker = maker
        self._request = request
        self._way = hand_over
        self._pieces: asyncio.Queue[Piece] = asyncio.Queue()
        self._run_future: Future[None] | None = None
        self._prepared = _Prepared(0, 0)
        self._over = False

    async def pieces(self) -> AsyncGenerator[GenOut, None]:
        """LMDeploy's outputs as they come. Raises what ``translate`` makes of LMDeploy's errors."""
        self._run_future = asyncio.run_coroutine_threadsafe(
            self._run(), self._maker.pipe.internal_thread.loop
        )
        while not isinstance(piece := await self._pieces.get(), _End):
            if isinstance(piece, _Prepared):
                self._prepared = piece
            else:
                yield piece
        self._over = True
        if piece.error is not None:
            generating = self._prepared.prompt_tokens > 0
            raise translate(piece.error, generating=generating) from piece.error

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """The answer: text as it comes, then one chunk with the finish and the usage.

        The text is made from the token ids by the same code as the transformers engine's, stop texts
        included.
        """
        started, first_token_s, said, read_tokens = time.perf_counter(), 0.0, False, 0
        stream = self._maker.text_stream(self._request.stop)
        last: GenOut | None = None
        async for last in self.pieces():
            text = ""
            for token in last.token_ids or ():
                text += stream.add(token)
                read_tokens += 1
                if stream.stopped:
                    break
            first_token_s = first_token_s or time.perf_counter() - started
            if text:
                said = said or bool(text.strip())
                yield Chunk(text)
            if stream.stopped:
                break
        rest = stream.finish()
        finish = self._finish(last, stopped=stream.stopped)
        check_said(finish, said=said or stream.stopped or bool(rest.strip()))
        usage = Usage(
            prompt_tokens=self._prepared.prompt_tokens,
            picture_tokens=self._prepared.picture_tokens,
            new_tokens=read_tokens,
            first_token_s=first_token_s,
            total_s=time.perf_counter() - started,
        )
        yield Chunk(rest, finish=finish, usage=usage)

    def _finish(self, last: GenOut | None, *, stopped: bool) -> FinishReason:
        """How the answer ended. Raises EngineError for an end without a reason, or at a limit before any
        token."""
        if stopped:
            return "stop"
        if last is None or last.finish_reason is None:
            raise silent_end()
        finish = FINISH[str(last.finish_reason)]
        if finish != "length":
            return finish
        if last.generate_token_len == 0:
            raise silent_end()
        return out_of_tokens(last.generate_token_len, self._request.options.max_new_tokens)

    async def stop(self) -> None:
        """Takes the request off the GPU if it is still there, and waits for that, within a bound."""
        # Its last piece, not its future, says that a request is over: the future is done a moment later.
        if self._run_future is not None and not self._over:
            self._run_future.cancel()
            done = asyncio.ensure_future(self._ended())
            await asyncio.wait([done], timeout=STOP_LIMIT_S)
            done.cancel()

    async def _ended(self) -> None:
        while not isinstance(await self._pieces.get(), _End):
            pass

    def _hand_over(self, piece: Piece) -> None:
        self._way.call(partial(self._pieces.put_nowait, piece))

    def _open_picture(self, path: Path) -> OpenedPicture:
        return self._maker.open_picture(path, one_tile=path in self._request.one_tile)

    async def _run(self) -> None:
        """Runs on the pipeline's event loop."""
        error: Exception | None = None
        try:
            await self._generate()
        except Exception as caught:  # noqa: BLE001 - handed over and raised on the worker's loop
            error = caught
        finally:
            self._hand_over(_End(error))

    async def _generate(self) -> None:
        maker, engine, options = self._maker, self._maker.pipe.async_engine, self._request.options
        messages = await asyncio.to_thread(
            messages_for, self._request.messages, maker.form, self._open_picture, cut=maker.cuts_prompts
        )
        picture_tokens = maker.picture_tokens(messages)
        await asyncio.to_thread(maker.refuse_too_long, self._request, picture_tokens)
        session = maker.pipe.session()
        try:
            prepared = await engine.preprocess(
                messages,
                session_id=session,
                gen_config=generation_config(options, maker.stop_token_ids),
                do_preprocess=False,
            )
        except LmdeployRequestError as error:
            if error.code is not ErrorCode.CONTEXT_LENGTH_EXCEEDED:
                raise
            prompt_tokens = await asyncio.to_thread(maker.count_prompt, self._request, picture_tokens)
            raise too_long(prompt_tokens, picture_tokens, maker.plan.session_tokens) from error
        async with AsyncExitStack() as reading:
            try:
                prepared.gen_config.max_new_tokens = answer_room(
                    prepared.input_token_len,
                    picture_tokens,
                    maker.plan.session_tokens,
                    options.max_new_tokens,
                )
                await reading.enter_async_context(maker.reading(picture_tokens))
            except (RequestError, asyncio.CancelledError):
                await session.async_close()
                raise
            self._hand_over(_Prepared(prepared.input_token_len, picture_tokens))
            outs = engine.generate(prepared)
            if (first := await anext(outs, None)) is not None:
                self._hand_over(first)
        async for out in outs:
            self._hand_over(out)
