"""LMDeploy's own front half (sessions, prompts, pictures, detokenising, errors) over a back half that plays a
script.

What stands in for the GPU is below the seam at which LMDeploy itself swaps TurboMind and the PyTorch engine:
a handle's ``async_stream_infer``. Everything above it is the installed package.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from lmdeploy import TurbomindEngineConfig
from lmdeploy.archs import get_model_arch
from lmdeploy.messages import EngineOutput, GenerationConfig, ResponseType
from lmdeploy.pipeline import _EventLoopThread
from lmdeploy.serve.core import AsyncEngine
from lmdeploy.serve.processors import MultimodalProcessor
from lmdeploy.vl.engine import ImageEncoder
from lmdeploy.vl.model.base import MultimodalSpecialTokens
from lmdeploy.vl.model.internvl import InternVLVisionModel
from lmdeploy.vl.model.internvl3_hf import InternVL3VisionModel
from lmdeploy.vl.model.qwen2 import Qwen2VLModel
from lmdeploy.vl.model.qwen3 import Qwen3VLModel
from lmdeploy.vl.model.qwen3_5 import Qwen3_5Model
from transformers import AutoTokenizer

from launcher import families, models
from launcher.checkpoints import facts_from_config
from launcher.engines.lmdeploy_request import RequestMaker
from launcher.engines.lmdeploy_settings import chat_template_config, turbomind_config
from launcher.images import load_picture
from launcher.memory import GIB, Card, MemoryPlan, plan_memory
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message
from launcher.models.tiles import to_pixels
from launcher.presets import MemorySettings


@dataclass
class Script:
    """What the back half answers: token ids, ``at_once`` in a piece, then an end. It remembers what it was
    asked, and says nothing until ``read`` is set."""

    tokens: Sequence[int] = ()
    at_once: int = 1
    end: ResponseType = ResponseType.FINISH
    wait_before_end: bool = False
    error: Exception | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    cancelled: int = 0
    read: threading.Event | None = None


class ScriptedHandle:
    """One place in the batch, as ``TurboMindInstance`` is one."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._cancelled = asyncio.Event()

    async def async_stream_infer(
        self, session_id: int, input_ids: list[int], gen_config: GenerationConfig, **rest: Any
    ) -> AsyncIterator[EngineOutput]:
        script = self._script
        self._cancelled.clear()
        script.asked.append({"input_ids": input_ids, "gen_config": gen_config, **rest})
        if script.read is not None:
            await asyncio.to_thread(script.read.wait)
        tokens = list(script.tokens[: gen_config.max_new_tokens])
        pieces = [tokens[at : at + script.at_once] for at in range(0, len(tokens), script.at_once)]
        ends_well = script.end is ResponseType.FINISH and not script.wait_before_end
        last = pieces.pop() if pieces and ends_well else []
        for piece in pieces:
            await asyncio.sleep(0)
            yield EngineOutput(ResponseType.SUCCESS, piece)
        if script.wait_before_end:
            await self._cancelled.wait()
            yield EngineOutput(ResponseType.CANCEL, [])
            return
        if script.error is not None:
            raise script.error
        yield EngineOutput(script.end, last)  # both engines send the last token together with the end

    async def async_cancel(self, session_id: int) -> None:
        self._script.cancelled += 1
        self._cancelled.set()


class ScriptedEngine:
    """The back half."""

    def __init__(self, config: TurbomindEngineConfig, script: Script) -> None:
        self.engine_config = config
        self._script = script

    def create_instance(self) -> ScriptedHandle:
        return ScriptedHandle(self._script)

    def close(self) -> None:
        pass


class StandEngine(AsyncEngine):  # type: ignore[misc]
    """LMDeploy's AsyncEngine; only what would build TurboMind builds the script instead."""

    def __init__(self, script: Script, **rest: Any) -> None:
        self._script = script
        super().__init__(**rest)

    def _build_turbomind(
        self, model_path: str, backend_config: TurbomindEngineConfig, **rest: Any
    ) -> ScriptedEngine:
        return ScriptedEngine(backend_config, self._script)


class VisionModel(InternVLVisionModel):  # type: ignore[misc]
    """LMDeploy's own, but for torchvision's transform, which a CPU set does not have: ``tests/models`` holds
    ours equal to it."""

    def build_preprocessor(self, trust_remote_code: bool = False) -> None:
        self.config, self.vision_config = self.hf_config, self.hf_config.vision_config
        self.transform = lambda image: to_pixels([image.convert("RGB")])[0]
        self.processor = self._preprocess_v1_5
        side = self.vision_config.image_size // self.vision_config.patch_size
        self.image_tokens_per_patch = int(side**2 * self.config.downsample_ratio**2)


def _without_processor(model: Any, image_token: str = "<|image_pad|>") -> None:
    """transformers' needs torchvision; the launcher puts another in its place."""
    model.processor, model.image_token = None, image_token
    tokenizer = AutoTokenizer.from_pretrained(model.model_path)
    model.image_token_id = tokenizer.convert_tokens_to_ids(model.image_token)


class HfVisionModel(InternVL3VisionModel):  # type: ignore[misc]
    """LMDeploy's own of InternVL in transformers' layout, but for the processor."""

    def build_preprocessor(self, trust_remote_code: bool = False) -> None:
        _without_processor(self, "<IMG_CONTEXT>")


class Qwen2Model(Qwen2VLModel):  # type: ignore[misc]
    """LMDeploy's own of Qwen2-VL and Qwen2.5-VL, but for the processor."""

    def build_preprocessor(self, trust_remote_code: bool = False) -> None:
        _without_processor(self)


def _of_the_newer_way(model: Any) -> None:
    _without_processor(model)
    model.mm_tokens = MultimodalSpecialTokens(
        image_token=model.image_token, image_token_id=model.image_token_id
    )


class Qwen3Model(Qwen3VLModel):  # type: ignore[misc]
    """LMDeploy's own of Qwen3-VL, but for the processor."""

    def build_preprocessor(self, trust_remote_code: bool = False) -> None:
        _of_the_newer_way(self)


class Qwen35Model(Qwen3_5Model):  # type: ignore[misc]
    """LMDeploy's own of Qwen3.5, but for the processor."""

    def build_preprocessor(self, trust_remote_code: bool = False) -> None:
        _of_the_newer_way(self)


_VISION_MODELS = {
    "InternVLChatModel": (VisionModel, "turbomind"),
    "InternVLForConditionalGeneration": (HfVisionModel, "turbomind"),
    "Qwen2VLForConditionalGeneration": (Qwen2Model, "turbomind"),
    "Qwen2_5_VLForConditionalGeneration": (Qwen2Model, "turbomind"),
    "Qwen3VLForConditionalGeneration": (Qwen3Model, "pytorch"),
    "Qwen3_5ForConditionalGeneration": (Qwen35Model, "pytorch"),
}
"""By architecture: the vision model, and the engine that it is prepared for."""


class Encoder(ImageEncoder):  # type: ignore[misc]
    """LMDeploy's own, without its look at the GPU."""

    def __init__(self, model: Any) -> None:
        self.model = model
        model.set_mm_feature_dtype(torch.bfloat16)
        self.executor = ThreadPoolExecutor(max_workers=1)
        self._uses_new_preprocess = self._is_new_preprocess_api(model)


class Stand:
    """The parts of an LMDeploy Pipeline that a request touches, and the RequestMaker over it."""

    def __init__(self, folder: Path, script: Script, stops: Sequence[str] = (), **memory: Any) -> None:
        models.register()
        architecture, config = get_model_arch(str(folder))
        published = facts_from_config(folder).config
        family = families.of(published)
        self.plan: MemoryPlan = plan_memory(
            MemorySettings(**memory), family.sizes(published), "turbomind", Card(8 * GIB, 8 * GIB)
        )
        form = family.prompt_form(published, AutoTokenizer.from_pretrained(folder))
        self.script = script
        self.async_engine = StandEngine(
            script,
            model_path=str(folder),
            backend="turbomind",
            backend_config=turbomind_config(self.plan, 0.1),
            chat_template_config=chat_template_config(form.turn_end),
        )
        if architecture in _VISION_MODELS:
            made, backend = _VISION_MODELS[architecture]
            model = made(str(folder), hf_config=config, backend=backend)
            self.async_engine.prompt_processor = self._picture_processor(model, backend)
        self.internal_thread = _EventLoopThread(daemon=True)
        self.async_engine.start_loop(self.internal_thread.loop, use_async_api=False)
        self.requests = RequestMaker(self, self.plan, folder, stops)  # type: ignore[arg-type]

    def _picture_processor(self, model: Any, backend: str) -> MultimodalProcessor:
        model.build_preprocessor()
        engine = self.async_engine
        return MultimodalProcessor(
            engine.tokenizer, engine.chat_template, vl_encoder=Encoder(model), backend=backend
        )

    def session(self) -> Any:
        return self.async_engine.session_mgr.get()

    def say(self, word: str) -> None:
        """From now on every answer is this, and ends there."""
        ids = self.tokenizer.encode(word, add_special_tokens=False)
        self.script.tokens = [*ids, self.tokenizer.convert_tokens_to_ids("<|im_end|>")]

    @property
    def tokenizer(self) -> Any:
        return self.async_engine.tokenizer.model.model

    @property
    def under_way(self) -> int:
        return int(self.async_engine.session_mgr.request_handle_pool.num_dispatched)

    def close(self) -> None:
        self.internal_thread.close()
        self.async_engine.close()


async def answer(stand: Stand, *talk: Message) -> list[Chunk]:
    """What a person gets to the last question of a talk."""
    return [chunk async for chunk in stand.requests(ChatRequest(talk, GenerationOptions())).chunks()]


async def assert_opened_once(stand: Stand, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two questions about a picture the second is given the pixels of the first."""
    opened = list[Path]()
    monkeypatch.setattr(
        "launcher.engines.lmdeploy_pictures.load_picture",
        lambda path: opened.append(path) or load_picture(path),
    )
    for text in ("What is it?", "And now?"):
        await answer(stand, Message("user", text, (picture,)))
    assert opened == [picture]
    first, second = (asked["multimodal"][0]["pixel_values"] for asked in stand.script.asked)
    assert first.equal(second)
