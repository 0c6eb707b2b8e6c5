"""Every name of LMDeploy that the XComposer2 plug-in touches, so that a version that moved one is told by
name."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import warnings
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    pytest.importorskip("lmdeploy", reason="the plug-in needs LMDeploy (pip install launcher[lmdeploy])")

PYTORCH = "lmdeploy.pytorch."
FUNCTIONS = {
    "lmdeploy.archs:check_vl_llm": ("backend", "config"),
    "lmdeploy.archs:get_model_arch": ("model_path",),
    PYTORCH + "configurations.builder:AutoModelConfigBuilder.condition": ("hf_config",),
    PYTORCH + "configurations.builder:AutoModelConfigBuilder.build": ("hf_config", "model_path"),
    PYTORCH + "configurations.default:DefaultModelConfigBuilder.build": ("hf_config", "model_path"),
    PYTORCH + "distributed:get_tp_world_rank": (),
    PYTORCH + "engine.input_process:BaseModelInputProcessor.preprocess_input": (
        "self",
        "input_ids",
        "input_mms",
    ),
    PYTORCH + "models.internlm2:InternLM2ForCausalLM.__init__": (
        "self",
        "config",
        "ctx_mgr",
        "dtype",
        "device",
    ),
    PYTORCH + "models.internlm2:InternLM2ForCausalLM.forward": (
        *("self", "input_ids", "position_ids", "past_key_values", "attn_metadata", "inputs_embeds"),
    ),
    PYTORCH + "models.internlm2:InternLM2ForCausalLM.prepare_inputs_for_generation": (
        *("self", "past_key_values", "inputs_embeds", "context"),
    ),
    PYTORCH + "models.internlm2:InternLM2ForCausalLM.load_weights": ("self", "weights"),
    PYTORCH + "models.internlm2:InternLM2ForCausalLM.get_input_embeddings": ("self",),
    PYTORCH + "models.utils.model:DeployModelMixinV1.update_weights": ("self",),
    PYTORCH + "models.utils.model:DeployModelMixinV1.get_input_processor": ("self",),
    PYTORCH + "nn.linear.base:LinearBase._forward_lora": ("self", "x"),
    PYTORCH + "nn.linear.awq:QKVAwqLinear.weight_spliter_wz": ("self", "loaded_weight", "layout"),
    PYTORCH + "nn.linear.awq:QKVAwqLinear.weight_spliter_s": ("self", "loaded_weight", "layout"),
    PYTORCH + "weight_loader.model_weight_loader:load_weight": ("param", "loaded_weight"),
    PYTORCH + "weight_loader.model_weight_loader:process_weights_after_loading": ("model",),
    "lmdeploy.vl.model.base:VisionModel.__init__": (
        "self",
        "model_path",
        "with_llm",
        "max_memory",
        "hf_config",
        "backend",
    ),
    "lmdeploy.vl.model.base:VisionModel.build_preprocessor": ("self", "trust_remote_code"),
    "lmdeploy.vl.model.base:VisionModel.collect_multimodal_items": ("messages",),
    "lmdeploy.vl.model.base:VisionModel.get_input_prompt": (
        "messages",
        "chat_template",
        "tools",
        "chat_template_kwargs",
    ),
    "lmdeploy.vl.model.base:VisionModel.preprocess": (
        "self",
        "messages",
        "input_prompt",
        "mm_processor_kwargs",
    ),
    "lmdeploy.vl.model.base:VisionModel.set_mm_feature_dtype": ("self", "dtype"),
    "lmdeploy.vl.engine:ImageEncoder._is_new_preprocess_api": ("model",),
    "lmdeploy.vl.engine:ImageEncoder.preprocess": ("self", "messages", "input_prompt", "mm_processor_kwargs"),
    "lmdeploy.model:BaseChatTemplate.messages2prompt": ("self", "messages"),
}
"""Functions and methods with the parameters, in order, that the plug-in gives or takes."""

FIELDS = {
    PYTORCH + "model_inputs:StepContext": {"input_multimodals", "q_start_loc", "q_seqlens", "kv_seqlens"},
    PYTORCH + "multimodal.data_type:MultiModalData": {"data", "start", "end", "meta", "content_hash"},
    PYTORCH + "engine.input_process:PreprocessInputResult": {"input_ids", "input_multimodals"},
}


def find(name: str) -> Any:
    module_name, _, path = name.partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = importlib.import_module(module_name)
    for part in path.split("."):
        assert hasattr(found, part), (
            f"LMDeploy has no {name} any more: adapt launcher/models/xcomposer2_lmdeploy"
        )
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_what_the_plug_in_gives(name: str) -> None:
    parameters = tuple(inspect.signature(inspect.unwrap(find(name)), follow_wrapped=True).parameters)

    wanted = [p for p in FUNCTIONS[name] if p in parameters]
    assert tuple(wanted) == FUNCTIONS[name], (
        f"{name} has parameters {parameters}: adapt launcher/models/xcomposer2_lmdeploy"
    )
    assert [p for p in parameters if p in wanted] == wanted, (
        f"{name} has its parameters in another order: {parameters}"
    )


@pytest.mark.parametrize("name", FIELDS)
def test_records_have_the_fields_that_the_plug_in_reads(name: str) -> None:
    missing = FIELDS[name] - {field.name for field in dataclasses.fields(find(name))}

    assert not missing, f"{name} has no {missing} any more: adapt launcher/models/xcomposer2_lmdeploy"


def test_registries_are_of_the_kind_that_the_plug_in_adds_to() -> None:
    assert isinstance(find(PYTORCH + "models.module_map:MODULE_MAP"), dict)
    assert callable(find("lmdeploy.vl.model.base:VISION_MODELS").register_module)
    assert isinstance(find(PYTORCH + "configurations.builder:AutoModelConfigBuilder")._sub_classes, list)
