"""What we count on in the installed LMDeploy: its names, its configs, its settings. Runs without a GPU."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import typing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from launcher.checkpoints import facts_from_config
from launcher.engine_costs import EngineKind
from launcher.engines.base import EngineSpec
from launcher.errors import DeviceError, EngineError
from launcher.families import TEMPLATES, model_sizes, of
from launcher.memory import GIB, Card, MemoryPlan, plan_memory
from launcher.messages import GenerationOptions
from launcher.models import register
from launcher.presets import BilingualText, MemorySettings, Preset
from launcher.presets.foreign_keys import HERE, NOWHERE
from tests.models.tiny import write_internlm2, write_internvl2
from tests.models.tiny_generic import write_internvl_qwen
from tests.published import KNOWN_CONFIGS

if find_spec("lmdeploy") is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)

from lmdeploy import GenerationConfig, PytorchEngineConfig, TurbomindEngineConfig
from lmdeploy.archs import check_vl_llm, get_model_arch
from lmdeploy.messages import QuantPolicy, Response
from lmdeploy.model import BaseChatTemplate
from lmdeploy.pytorch.models.module_map import MODULE_MAP
from lmdeploy.tokenizer import Tokenizer
from lmdeploy.turbomind.supported_models import SUPPORTED_ARCHS, is_supported
from lmdeploy.vl.model.internvl import InternVLVisionModel
from lmdeploy.vl.model.qwen3 import Qwen3VLModel

from launcher.engines.lmdeploy import LmdeployEngine
from launcher.engines.lmdeploy_request import FINISH
from launcher.engines.lmdeploy_settings import (
    chat_template_config,
    generation_config,
    pytorch_config,
    turbomind_config,
)

NAMES = {
    "lmdeploy": [
        "pipeline",
        "Pipeline",
        "ChatTemplateConfig",
        "GenerationConfig",
        "PytorchEngineConfig",
        "TurbomindEngineConfig",
    ],
    "lmdeploy.messages": ["ResponseType", "EngineOutput"],
    "lmdeploy.serve.core": ["AsyncEngine", "VLAsyncEngine"],
    "lmdeploy.serve.core.async_engine": ["GenOut", "PreprocessedRequest"],
    "lmdeploy.serve.core.exceptions": ["ErrorCode", "RequestError"],
    "lmdeploy.vl.model.internvl": ["InternVLVisionModel", "dynamic_preprocess"],
}
ATTRIBUTES = {
    "lmdeploy.serve.core.async_engine:AsyncEngine": [
        "preprocess",
        "generate",
        "_request_error_from_status",
        "close",
    ],
    "lmdeploy.pipeline:Pipeline": ["session", "close"],
    "lmdeploy.serve.managers.session_manager:Session": ["async_close"],
}
PARAMETERS = {
    "lmdeploy.api:pipeline": [
        "model_path",
        "backend_config",
        "chat_template_config",
        "log_level",
        "trust_remote_code",
    ],
    "lmdeploy.serve.core.async_engine:AsyncEngine.preprocess": [
        "messages",
        "session_id",
        "gen_config",
        "do_preprocess",
    ],
    "lmdeploy.serve.core.async_engine:AsyncEngine.generate": ["request"],
    "lmdeploy.tokenizer:Tokenizer.detokenize_incrementally": ["all_input_ids", "state"],
}
FIELDS = {
    "lmdeploy.serve.core.async_engine:GenOut": ["token_ids", "finish_reason", "generate_token_len"],
    "lmdeploy.serve.core.async_engine:PreprocessedRequest": ["input_token_len", "gen_config"],
    "lmdeploy.tokenizer:DetokenizeState": ["ids_offset"],
}


def named(path: str) -> object:
    module, _, attributes = path.partition(":")
    found: object = importlib.import_module(module)
    for attribute in attributes.split("."):
        found = getattr(found, attribute)
    return found


@pytest.fixture(scope="module")
def plans() -> dict[EngineKind, MemoryPlan]:
    sizes, card = model_sizes(KNOWN_CONFIGS["internvl2-2b"]), Card(8 * GIB, 8 * GIB)
    engines: tuple[EngineKind, ...] = ("turbomind", "pytorch")
    return {engine: plan_memory(MemorySettings(), sizes, engine, card) for engine in engines}


def test_the_installed_version_is_one_we_support() -> None:
    assert version("lmdeploy").split(".")[:2] == ["0", "18"]


@pytest.mark.parametrize("module", NAMES)
def test_every_name_we_import_exists(module: str) -> None:
    for name in NAMES[module]:
        assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("path", ATTRIBUTES)
def test_every_attribute_we_touch_exists(path: str) -> None:
    for name in ATTRIBUTES[path]:
        assert hasattr(named(path), name)


@pytest.mark.parametrize("path", PARAMETERS)
def test_every_argument_we_pass_is_taken(path: str) -> None:
    assert set(PARAMETERS[path]) <= set(inspect.signature(named(path)).parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", FIELDS)
def test_every_field_we_read_exists(path: str) -> None:
    assert set(FIELDS[path]) <= {field.name for field in dataclasses.fields(named(path))}  # type: ignore[arg-type]


def test_every_finish_reason_has_a_meaning() -> None:
    reasons = typing.get_type_hints(Response)["finish_reason"]
    literal = next(part for part in typing.get_args(reasons) if typing.get_args(part))
    assert set(typing.get_args(literal)) == {*FINISH, "error"}


def test_turbomind_takes_the_plan(plans: dict[EngineKind, MemoryPlan]) -> None:
    plan = plans["turbomind"]
    config = turbomind_config(plan, 0.1)
    assert isinstance(config, TurbomindEngineConfig)
    assert (config.session_len, config.max_prefill_token_num) == (
        plan.session_tokens,
        plan.max_prefill_tokens,
    )
    assert (config.cache_max_entry_count, config.quant_policy, config.enable_prefix_caching) == (
        0.1,
        plan.kv_bits,
        True,
    )


def test_the_pytorch_engine_takes_the_plan(plans: dict[EngineKind, MemoryPlan]) -> None:
    plan = plans["pytorch"]
    config = pytorch_config(plan)
    assert isinstance(config, PytorchEngineConfig)
    assert (config.num_gpu_blocks, config.block_size) == (plan.cache_blocks, 64)
    assert config.quant_policy == QuantPolicy(plan.kv_bits)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_both_engines_take_the_dtype(plans: dict[EngineKind, MemoryPlan], dtype: str) -> None:
    assert turbomind_config(dataclasses.replace(plans["turbomind"], dtype=dtype), 0.1).dtype == dtype
    assert pytorch_config(dataclasses.replace(plans["pytorch"], dtype=dtype)).dtype == dtype


def test_greedy_stays_greedy_and_keeps_its_repetition_penalty() -> None:
    greedy = generation_config(GenerationOptions(temperature=0), [2])
    assert not greedy.do_sample
    penalised = generation_config(GenerationOptions(temperature=0, repetition_penalty=1.2), [2])
    assert penalised.do_sample
    assert (penalised.top_k, penalised.repetition_penalty) == (1, 1.2)
    drawn = generation_config(GenerationOptions(temperature=0.7, top_p=0.9, top_k=40, seed=5), [2])
    assert (drawn.do_sample, drawn.temperature, drawn.top_p, drawn.top_k, drawn.random_seed) == (
        True,
        0.7,
        0.9,
        40,
        5,
    )


@pytest.mark.parametrize("write", [write_internlm2, write_internvl2])
def test_lmdeploy_reads_our_configs_and_tokenizer_without_remote_code(
    write: typing.Any, tmp_path: Path
) -> None:
    register()
    folder = str(write(tmp_path / "model"))
    architecture, config = get_model_arch(folder, trust_remote_code=False)
    assert "turbomind" in of(facts_from_config(Path(folder)).config).engines
    assert is_supported(folder)
    assert check_vl_llm("turbomind", config.to_dict()) == (architecture == "InternVLChatModel")
    language = getattr(config, "llm_config", config)
    assert language.rope_parameters["rope_theta"] == 1_000_000
    assert language.rope_parameters["rope_type"] == "dynamic"
    assert language.rope_parameters["factor"] == 2.0
    tokenizer = Tokenizer(folder)
    assert tokenizer.encode("Hello")[0] == tokenizer.bos_token_id == 1
    assert tokenizer.encode("Hello", add_bos=False)[0] != 1
    assert len(tokenizer.indexes_containing_token("<|im_end|>")) == 1


@pytest.mark.parametrize("kind", ["qwen2", "qwen3"])
def test_so_it_does_with_a_qwen_inside(kind: str, tmp_path: Path) -> None:
    register()
    folder = str(write_internvl_qwen(tmp_path / "model", kind))
    architecture, config = get_model_arch(folder, trust_remote_code=False)
    assert (architecture, is_supported(folder)) == ("InternVLChatModel", True)
    assert check_vl_llm("turbomind", config.to_dict())
    assert config.llm_config.architectures[0] in {*SUPPORTED_ARCHS} & {*MODULE_MAP}
    assert config.llm_config.rope_parameters["rope_theta"] == 1_000_000
    assert config.llm_config.rope_parameters["rope_type"] == "dynamic"
    tokenizer = Tokenizer(folder)
    assert tokenizer.bos_token_id is None
    assert len(tokenizer.indexes_containing_token("<|im_end|>")) == 1
    vision = InternVLVisionModel(folder, hf_config=config, backend="turbomind")
    assert vision.image_token_id == tokenizer.model.model.convert_tokens_to_ids("<IMG_CONTEXT>")


def test_the_chat_template_adds_nothing_of_its_own() -> None:
    template = chat_template_config(TEMPLATES["internvl2"].turn_end).chat_template()
    assert template.messages2prompt([{"role": "user", "content": "as it is"}]) == "as it is"
    assert template.stop_words == ["<|im_end|>"]


def test_vision_models_leave_pictures_to_their_processor() -> None:
    """And take of a picture its size alone, so that something tiled may stand in its place."""
    source = inspect.getsource(InternVLVisionModel.preprocess)
    assert "pixel_values = self.processor(image, params)" in source
    assert "image_size=image.size" in source
    signature = inspect.signature(InternVLVisionModel._preprocess_v1_5)
    assert list(signature.parameters) == ["self", "image", "params"]


def test_qwen_s_vision_model_takes_what_stands_in_for_its_processor() -> None:
    """By the names that ``lmdeploy_scaled_pictures`` uses; a picture in a prompt is text there."""
    built = inspect.getsource(Qwen3VLModel.build_preprocessor)
    for name in ("processor", "image_token", "image_token_id"):
        assert f"self.{name} = " in built
    assert list(inspect.signature(Qwen3VLModel.preprocess).parameters)[1:3] == ["messages", "input_prompt"]
    called = inspect.getsource(Qwen3VLModel.preprocess)
    for words in ("text=[input_text]", "kwargs['images'] = raw_images", "self.processor.image_processor"):
        assert words in called
    written = [{"role": "user", "content": [{"type": "text", "text": "all of it"}, {"type": "image"}]}]
    assert Qwen3VLModel.get_input_prompt(written, BaseChatTemplate()) == "all of it"


def test_an_engine_without_a_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="plan"):
        LmdeployEngine(EngineSpec("turbomind", _preset(), tmp_path, "cuda:0", None))


async def test_a_machine_without_a_gpu_is_told_so(
    plans: dict[EngineKind, MemoryPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    folder = write_internvl2(tmp_path / "model")
    engine = LmdeployEngine(EngineSpec("turbomind", _preset(), folder, "cuda:0", plans["turbomind"]))
    with pytest.raises(DeviceError, match="no NVIDIA GPU"):
        await engine.load(lambda stage, fraction: None)
    await engine.close()


def _preset() -> Preset:
    return Preset(name="some", title=BilingualText(en="-", zh="-"), kind="vision", sources=("builtin:none",))


def test_the_names_that_presets_answer_are_lmdeploy_s() -> None:
    theirs = {
        field.name
        for kind in (TurbomindEngineConfig, PytorchEngineConfig, GenerationConfig)
        for field in dataclasses.fields(kind)
    }
    assert {"session_len", "cache_max_entry_count", "quant_policy", "stop_words", "random_seed"} <= theirs & {
        *HERE
    }
    assert {"tp", "dp", "ep", "max_batch_size", "model_format", "adapters", "min_p"} <= theirs & {*NOWHERE}
