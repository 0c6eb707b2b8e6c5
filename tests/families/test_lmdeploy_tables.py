"""Every name in LMDeploy's own tables is a family's or is refused; no family claims more than they have."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import pytest

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
from launcher.errors import UnsupportedModel
from launcher.families import FAMILIES, Architecture, Family
from launcher.families.common import refused

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
