"""Every name in LMDeploy's own tables is a family's or is refused, with the reason and what to take instead.
No family claims more than they have, and no model says "ready" that LMDeploy or transformers would not
load."""

from __future__ import annotations

import json
import warnings
from importlib import import_module
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

if find_spec("lmdeploy") is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)

import transformers

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    from lmdeploy.pytorch.models.module_map import MODULE_MAP, REMOVED_MODEL_MAP
    from lmdeploy.turbomind.supported_models import SUPPORTED_ARCHS
    from lmdeploy.vl.model import builder as _builder  # noqa: F401 - fills the register
    from lmdeploy.vl.model.base import VISION_MODELS

from launcher import families
from launcher.checkpoints import facts_in_config
from launcher.devices import Devices, Gpu
from launcher.engines import table
from launcher.errors import UnsupportedModel
from launcher.families import FAMILIES, KNOWN_CONFIGS, Architecture, Family
from launcher.families.common import qwen_vl, refused
from launcher.presets import BilingualText, MemorySettings, Preset, read_presets
from launcher.readiness import COMPLETE, Readiness, ReadyState, assess_facts

# What our own plug-ins put into the tables of a process in which another test has plugged them in.
OURS = {each.name for family in FAMILIES if family.plug_in for each in family.architectures}


def vision_names() -> set[str]:
    found = set[str]()
    for model in VISION_MODELS.module_dict.values():
        names = model._arch
        found |= {names} if isinstance(names, str) else set(names or ())
    return found


LISTED = sorted({*SUPPORTED_ARCHS, *MODULE_MAP, *REMOVED_MODEL_MAP, *vision_names()} - OURS)
ENGINES = {"turbomind": SUPPORTED_ARCHS, "pytorch": MODULE_MAP}
CLAIMS = [(family, each) for family in FAMILIES for each in family.architectures]


def outer(config: dict[str, Any]) -> Family | UnsupportedModel:
    try:
        return families.of(config)
    except UnsupportedModel as refusal:
        return refusal


@pytest.mark.parametrize("name", LISTED)
def test_every_listed_architecture_is_a_family_s_or_refused_by_its_own_reason(name: str) -> None:
    found = outer({"architectures": [name]})
    if isinstance(found, Family):
        assert any(each.name == name for each in found.architectures)
    else:
        assert "is not an architecture that the launcher runs" not in found.message, "no reason is given"


GIB = 2**30
LARGE = Devices((Gpu("Card", "GPU-a", 80 * GIB, 80 * GIB, (9, 0), "570.1", (12, 8)),), 64 * GIB, 60 * GIB)
OF_ANY = {
    **KNOWN_CONFIGS["internlm/internlm2-chat-1_8b"],
    "vision_config": {
        **KNOWN_CONFIGS["Qwen/Qwen3-VL-2B-Instruct"]["vision_config"],
        **KNOWN_CONFIGS["Qwen/Qwen2-VL-2B-Instruct"]["vision_config"],
        "deepstack_visual_indexes": [],
    },
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 16,
    "linear_value_head_dim": 128,
}
"""Has the numbers that a model of any listed architecture could be planned by."""
SHIPPED = [preset.name for preset in read_presets().presets]


def stands(name: str, engine: str) -> Readiness:
    """Where a model of an architecture stands on a card that has room for all of them."""
    preset = Preset(
        name="a",
        title=BilingualText(en="A", zh="A"),
        kind="vision" if name in vision_names() else "text",
        sources=("/a",),
        engine=engine,
        memory=MemorySettings(gpu_budget_gib=80),
    )
    config = json.dumps({**OF_ANY, "architectures": [name]}).encode()
    return assess_facts(preset, Path("/a"), facts_in_config(config, Path("config.json")), LARGE, COMPLETE)


@pytest.mark.parametrize("engine", ["auto", "turbomind", "pytorch", "transformers"])
@pytest.mark.parametrize("name", LISTED)
def test_none_says_ready_that_would_not_load_and_all_others_say_what_to_take(name: str, engine: str) -> None:
    found = stands(name, engine)
    if found.state is ReadyState.READY:
        assert any(name == claim.name for _, claim in CLAIMS)
        assert found.engine == "transformers" or name in ENGINES[found.engine]
        return
    assert found.reason is not None
    takes = ("Set engine: to one of", "This config.json is no published model's", *SHIPPED)
    assert any(each in found.reason.hint for each in takes), found.reason


WHOLE = {claim.name for _, claim in CLAIMS if not claim.language} - OURS
"""Whose config.json describes no language model of another name."""


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("engine", ["auto", "transformers"])
def test_those_with_a_family_do_say_ready(name: str, engine: str) -> None:
    found = stands(name, engine)
    assert found.state is ReadyState.READY, found.reason
    assert found.engine == "transformers" or engine == "auto"


@pytest.mark.parametrize("language", LISTED)
@pytest.mark.parametrize("name", ["InternVLChatModel", "InternVLForConditionalGeneration"])
def test_so_is_every_one_inside_a_picture_model(name: str, language: str) -> None:
    part = "llm_config" if name == "InternVLChatModel" else "text_config"
    found = outer({"architectures": [name], part: {"architectures": [language]}})
    assert isinstance(found, UnsupportedModel) or Architecture(name, language) in [
        Architecture(each.name, each.language) for each in found.architectures
    ]


@pytest.mark.parametrize(("family", "claim"), CLAIMS, ids=[str(claim) for _, claim in CLAIMS])
def test_no_family_claims_an_engine_that_lmdeploy_has_not(family: Family, claim: Architecture) -> None:
    for engine in family.engines:
        assert claim.name in ENGINES[engine] or (engine == "pytorch" and family.plug_in)
        assert not claim.language or claim.language in ENGINES[engine]
    assert claim.name not in REMOVED_MODEL_MAP
    assert claim.language not in REMOVED_MODEL_MAP


def test_what_lmdeploy_removed_is_known_as_dropped() -> None:
    assert set(REMOVED_MODEL_MAP) <= set(refused.DROPPED)
    assert not set(refused.DROPPED) & {*SUPPORTED_ARCHS, *MODULE_MAP}


@pytest.mark.parametrize("name", sorted(refused.NEED_REMOTE_CODE))
def test_what_needs_remote_code_is_not_in_transformers(name: str) -> None:
    assert name in {*MODULE_MAP, *vision_names()}
    assert not hasattr(transformers, name)


@pytest.mark.parametrize("name", sorted(refused.NOT_YET))
def test_what_has_no_family_yet_is_served_by_lmdeploy(name: str) -> None:
    assert name in {*SUPPORTED_ARCHS, *MODULE_MAP}


@pytest.mark.parametrize(("family", "claim"), CLAIMS, ids=[str(claim) for _, claim in CLAIMS])
def test_lmdeploy_has_the_code_that_its_tables_name(family: Family, claim: Architecture) -> None:
    """The model's class for the PyTorch engine, and for pictures what prepares them."""
    if "pytorch" in family.engines and not family.plug_in:
        module, _, name = MODULE_MAP[claim.name].rpartition(".")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
            assert hasattr(import_module(module), name)
    assert family.plug_in or (claim.name in vision_names()) == family.reads_pictures


@pytest.mark.parametrize(("family", "claim"), CLAIMS, ids=[str(claim) for _, claim in CLAIMS])
def test_who_has_linear_layers_there_names_what_their_kernels_are_written_in(
    family: Family, claim: Architecture
) -> None:
    """LMDeploy imports these once the model is built, and fails then."""
    if "pytorch" not in family.engines or family.plug_in:
        return
    module = find_spec(MODULE_MAP[claim.name].rpartition(".")[0])
    assert module is not None
    assert module.origin is not None
    is_linear = "lmdeploy.pytorch.nn.gated_delta" in Path(module.origin).read_text(encoding="utf-8")
    assert is_linear == (family.packages.get("pytorch", {}).keys() >= {"tilelang", "fla"})


def test_what_is_named_beside_lmdeploy_is_of_the_versions_that_it_asks_for() -> None:
    theirs = {
        each.name: each.specifier
        for each in map(Requirement, requires("lmdeploy") or ())
        if "extra" not in str(each.marker)
    }
    ours = [table.find("pytorch").packages["triton"]]
    ours += [one for family in FAMILIES for packages in family.packages.values() for one in packages.values()]
    for each in map(Requirement, ours):
        assert each.specifier == theirs[each.name]


LOADED_BY_NAME = {"launcher.models.generic:load_text_model", qwen_vl.LOADER}


@pytest.mark.parametrize(("family", "claim"), CLAIMS, ids=[str(claim) for _, claim in CLAIMS])
def test_transformers_has_the_class_where_we_have_none(family: Family, claim: Architecture) -> None:
    if family.loader in LOADED_BY_NAME:
        assert hasattr(transformers, claim.name)
