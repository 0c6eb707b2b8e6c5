"""What LMDeploy runs before its engine: it finds the plug-in, and conversations become token ids, places and
pixels."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoTokenizer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    pytest.importorskip("lmdeploy", reason="the plug-in needs LMDeploy (pip install launcher[lmdeploy])")
    from lmdeploy import GenerationConfig, PytorchEngineConfig, archs
    from lmdeploy.pytorch.configurations import AutoModelConfigBuilder
    from lmdeploy.serve.core.vl_async_engine import VLAsyncEngine

    from launcher.engines.lmdeploy_settings import chat_template_config, messages_for, pytorch_config
    from launcher.models import xcomposer2_lmdeploy as plug_in
    from launcher.models.xcomposer2_lmdeploy.pictures import XComposer2InputProcessor

from launcher import models
from launcher.errors import RequestError
from launcher.families import TEMPLATES, build_prompt, model_sizes, split_at_pictures
from launcher.images import load_picture
from launcher.memory import GIB, Card, MemoryPlan, plan_memory
from launcher.messages import Message
from launcher.models.xcomposer2 import picture_pixels
from launcher.presets import MemorySettings
from tests.models.test_xcomposer2 import FIRST, SECOND
from tests.models.tiny import write_xcomposer2


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    models.register()
    plug_in.register()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a tokenizer; pictures of 21 pixels, 9 tokens each."""
    return write_xcomposer2(tmp_path_factory.mktemp("whole"))


class Front(VLAsyncEngine):  # type: ignore[misc]
    """LMDeploy's own engine, but for the part behind it that needs a GPU."""

    def _build_pytorch(self, model_path: str, backend_config: PytorchEngineConfig, **_: Any) -> Any:
        return SimpleNamespace(engine_config=backend_config, create_instance=object, close=lambda: None)


TEMPLATE = TEMPLATES["xcomposer2"]


@pytest.fixture
def plan(whole: Path) -> MemoryPlan:
    config = json.loads((whole / "config.json").read_text()) | {"max_position_embeddings": 4096}
    # with bfloat16 LMDeploy asks the GPU whether it can
    return plan_memory(MemorySettings(), model_sizes(config), "pytorch", Card(8 * GIB, 8 * GIB), "float16")


@pytest.fixture
def front(whole: Path, plan: MemoryPlan) -> Iterator[Front]:
    template = chat_template_config(TEMPLATE.turn_end)
    made = Front(
        str(whole), backend="pytorch", backend_config=pytorch_config(plan), chat_template_config=template
    )
    yield made
    made.close()


async def prepared(front: Front, plan: MemoryPlan, talk: Sequence[Message]) -> dict[str, Any]:
    """A conversation on launcher's and LMDeploy's way to the engine."""
    found = await front.preprocess(
        messages_for(talk, TEMPLATE, load_picture),
        session_id=front.session_mgr.get(),
        gen_config=GenerationConfig(max_new_tokens=8),
        do_preprocess=False,
    )
    assert found.input_token_len == len(found.inputs["input_ids"])
    return dict(found.inputs)


def test_lmdeploy_keeps_its_prefix_cache(front: Front) -> None:
    assert isinstance(front.vl_encoder.model, plug_in.XComposer2VisionModel)
    assert front.backend_config.enable_prefix_caching, (
        "the plug-in is no longer what LMDeploy takes for its newer preprocessing"
    )


async def test_a_conversation_becomes_token_ids_with_places_for_its_pictures(
    front: Front, plan: MemoryPlan, tmp_path: Path
) -> None:
    red, blue = Image.new("RGB", (30, 20), "red"), Image.effect_noise((50, 90), 80).convert("RGB")
    red.save(tmp_path / "red.png")
    blue.save(tmp_path / "blue.png")
    talk = (
        Message("system", "system"),
        Message(
            "user",
            "What <ImageHere> is <unk> it? 图中有几个形状？",
            (tmp_path / "red.png", tmp_path / "blue.png"),
        ),
        Message("assistant", "a <ImageHere>"),
        Message("user", "again", (tmp_path / "red.png",)),
    )

    given = await prepared(front, plan, talk)

    tokenizer = AutoTokenizer.from_pretrained(front.vl_encoder.model.model_path)
    first, *others = split_at_pictures(build_prompt(talk, TEMPLATE), TEMPLATE)
    ids, offsets = tokenizer.encode(first), []
    for text in others:
        offsets.append(len(ids))
        ids += [0] * 9 + tokenizer.encode(text, add_special_tokens=False)
    assert given["input_ids"] == ids
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids.count(0) == 27
    assert [found["offset"] for found in given["multimodal"]] == offsets
    for found, picture in zip(given["multimodal"], (red, blue, red), strict=True):
        assert (found["image_tokens"], found["image_token_id"]) == (9, 0)
        assert torch.equal(
            found["pixel_values"], picture_pixels([picture], 21).to(found["pixel_values"].dtype)
        )


async def test_a_conversation_without_pictures_is_encoded_alike(front: Front, plan: MemoryPlan) -> None:
    talk = (Message("user", "What <ImageHere> is it?"),)

    given = await prepared(front, plan, talk)

    tokenizer = AutoTokenizer.from_pretrained(front.vl_encoder.model.model_path)
    assert given["input_ids"] == tokenizer.encode(build_prompt(talk, TEMPLATE))
    assert not given.get("multimodal")


def vision_model(folder: Path) -> Any:
    _, config = archs.get_model_arch(str(folder))
    made = plug_in.XComposer2VisionModel(str(folder), hf_config=config, backend="pytorch")
    made.build_preprocessor()
    return made


def plain_prompt(turns: list[dict[str, Any]], **_: Any) -> str:
    return "".join(turn["content"] for turn in turns)


def test_a_typed_place_is_no_picture(whole: Path) -> None:
    vision, picture = vision_model(whole), {"type": "image", "data": Image.new("RGB", (30, 20))}
    content = [{"type": "text", "text": "a<ImageHere>"}, picture, {"type": "text", "text": "<ImageHere>b"}]
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "<ImageHere>"}]

    prompt = vision.get_input_prompt(messages, SimpleNamespace(messages2prompt=plain_prompt))

    assert prompt.split("<ImageHere>") == ["a<\u200bImageHere>", "<\u200bImageHere>b<\u200bImageHere>"]
    assert len(vision.preprocess(messages, prompt)["multimodal"]) == 1


@pytest.mark.parametrize("prompt", ["no place", "<ImageHere> and <ImageHere>"])
def test_a_place_too_many_or_too_few_is_refused(whole: Path, prompt: str) -> None:
    messages = [{"role": "user", "content": [{"type": "image", "data": Image.new("RGB", (30, 20))}]}]

    with pytest.raises(RequestError, match=f"has {prompt.count('<')} picture tokens but its pictures need 1"):
        vision_model(whole).preprocess(messages, prompt)


def test_pixels_come_in_the_dtype_that_lmdeploy_sets(whole: Path) -> None:
    vision = vision_model(whole)
    vision.set_mm_feature_dtype(torch.bfloat16)
    messages = [{"role": "user", "content": [{"type": "image", "data": Image.new("RGB", (30, 20))}]}]

    (found,) = vision.preprocess(messages, "<ImageHere>")["multimodal"]

    assert found["pixel_values"].dtype == torch.bfloat16


def test_equal_pictures_share_a_prefix_cache_key_and_others_do_not() -> None:
    from lmdeploy.pytorch.multimodal.data_type import ensure_multimodal_content_hashes

    def key(picture: Tensor, start: int) -> str | None:
        data = XComposer2InputProcessor().preprocess_input(
            [0] * 20,
            [{"pixel_values": picture[None], "offset": start, "image_tokens": 9, "image_token_id": 0}],
        )
        found = ensure_multimodal_content_hashes(data.input_multimodals)
        assert found is not None
        return found["image"][0].content_hash

    assert key(FIRST, 2) == key(FIRST.clone(), 5)
    assert key(FIRST, 2) != key(SECOND, 2)


def test_lmdeploy_finds_the_plug_in(whole: Path) -> None:
    from lmdeploy.pytorch.models.patch import _get_model_class, _get_module_map
    from lmdeploy.vl.model.builder import load_vl_model

    name, config = archs.get_model_arch(str(whole))

    assert archs.get_task("pytorch", str(whole))[0] == "vlm", (
        "archs.get_task no longer asks archs.check_vl_llm"
    )
    assert _get_model_class(config, _get_module_map()) is plug_in.InternLMXComposer2ForCausalLM, (
        "module_map.MODULE_MAP moved"
    )
    assert isinstance(load_vl_model(str(whole), "pytorch"), plug_in.XComposer2VisionModel), (
        "vl.model.base.VISION_MODELS moved"
    )
    assert plug_in.XComposer2ModelConfigBuilder in AutoModelConfigBuilder._sub_classes, (
        "configurations' builders moved"
    )
    assert name == "InternLMXComposer2ForCausalLM"


def test_other_models_are_no_vision_models_because_of_us() -> None:
    assert not archs.check_vl_llm("pytorch", {"architectures": ["InternLM2ForCausalLM"]})
    assert archs.check_vl_llm("pytorch", {"architectures": ["InternVLChatModel"]})
