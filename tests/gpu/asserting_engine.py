"""LMDeploy's engines, whose GPU a question can make unusable: a kernel fails its assertion."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from launcher.engines.base import EngineSpec
from launcher.engines.declaration import Declaration
from launcher.engines.declared.turbomind import ENGINE as TURBOMIND
from launcher.engines.lmdeploy import LmdeployEngine
from launcher.messages import ChatRequest, Chunk

ASSERTING: Declaration = replace(
    TURBOMIND, name="asserting", runs="tests.gpu.asserting_engine:AssertingEngine"
)
ASSERT = "/assert"
"""The question."""


class AssertingEngine(LmdeployEngine):
    """The engine that the plan was made for; after ``ASSERT`` nothing of this process can use its GPU any
    more, as CUDA has it."""

    def __init__(self, spec: EngineSpec) -> None:
        assert spec.plan is not None
        super().__init__(replace(spec, engine=spec.plan.engine))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        if request.messages[-1].text == ASSERT:
            import torch

            torch._assert_async(torch.zeros(1, device="cuda"))  # returns at once; the kernel fails
        async for chunk in super().stream(request):
            yield chunk
