"""Which family answers for a config.json, and why none does."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from launcher import families
from launcher.errors import CheckpointError, DeviceError, UnsupportedModel
from launcher.families import FAMILIES, Family
from launcher.presets import TemplateName
from tests.published import KNOWN_CONFIGS

ROOT = Path(__file__).parents[2]
BUILTIN = ROOT / "launcher/demo/checkpoints"
PICTURES = KNOWN_CONFIGS["internvl2-2b"]
XCOMPOSER = KNOWN_CONFIGS["internlm-xcomposer2-vl-1_8b"]
TEXT = KNOWN_CONFIGS["internlm2-chat-1_8b"]


def with_language(**language: object) -> dict[str, Any]:
    return {**PICTURES, "llm_config": {**TEXT, **language}}


@pytest.mark.parametrize("name", sorted(families.KNOWN_CONFIGS))
def test_each_published_config_is_its_own_family_s(name: str) -> None:
    config = families.KNOWN_CONFIGS[name]
    assert name in families.of(config).published
    assert families.known_config(("/nowhere", f"hf:{name}")) is config
    assert families.known_config((f"modelscope:{name}",)) is config


def test_no_folder_s_or_preset_s_name_finds_a_config() -> None:
    assert families.known_config(("/models/OpenGVLab/InternVL2-2B", "builtin:internvl2-2b")) is None


@pytest.mark.parametrize("name", ["shapes-internvl2", "shapes-xcomposer2", "tiny-chat"])
def test_the_built_in_models_have_a_family(name: str) -> None:
    families.of(json.loads((BUILTIN / name / "config.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("config", "words", "instead"),
    [
        (with_language(architectures=["InternLM2VEForCausalLM"]), "Mono-InternVL", "internvl2-2b"),
        (with_language(architectures=["Phi3ForCausalLM"]), "InternVLChatModel with Phi3ForCausalLM", ""),
        (
            {**PICTURES, "force_image_size": 224},
            "is 224, and vision_config.image_size is 448",
            "internvl2-2b",
        ),
        ({**PICTURES, "llm_config": {"model_type": "phi3"}}, "has no family for it", "internvl2-2b"),
        ({**XCOMPOSER, "img_size": 336}, "InternLM-XComposer2-4KHD or InternLM-XComposer2.5", "vl-1_8b"),
        ({**XCOMPOSER, "img_size": 560}, "InternLM-XComposer2.5", "vl-1_8b"),
        ({**XCOMPOSER, "_name_or_path": "internlm/internlm-xcomposer2-4khd-7b"}, "4KHD", "vl-1_8b"),
        ({**TEXT, "model_type": "internlmxcomposer2"}, "of model_type internlmxcomposer2", "1_8b"),
        ({"architectures": ["MiniCPMV"]}, "needs code that comes with the checkpoint", "internvl2-2b"),
        ({"architectures": ["Newest"], "auto_map": {"AutoConfig": "x.Y"}}, "needs code that comes", ""),
        ({"architectures": ["Newest"]}, "is not an architecture that the launcher runs", ""),
        ({"architectures": ["InternLM2ForRewardModel"]}, "no model to talk to", ""),
        ({"architectures": ["QWenLMHeadModel"]}, "LMDeploy 0.18 no longer serves", ""),
        ({**PICTURES, "template": "phi3-chat"}, "was trained on the prompt form phi3-chat", ""),
    ],
)
def test_what_does_not_run_is_refused_with_the_reason(
    config: Mapping[str, Any], words: str, instead: str
) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        families.of(config, "folder/config.json")
    assert words in caught.value.message
    assert "folder/config.json" in caught.value.message
    assert instead in caught.value.hint
    assert caught.value.hint


def test_a_4khd_s_tensors_tell_it_whatever_its_config_says() -> None:
    tensors = {"model.layers.23.w": 1, "vit.vision_tower.vision_model.encoder.layers.23.w": 1}
    families.model_sizes(XCOMPOSER, tensors)
    with pytest.raises(UnsupportedModel, match="4KHD"):
        families.model_sizes(XCOMPOSER, {**tensors, "plora_glb_GN": 8192})


@pytest.mark.parametrize("names", [None, [], "InternLM2ForCausalLM", [3]])
def test_a_config_without_architectures_is_broken(names: object) -> None:
    with pytest.raises(CheckpointError, match="architectures") as caught:
        families.of({**TEXT, "architectures": names})
    assert not isinstance(caught.value, UnsupportedModel)


SIZES = {
    "": ("hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size", "vocab_size"),
    "llm_config.": ("hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size"),
    "vision_config.": ("hidden_size", "num_hidden_layers", "intermediate_size", "patch_size"),
}


@pytest.mark.parametrize(("part", "key"), [(part, key) for part, keys in SIZES.items() for key in keys])
def test_a_size_that_is_lacking_is_a_broken_checkpoint_with_its_name(part: str, key: str) -> None:
    config = json.loads(json.dumps(PICTURES if part else TEXT))
    del (config[part[:-1]] if part else config)[key]
    with pytest.raises(CheckpointError) as caught:
        families.model_sizes(config, file="folder/config.json")
    assert caught.value.message == f"folder/config.json: {part}{key} is missing"
    assert not isinstance(caught.value, UnsupportedModel)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda each: each.title)
def test_auto_takes_the_fastest_that_serves_and_others_are_refused(family: Family) -> None:
    sizes = families.model_sizes(TEXT)
    assert sizes.language.head_dim == 128
    assert family.engine("auto", sizes) == family.engines[0]
    for engine in ("turbomind", "pytorch"):
        if engine in family.engines:
            assert family.engine(engine, sizes) == engine
        else:
            with pytest.raises(DeviceError) as caught:
                family.engine(engine, sizes)
            assert caught.value.hint == f"Set engine: to one of {', '.join(family.engines)}, transformers."


@pytest.mark.parametrize(
    "family", [each for each in FAMILIES if "turbomind" in each.engines], ids=lambda each: each.title
)
def test_heads_that_turbomind_has_no_kernels_for_go_to_the_other_engine(family: Family) -> None:
    """Such as OpenLLaMA 3B's, of 100 numbers."""
    sizes = families.model_sizes(TEXT)
    odd = replace(sizes, language=replace(sizes.language, head_dim=100))
    assert family.engine("auto", odd) == "pytorch"
    with pytest.raises(DeviceError) as caught:
        family.engine("turbomind", odd)
    assert str(caught.value).startswith(
        "turbomind has no kernels for InternLM2ForCausalLM with 100 numbers in each head."
    )
    assert caught.value.hint == "Set engine: to one of pytorch, transformers."


def test_presets_may_name_every_prompt_form_and_no_other() -> None:
    assert set(get_args(TemplateName)) == {*families.TEMPLATES, families.TOKENIZER_S_OWN}


def test_families_import_nothing_heavy() -> None:
    code = (
        "import sys, launcher.families; sys.exit(str({'torch', 'transformers', 'lmdeploy'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stderr.strip() == "set()"


def named_architectures() -> set[str]:
    from launcher.families.common import refused

    own = {name for each in FAMILIES for one in each.architectures for name in (one.name, one.language)}
    return {*own, *refused.DROPPED, *refused.NEED_REMOTE_CODE, *refused.NOT_FOR_CHAT, *refused.NOT_YET} - {""}


HOMES = ("families", "models", "demo/training")
"""Families, the code of models, and the program that writes config.json files."""


@pytest.mark.parametrize("path", sorted((ROOT / "launcher").rglob("*.py")), ids=lambda each: each.name)
def test_nobody_else_names_an_architecture(path: Path) -> None:
    if path.relative_to(ROOT / "launcher").as_posix().startswith(HOMES):
        return
    texts = {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    found = {name for name in named_architectures() if any(name in text for text in texts)}
    assert not found, f"{path} names {found}"
