"""XComposer2 for LMDeploy's PyTorch engine: what LMDeploy 0.18 lacks, plugged in from outside by one call of
``register``.

LMDeploy's own InternLM2 does the work (paged KV cache, continuous batching, CUDA graphs in decoding). Added
to it: the picture tower and projector, and PLoRA, which stands where LMDeploy keeps the LoRA adapters of a
linear layer. Prefill tells the adapters which stretches of the flattened batch are pictures; decoding has
none, so its CUDA graphs hold no trace of PLoRA.

One GPU only. Every name of LMDeploy that is touched is listed and checked in
tests/models/test_xcomposer2_lmdeploy_contract.py.
"""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import Any

from lmdeploy import archs
from lmdeploy.pytorch.configurations.builder import AutoModelConfigBuilder
from lmdeploy.pytorch.configurations.default import DefaultModelConfigBuilder
from lmdeploy.pytorch.models.module_map import MODULE_MAP
from lmdeploy.vl.model.base import VISION_MODELS

from launcher.models.weights import CheckpointTensors
from launcher.models.xcomposer2 import ARCHITECTURE, XComposer2Config, read_sizes
from launcher.models.xcomposer2_lmdeploy.language import InternLMXComposer2ForCausalLM
from launcher.models.xcomposer2_lmdeploy.pictures import XComposer2VisionModel


class XComposer2ModelConfigBuilder(AutoModelConfigBuilder):
    """LMDeploy's view of the configuration. LMDeploy registers it as it is defined; it answers to this
    architecture alone."""

    @classmethod
    def condition(cls, hf_config: Any) -> bool:
        """Whether the configuration is XComposer2's."""
        return isinstance(hf_config, XComposer2Config)

    @classmethod
    def build(cls, hf_config: XComposer2Config, model_path: str | None = None, **kwargs: Any) -> Any:
        """The usual configuration, of sizes that the tensors tell."""
        if model_path is not None:
            read_sizes(hf_config, CheckpointTensors(Path(model_path)))
        return DefaultModelConfigBuilder.build(hf_config, model_path, **kwargs)


def register() -> None:
    """Makes LMDeploy's PyTorch engine in this process take XComposer2; idempotent.
    ``launcher.models.register`` comes first."""
    MODULE_MAP[ARCHITECTURE] = (
        f"{InternLMXComposer2ForCausalLM.__module__}.{InternLMXComposer2ForCausalLM.__name__}"
    )
    VISION_MODELS.register_module(module=XComposer2VisionModel, force=True)
    if not hasattr(archs.check_vl_llm, "__wrapped__"):
        archs.check_vl_llm = _with_xcomposer2(archs.check_vl_llm)


def _with_xcomposer2(check_vl_llm: Any) -> Any:
    """LMDeploy lists its vision models inside this function, so it can only be widened from outside."""

    @wraps(check_vl_llm)
    def check(backend: str, config: dict[str, Any]) -> bool:
        return ARCHITECTURE in (config.get("architectures") or ()) or bool(check_vl_llm(backend, config))

    return check
