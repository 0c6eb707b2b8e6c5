"""The engine that runs anywhere transformers does: CPU, Apple GPUs, NVIDIA GPUs; no batching, no planned
memory.

One thread owns the model. Each answer asks it for one token at a time, and the thread's queue hands the
tokens round: answers run side by side without sharing anything but the weights, and one that nobody reads any
more simply stops asking. What was read of conversations and seen of pictures is kept for what is asked next
(``conversations``, ``transformers_prompt``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
)

from launcher import families
from launcher.checkpoints import CONFIG, facts_from_config, own_preprocessing
from launcher.engine_costs import KEPT_PICTURE_BYTES
from launcher.engines.base import EngineFacts, EngineSpec, Progress
from launcher.engines.conversations import Conversations
from launcher.engines.endings import check_said, out_of_tokens
from launcher.engines.kept import Kept
from launcher.engines.own_tokens import first_ids, stop_ids
from launcher.engines.text_stream import TextStream
from launcher.engines.transformers_generation import Generation
from launcher.engines.transformers_prompt import Prompt, PromptMaker, Seen
from launcher.errors import CheckpointError, EngineError, OutOfMemory
from launcher.families import ConfigPart, Decoder
from launcher.memory import wished_pictures
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Usage
from launcher.models import gpu_kernels, register
from launcher.models.loading import LoadedModel, LoadRequest
from launcher.presets import DtypeName

# Answers under way at once; more wait their turn. Each holds a KV cache, and a token of each is computed in
# turn.
_MAX_ANSWERS = 8

Result = TypeVar("Result")


class TransformersEngine:
    """Answers with checkpoints of any family and size; see ``launcher.engines.base``."""

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
            prompt = await asyncio.to_thread(ready.prompts.make, request)
            generation = ready.generation(prompt, request.options)
            chunks = self._chunks(generation, prompt, request, begun_s)
            try:
                async with aclosing(chunks):
                    async for chunk in chunks:
                        yield chunk
            finally:
                self._keep(generation)

    async def _chunks(
        self, generation: Generation, prompt: Prompt, request: ChatRequest, begun_s: float
    ) -> AsyncGenerator[Chunk, None]:
        ready = self._loaded()
        text = TextStream(ready.decoder(), (*ready.stops, *request.stop))
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
        check_said(finish, said=said or text.stopped or bool(rest.strip()))
        usage = Usage(
            len(prompt.ids), prompt.picture_tokens, new_tokens, first_token_s, time.monotonic() - begun_s
        )
        yield Chunk(rest, finish, usage)

    def _keep(self, generation: Generation) -> None:
        """On the model's thread, so behind the token that may still be under way."""
        if self._ready is not None:
            self._thread.submit(generation.keep)

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
        ready = self._loaded()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, step)
        except (torch.OutOfMemoryError, MemoryError) as error:
            ready.let_go()
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
    """A loaded model, with all that answers take and what is kept of them."""

    loaded: LoadedModel
    tokenizer: PreTrainedTokenizerBase
    prompts: PromptMaker
    session_tokens: int
    stop_ids: frozenset[int]
    stops: tuple[str, ...]
    decoder: Callable[[], Decoder]
    conversations: Conversations
    seen: Kept[Seen]

    def generation(self, prompt: Prompt, options: GenerationOptions) -> Generation:
        """An answer that begins with its first token."""
        return Generation(self.loaded, prompt, options, self.conversations, self.seen)

    def let_go(self) -> None:
        """Gives back what is only kept."""
        self.conversations.clear()
        self.seen.clear()


def _load(spec: EngineSpec, report: Progress) -> _Ready:
    """Everything that ``load`` does on the model's thread."""
    report("tokenizer", 0.0)
    file, config = spec.folder / CONFIG, facts_from_config(spec.folder).config
    family = families.of(config, file)
    memory = spec.preset.memory
    family.check_on_transformers(ConfigPart(config, str(file)))
    pictures = wished_pictures(family.sizes(config, file=file).pictures, memory)
    own = own_preprocessing(spec.folder)
    family.check_preprocessing(own.values, own.file, pictures)
    dtype = compute_type(spec.device, _published_config(spec.folder).dtype, spec.preset.dtype)
    tokenizer = AutoTokenizer.from_pretrained(spec.folder, trust_remote_code=False)
    report("weights", 0.1)
    form = family.prompt_form(config, tokenizer)
    with gpu_kernels.shut_out() if spec.device == "cpu" else nullcontext():
        loaded: LoadedModel = families.code(family.loader)(
            LoadRequest(spec.folder, tokenizer, form, dtype, spec.device, pictures)
        )
    session_tokens = (
        loaded.max_tokens
        if memory.session_tokens == "auto"
        else min(memory.session_tokens, loaded.max_tokens)
    )
    seen = Kept[Seen](KEPT_PICTURE_BYTES)
    ready = _Ready(
        loaded,
        tokenizer,
        PromptMaker(form, tokenizer, session_tokens, loaded.pictures, seen),
        session_tokens,
        stop_ids(spec.folder, tokenizer, form.turn_end),
        spec.preset.chat.stop,
        partial(families.code(family.decoder), tokenizer),
        Conversations(new_cache=loaded.new_cache),
        seen,
    )
    report("warm-up", 0.9)
    ids = first_ids(tokenizer) or sorted(ready.stop_ids)[:1]
    ready.generation(Prompt(ids, list(ids)), GenerationOptions()).next_token()
    report("ready", 1.0)
    return ready


def _published_config(folder: Path) -> PreTrainedConfig:
    """What transformers makes of config.json. Raises CheckpointError."""
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "{folder}: config.json cannot be used: {reason}",
            hint="Download the model again.",
            folder=folder,
            reason=str(error).split("\n", maxsplit=1)[0],
        ) from error
    return config


def compute_type(device: str, published: torch.dtype | None, wanted: DtypeName) -> torch.dtype:
    """16 bits on GPUs: those that the preset wants, else bfloat16 where it is the checkpoint's own and
    computed in hardware. CPUs are fast in float32 alone."""
    if device == "cpu":
        return torch.float32
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else torch.float16
    own_bfloat16 = (
        device.startswith("cuda")
        and published is not torch.float16
        and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    return torch.bfloat16 if own_bfloat16 else torch.float16
