"""The engine that runs anywhere transformers does: CPU, Apple GPUs, NVIDIA GPUs; no batching, no planned
memory.

One thread owns the model. Each answer asks it for one token at a time, and the thread's queue hands the
tokens round: answers run side by side without sharing anything but the weights, and one that nobody reads any
more simply stops asking.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoTokenizer, DynamicCache, GenerationConfig, PreTrainedTokenizerBase

from launcher.chat_templates import template_of
from launcher.checkpoints import facts_from_config
from launcher.engines.base import EngineFacts, EngineSpec, Progress
from launcher.engines.endings import answer_room, check_said, out_of_tokens
from launcher.engines.sampling import Sampler
from launcher.engines.text_stream import TextStream
from launcher.engines.transformers_models import LOADERS, LoadedModel, LoadRequest, read_config
from launcher.errors import EngineError, OutOfMemory, RequestError
from launcher.images import load_picture
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Usage
from launcher.models import register
from launcher.models.prompts import TEMPLATES, ChatTemplate, build_prompt, split_at_pictures

# Answers under way at once; more wait their turn. Each holds a KV cache, and a token of each is computed in
# turn.
_MAX_ANSWERS = 8

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Prompt:
    """What the model reads. ``pixels`` are all pictures' tiles in reading order, None without pictures;
    ``answer_room`` is how many tokens the answer may have."""

    ids: list[int]
    picture_tokens: int
    pixels: Tensor | None
    answer_room: int


class _Generation:
    """One answer's state on the model: its KV cache and random source. Used from the model's thread alone."""

    def __init__(self, model: Any, prompt: _Prompt, options: GenerationOptions) -> None:
        self._model = model
        self._unread = torch.tensor([prompt.ids], device=model.device)
        self._answer_ids = self._unread[:, :0]
        self._pixels = prompt.pixels
        self._cache = DynamicCache()
        self._sampler = Sampler(options, model.device)

    @torch.inference_mode()
    def next_token(self) -> int:
        """Reads what the model has not read yet, and draws the next token."""
        pictures = (
            {}
            if self._pixels is None
            else {"pixel_values": self._pixels.to(self._model.device, self._model.dtype)}
        )
        self._pixels = None
        logits = self._model(
            input_ids=self._unread, past_key_values=self._cache, use_cache=True, logits_to_keep=1, **pictures
        ).logits
        token_id = self._sampler.choose(self._answer_ids, logits[:, -1])
        self._unread = torch.tensor([[token_id]], device=self._answer_ids.device)
        self._answer_ids = torch.cat([self._answer_ids, self._unread], dim=1)
        return token_id


class TransformersEngine:
    """Answers with InternVL2, InternLM2 and XComposer2 checkpoints of any size; see
    ``launcher.engines.base``."""

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._turns = asyncio.Semaphore(_MAX_ANSWERS)
        self._ready: _Ready | None = None

    async def prepare(self) -> None:
        """Importing this module has imported all; what is left is to tell transformers of our models."""
        await asyncio.get_running_loop().run_in_executor(self._thread, register)

    async def load(self, progress: Progress) -> EngineFacts:
        """Reads tokenizer and weights, and draws one token to warm up.

        Raises:
            CheckpointError: the folder is not what this engine can run.
            OutOfMemory: the device cannot hold the model.
        """
        begun_s = time.monotonic()
        loop = asyncio.get_running_loop()

        def report(stage: str, fraction: float) -> None:
            loop.call_soon_threadsafe(progress, stage, fraction)

        try:
            self._ready = ready = await loop.run_in_executor(self._thread, _load, self._spec, report)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise self._out_of_memory() from error
        max_tiles = ready.loaded.pictures.max_tiles if ready.loaded.pictures else None
        return EngineFacts(
            "transformers", self._spec.device, ready.session_tokens, max_tiles, time.monotonic() - begun_s
        )

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answers one request; see ``Engine.stream``."""
        begun_s = time.monotonic()
        async with self._turns:
            ready = self._loaded()
            prompt = await asyncio.to_thread(ready.read, request)
            generation = _Generation(ready.loaded.model, prompt, request.options)
            text = TextStream(ready.tokenizer, ready.stops)
            new_tokens, first_token_s, said = 0, 0.0, False
            finish = out_of_tokens(prompt.answer_room, request.options.max_new_tokens)
            for _ in range(prompt.answer_room):
                token_id = await self._on_model(generation.next_token)
                first_token_s = first_token_s or time.monotonic() - begun_s
                if token_id in ready.stop_ids:
                    finish = "stop"
                    break
                new_tokens += 1
                if shown := text.add(token_id):
                    said = said or bool(shown.strip())
                    yield Chunk(shown)
                if text.stopped:
                    finish = "stop"
                    break
            rest = text.finish()
            check_said(finish, said=said or bool(rest.strip()))
            usage = Usage(
                len(prompt.ids), prompt.picture_tokens, new_tokens, first_token_s, time.monotonic() - begun_s
            )
            yield Chunk(rest, finish, usage)

    async def sleep(self) -> None:
        """Raises NotImplementedError: its facts say that it does not sleep, as none of its models has to
        leave for another."""
        raise NotImplementedError

    async def close(self) -> None:
        """Waits for the token under way and gives the memory back."""
        self._ready = None
        await asyncio.to_thread(self._thread.shutdown, wait=True)
        if self._spec.device.startswith("cuda"):
            torch.cuda.empty_cache()

    async def _on_model(self, step: Callable[[], Result]) -> Result:
        self._loaded()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, step)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise self._out_of_memory() from error

    def _loaded(self) -> _Ready:
        if self._ready is None:
            raise EngineError("The model is not loaded.", hint="Ask again: the next question loads it.")
        return self._ready

    def _out_of_memory(self) -> OutOfMemory:
        return OutOfMemory(
            "{device} has no memory left for {model}.",
            hint="Close other programs that use it, choose a smaller model, or shorten the conversation.",
            device=self._spec.device,
            model=self._spec.preset.name,
        )


@dataclass(frozen=True, slots=True)
class _Ready:
    """A loaded model with everything that turns a request into its prompt."""

    loaded: LoadedModel
    template: ChatTemplate
    tokenizer: PreTrainedTokenizerBase
    session_tokens: int
    stop_ids: frozenset[int]
    stops: tuple[str, ...]

    def read(self, request: ChatRequest) -> _Prompt:
        """The request as the model reads it; opens the pictures.

        Raises:
            RequestError: nothing is asked, a text model is shown a picture, or there is no room left for an
                answer.
            PictureError: a picture cannot be read.
        """
        _check_asked(request)
        pieces = split_at_pictures(build_prompt(request.messages, self.template), self.template)
        texts = [self._encode(piece) for piece in pieces]
        text_tokens = 1 + sum(map(len, texts))
        pictures, counts = [], list[int]()
        for picture, count in self._open(request):
            counts.append(count)
            if sum(counts) < self.session_tokens:  # those beyond are only counted, for the message
                pictures.append(picture)
        room = answer_room(
            text_tokens + sum(counts), sum(counts), self.session_tokens, request.options.max_new_tokens
        )
        ids = [self.tokenizer.bos_token_id, *texts[0]]
        for count, piece in zip(counts, texts[1:], strict=True):
            ids += [self._picture_id()] * count + piece
        reader = self.loaded.pictures
        pixels = (
            torch.cat([reader.to_pixels(picture) for picture in pictures]) if reader and pictures else None
        )
        return _Prompt(ids, sum(counts), pixels, room)

    def _encode(self, text: str) -> list[int]:
        # The backend's own method: transformers' sets truncation and padding on it, which two threads may not
        # do at once. A batch of one: only that lets go of the interpreter, which the event loop needs.
        (encoding,) = self.tokenizer.backend_tokenizer.encode_batch([text], add_special_tokens=False)
        return list(encoding.ids)

    def _open(self, request: ChatRequest) -> Iterator[tuple[Image.Image, int]]:
        for message in request.messages:
            for path in message.pictures:
                picture = load_picture(path)
                yield picture, self.loaded.pictures.count_tokens(picture) if self.loaded.pictures else 0

    def _picture_id(self) -> int:
        assert self.loaded.pictures is not None
        return self.loaded.pictures.token_id


def _check_asked(request: ChatRequest) -> None:
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "user" or not (last.text.strip() or last.pictures):
        raise RequestError("Nothing is asked.", hint="Type a question or an instruction.")


def _load(spec: EngineSpec, report: Progress) -> _Ready:
    """Everything that ``load`` does on the model's thread."""
    report("tokenizer", 0.0)
    config = read_config(spec.folder)
    tokenizer = AutoTokenizer.from_pretrained(spec.folder, trust_remote_code=False)
    report("weights", 0.1)
    memory = spec.preset.memory
    max_tiles = None if memory.max_tiles == "auto" else memory.max_tiles
    dtype = _dtype(spec.device, config.dtype)
    template = TEMPLATES[template_of(facts_from_config(spec.folder))]
    loaded = LOADERS[config.architectures[0]](
        LoadRequest(spec.folder, tokenizer, template, dtype, spec.device, max_tiles)
    )
    report("warm-up", 0.9)
    _Generation(loaded.model, _Prompt([tokenizer.bos_token_id], 0, None, 1), GenerationOptions()).next_token()
    report("ready", 1.0)
    return _Ready(
        loaded,
        template,
        tokenizer,
        loaded.max_tokens
        if memory.session_tokens == "auto"
        else min(memory.session_tokens, loaded.max_tokens),
        _stop_ids(spec.folder, tokenizer, template.turn_end),
        spec.preset.chat.stop,
    )


def _dtype(device: str, published: torch.dtype | None) -> torch.dtype:
    """16 bits on GPUs, bfloat16 where it is the checkpoint's own and computed in hardware; CPUs are fast in
    float32 alone."""
    if device.startswith("cuda"):
        own_bfloat16 = published is not torch.float16 and torch.cuda.is_bf16_supported(
            including_emulation=False
        )
        return torch.bfloat16 if own_bfloat16 else torch.float16
    return torch.float16 if device == "mps" else torch.float32


def _stop_ids(folder: Path, tokenizer: PreTrainedTokenizerBase, turn_end: str) -> frozenset[int]:
    """The tokens that end an answer: the turn's end, EOS, and those that generation_config.json names."""
    named: int | list[int] | None = None
    if (folder / "generation_config.json").is_file():
        named = GenerationConfig.from_pretrained(folder).eos_token_id
    named_ids = [named] if isinstance(named, int) else named or []
    return frozenset([tokenizer.convert_tokens_to_ids(turn_end), tokenizer.eos_token_id, *named_ids])
