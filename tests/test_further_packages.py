"""Families for which an engine needs packages beside its own: on machines where some of them are not there.

LMDeploy's wheel leaves some out, on ARM for instance, and a model that needs them failed after twenty seconds
of loading, having said that it is ready.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path

import pytest

from launcher import families
from launcher.checkpoints import facts_in_config
from launcher.cli.plan import planned_for
from launcher.cli.preset_standing import standing
from launcher.commands_here import pip_install
from launcher.devices import Devices, Gpu
from launcher.errors import MemoryPlanError, MissingPart
from launcher.memory import Card
from launcher.presets import Preset, read_presets
from launcher.readiness import (
    COMPLETE,
    InstalledEngines,
    Readiness,
    ReadyState,
    assess_facts,
    installed_engines,
)

GIB = 2**30
CARD = Gpu("Card", "GPU-a", 16 * GIB, 16 * GIB, (8, 6), "570.1", (12, 8))
WITH_GPU = Devices((CARD,), 16 * GIB, 12 * GIB)
pytestmark = pytest.mark.usefixtures("home")
LINEAR, PYTORCH_ALONE = "qwen3_5-2b", "internlm-xcomposer2-vl-1_8b"
TILELANG, FLA = "tilelang==0.1.11", "flash-linear-attention>=0.4.2"


def without(*modules: str) -> InstalledEngines:
    return replace(COMPLETE, missing=frozenset(modules))


def shipped(name: str, engine: str = "auto", budget_gib: float = 16) -> Preset:
    found = read_presets().find(name)
    memory = found.memory.model_copy(update={"gpu_budget_gib": budget_gib})
    return found.model_copy(update={"engine": engine, "memory": memory})


def stands(preset: Preset, installed: InstalledEngines) -> Readiness:
    """Where it stands by its published config: no byte of it is here."""
    config = families.known_config(preset.sources)
    assert config is not None
    facts = facts_in_config(json.dumps(config).encode(), Path("config.json"))
    return assess_facts(preset, Path("model"), facts, WITH_GPU, installed)


@pytest.mark.parametrize("missing", [("tilelang",), ("fla",), ("tvm_ffi",), ("tilelang", "fla"), ("triton",)])
def test_auto_takes_the_family_s_next_engine(missing: tuple[str, ...]) -> None:
    assert stands(shipped(LINEAR), COMPLETE).engine == "pytorch"
    found = stands(shipped(LINEAR), without(*missing))
    assert (found.state, found.engine) == (ReadyState.READY, "turbomind")
    assert found.plan is not None
    assert found.plan.engine == "turbomind"


@pytest.mark.parametrize(
    ("missing", "requirements"),
    [(("tilelang",), (TILELANG,)), (("fla",), (FLA,)), (("fla", "tilelang"), (TILELANG, FLA))],
)
def test_an_engine_that_is_named_is_refused_with_what_installs_the_rest(
    missing: tuple[str, ...], requirements: tuple[str, ...]
) -> None:
    found = stands(shipped(LINEAR, "pytorch"), without(*missing))
    assert found.state is ReadyState.UNSUPPORTED
    assert isinstance(found.reason, MissingPart)
    wanted = f"{LINEAR} needs packages that are not installed: {', '.join(requirements)}"
    assert found.reason.message == wanted
    assert found.reason.hint == f"Type: {pip_install(*requirements)}"
    assert stands(shipped(LINEAR, "turbomind"), without(*missing)).state is ReadyState.READY
    assert stands(shipped(LINEAR, "transformers"), without(*missing)).state is ReadyState.READY


def test_where_none_is_left_the_first_one_s_packages_are_told() -> None:
    found = stands(shipped(PYTORCH_ALONE), without("triton"))
    assert isinstance(found.reason, MissingPart)
    assert found.reason.hint == f"Type: {pip_install('triton>=3.4.0,<=3.7.1')}"
    assert stands(shipped(PYTORCH_ALONE), without("tilelang", "fla")).engine == "pytorch"


def test_a_plan_is_for_the_engine_that_it_would_run_on() -> None:
    """`launcher plan`, and `launcher presets` of a model that is not here yet."""
    preset, some = shipped(LINEAR), without("fla")
    plans = {
        installed: planned_for(preset, Card(16 * GIB, 16 * GIB), (8, 6), installed).plan
        for installed in (COMPLETE, some)
    }
    assert [each.engine for each in plans.values() if each] == ["pytorch", "turbomind"]
    assert plans[some] == stands(preset, some).plan
    absent = Readiness(preset, ReadyState.NEEDS_DOWNLOAD)
    for installed, plan in plans.items():
        assert plan is not None
        assert standing(absent, WITH_GPU, installed).memory_bytes == plan.peak_bytes


def test_where_the_next_engine_has_no_room_the_packages_of_the_first_are_told() -> None:
    """Unless that has none either."""
    small, some, card = shipped(LINEAR, budget_gib=8), without("tilelang"), Card(16 * GIB, 16 * GIB)
    for reason in (stands(small, some).reason, planned_for(small, card, (8, 6), some).problem):
        assert isinstance(reason, MissingPart)
        assert reason.hint == f"Type: {pip_install(TILELANG)}"
    assert isinstance(stands(shipped(LINEAR, budget_gib=5), some).reason, MemoryPlanError)
    named = stands(shipped(LINEAR, "turbomind", budget_gib=8), some)
    assert isinstance(named.reason, MemoryPlanError)


def test_packages_are_found_without_importing_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {"tilelang": "tilelang", "tvm_ffi": "apache-tvm-ffi", "fla": "fla-core"}
    installed = {each.name for each in distributions()}
    missing = {module for module, package in modules.items() if package not in installed}
    assert installed_engines().missing & modules.keys() == missing
    for module in modules:
        (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert installed_engines().missing.isdisjoint(modules)
