"""Where presets of picture models stand whose pictures are scaled, and what a preset may ask of pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from launcher import families
from launcher.checkpoints import content, facts_in_config
from launcher.cli.preset_standing import standing
from launcher.memory import Card
from launcher.memory.problem import Problem, Setting
from launcher.presets import MemorySettings, read_presets
from launcher.readiness import COMPLETE, Readiness, ReadyState, assess, assess_facts
from tests.models.tiny_internvl_hf import write_internvl_hf
from tests.models.tiny_qwen_vl import ARCHITECTURES, write_qwen_vl
from tests.test_generic_readiness import GIB, NO_GPU, WITH_GPU, preset


def shipped(name: str, engine: str = "auto", **memory: Any) -> Readiness:
    """A shipped preset with its published config on a card of 8 GiB."""
    found = read_presets().find(name)
    wanted = found.model_copy(update={"engine": engine, "memory": found.memory.model_copy(update=memory)})
    config = families.known_config(found.sources)
    assert config is not None
    facts = facts_in_config(json.dumps(config).encode(), Path("config.json"))
    return assess_facts(wanted, Path("model"), facts, WITH_GPU, COMPLETE)


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_a_model_that_scales_pictures_is_ready_on_the_cpu_and_on_a_card(kind: str, tmp_path: Path) -> None:
    folder = write_qwen_vl(tmp_path / "model", kind, max_position_embeddings=4096)
    found = assess(preset(folder, kind="vision"), NO_GPU, COMPLETE)
    assert (found.state, found.engine) == (ReadyState.READY, "transformers"), found.reason
    engines = families.of(json.loads((folder / "config.json").read_text(encoding="utf-8"))).engines
    for engine in ("turbomind", "pytorch"):
        found = assess(preset(folder, kind="vision", engine=engine), WITH_GPU, COMPLETE)
        assert (found.state is ReadyState.READY) == (engine in engines), found.reason


@pytest.mark.parametrize("engine", ["auto", "turbomind", "pytorch", "transformers"])
def test_so_is_internvl_in_transformers_layout(engine: str, tmp_path: Path) -> None:
    folder = write_internvl_hf(tmp_path / "model", head_dim=64, max_position_embeddings=4096)
    found = assess(preset(folder, kind="vision", engine=engine), WITH_GPU, COMPLETE)
    assert (found.state, found.engine) == (ReadyState.READY, "turbomind" if engine == "auto" else engine)
    found = assess(preset(folder, kind="vision"), NO_GPU, COMPLETE)
    assert (found.state, found.engine) == (ReadyState.READY, "transformers"), found.reason


@pytest.mark.parametrize("write", [partial(write_internvl_hf, head_dim=64), write_qwen_vl])
def test_what_lmdeploy_alone_needs_is_missed_on_a_card(write: Any, tmp_path: Path) -> None:
    """It loads transformers' processor, which nobody else does."""
    folder = write(tmp_path / "model", max_position_embeddings=4096)
    (folder / "preprocessor_config.json").unlink()
    found = assess(preset(folder, kind="vision"), WITH_GPU, COMPLETE)
    assert found.state is ReadyState.BROKEN
    assert f"{folder} holds no preprocessor_config.json" in str(found.reason)
    assert assess(preset(folder, kind="vision"), NO_GPU, COMPLETE).state is ReadyState.READY


def test_a_vocabulary_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published ones have 11 MB, and all presets are assessed whenever the launcher starts."""
    folder, read = write_qwen_vl(tmp_path / "model", max_position_embeddings=4096), list[str]()

    def counting(path: Path, limit_bytes: int) -> bytes:
        read.append(path.name)
        return content(path, limit_bytes)

    monkeypatch.setattr("launcher.checkpoints.vocabulary.content", counting)
    for devices in (NO_GPU, WITH_GPU):
        found = assess(preset(folder, kind="vision"), devices, COMPLETE)
        assert standing(found, devices, COMPLETE).disk_bytes == (folder / "model.safetensors").stat().st_size
        assert read == ["tokenizer.json"]
        read.clear()


@pytest.mark.parametrize("engine", ["auto", "transformers"])
def test_other_colours_and_fewer_tiles_are_told_before_anything_loads(engine: str, tmp_path: Path) -> None:
    folder = write_internvl_hf(tmp_path / "model", head_dim=64, max_position_embeddings=4096)
    file = folder / "preprocessor_config.json"
    whole = json.loads(file.read_text(encoding="utf-8"))
    for changes, words in (
        ({"image_mean": [0.5, 0.5, 0.5]}, f"{file}: image_mean is [0.5, 0.5, 0.5]; the launcher prepares"),
        ({"max_patches": 6}, f"{file}: max_patches is 6, but pictures may have 12 tiles here"),
    ):
        file.write_text(json.dumps({**whole, **changes}), encoding="utf-8")
        found = assess(preset(folder, kind="vision", engine=engine), WITH_GPU, COMPLETE)
        assert found.state is ReadyState.BROKEN
        assert words in str(found.reason)
    six = MemorySettings(max_tiles=6)
    found = assess(preset(folder, kind="vision", engine=engine, memory=six), WITH_GPU, COMPLETE)
    assert found.state is ReadyState.READY, found.reason


def test_the_shipped_internvl3_5_takes_either_layout(tmp_path: Path) -> None:
    """Its makers' layout first, which alone has been run on a GPU (InternVL2-2B has it); of
    transformers' it says the same."""
    found = read_presets().find("internvl3_5-2b")
    plans = []
    for name in ("OpenGVLab/InternVL3_5-2B", "OpenGVLab/InternVL3_5-2B-HF"):
        assert f"hf:{name}" in found.sources
        config = json.dumps(families.KNOWN_CONFIGS[name]).encode()
        facts = facts_in_config(config, tmp_path / "config.json")
        plans.append(assess_facts(found, tmp_path, facts, WITH_GPU, COMPLETE).plan)
    assert plans[0] == plans[1] is not None
    assert families.known_config(found.sources) == families.KNOWN_CONFIGS["OpenGVLab/InternVL3_5-2B"]


@pytest.mark.parametrize("devices", [NO_GPU, WITH_GPU], ids=["cpu", "card"])
def test_tiles_of_one_are_refused_before_anything_loads(devices: Any, tmp_path: Path) -> None:
    folder = write_qwen_vl(tmp_path / "model", max_position_embeddings=4096)
    found = assess(preset(folder, kind="vision", memory=MemorySettings(max_tiles=4)), devices, COMPLETE)
    assert found.state is ReadyState.UNSUPPORTED
    assert "does not cut pictures into tiles" in str(found.reason)


@pytest.mark.parametrize(
    ("name", "picture_tokens"),
    [
        ("qwen3-vl-2b-instruct", 1024),
        ("qwen2_5-vl-3b-instruct-awq", 1024),
        ("qwen3_5-2b", 1024),
        ("internvl3_5-2b", 13 * 256),
    ],
)
def test_the_shipped_preset_fits_8_gib_before_it_is_downloaded(name: str, picture_tokens: int) -> None:
    found = shipped(name)
    assert found.plan is not None, found.reason
    assert found.plan.peak_bytes < 8 * GIB
    assert found.plan.changes == ()
    assert found.plan.kv_bits == 16
    assert found.plan.picture_tokens == picture_tokens
    assert found.plan.session_tokens > picture_tokens + 1024


@pytest.mark.parametrize("at_once", [16, 64])
def test_states_of_linear_layers_are_planned(at_once: int) -> None:
    """Qwen3.5-2B's take 9.84 MiB for each that is answered: beside the PyTorch engine's cache, with two to
    spare; of TurboMind's own cache, whose pages they fill."""
    sizes = families.model_sizes(families.KNOWN_CONFIGS["Qwen/Qwen3.5-2B"])
    assert sizes.kv_token_bytes(16) == 6 * 2 * 2 * 256 * 2
    assert sizes.state_bytes == 18 * (6144 * 4 + 16 * 128 * 128) * 2
    plain = replace(sizes, language=replace(sizes.language, state_elements=0))
    memory, card = MemorySettings(gpu_budget_gib=16, kv_cache_ratio=0.3), Card(16 * GIB, 16 * GIB)
    for engine in ("pytorch", "turbomind"):
        own, other = (Problem(memory, each, engine, card, "bfloat16") for each in (sizes, plain))
        setting = Setting(16, own.full_pictures, at_once)
        beside = own.activation_bytes(setting) - other.activation_bytes(setting)
        fewer = (other.cache_tokens(setting) - own.cache_tokens(setting)) * sizes.kv_token_bytes(16)
        assert beside == (0 if engine == "turbomind" else (at_once + 2) * sizes.state_bytes)
        assert (fewer >= at_once * sizes.state_bytes) == (engine == "turbomind")


def test_turbomind_has_no_room_for_the_copies_of_so_large_a_table_on_8_gib() -> None:
    found = shipped("qwen3_5-2b", engine="turbomind")
    assert found.state is ReadyState.UNSUPPORTED
    assert "The model does not fit 8.00 GiB: while its weights" in str(found.reason)
    assert "set engine: pytorch" in str(found.reason)


def test_one_that_is_not_bounded_takes_as_large_pictures_as_the_cache_holds() -> None:
    found = shipped("qwen3-vl-2b-instruct", max_picture_tokens="auto")
    assert found.plan is not None
    assert [change.template.split(" {")[0] for change in found.plan.changes] == ["Tokens of a picture"]
    assert 1024 < found.plan.picture_tokens < 16384


@pytest.mark.parametrize(("tokens", "tiles"), [(256, 1), (767, 1), (768, 2), (1024, 3), (20000, 12)])
def test_tokens_are_rounded_down_to_tiles(tokens: int, tiles: int) -> None:
    found = shipped("internvl2-2b", max_picture_tokens=tokens)
    assert found.plan is not None
    assert (found.plan.max_tiles, found.plan.picture_tokens <= tokens) == (tiles, True)


@pytest.mark.parametrize(
    ("name", "tokens", "words"),
    [
        ("internvl2-2b", 255, "the smallest picture of this model takes 256"),
        ("internlm-xcomposer2-vl-1_8b", 1024, "every picture of this model takes 1225 tokens"),
    ],
)
def test_what_pictures_cannot_be_is_said(name: str, tokens: int, words: str) -> None:
    found = shipped(name, max_picture_tokens=tokens)
    assert found.state is ReadyState.UNSUPPORTED
    assert words in str(found.reason)


def test_one_of_constant_pictures_may_say_so() -> None:
    assert shipped("internlm-xcomposer2-vl-1_8b", max_picture_tokens=1225).state is ReadyState.READY
