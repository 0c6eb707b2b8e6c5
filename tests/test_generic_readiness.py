"""Where presets of the generic way stand: tiny checkpoints in the published layout, and the shipped preset
with its published config."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher import families
from launcher.checkpoints import facts_in_config
from launcher.devices import Devices, Gpu
from launcher.errors import PresetError, UnsupportedModel
from launcher.presets import BilingualText, ChatSettings, MemorySettings, Preset, read_presets
from launcher.readiness import COMPLETE, ReadyState, assess, assess_facts
from tests.models.tiny_generic import ARCHITECTURES, write_generic

GIB = 2**30
CARD = Gpu("Card", "GPU-a", 8 * GIB, 8 * GIB, (8, 6), "570.1", (12, 8))
NO_GPU = Devices((), 16 * GIB, 12 * GIB)
WITH_GPU = Devices((CARD,), 16 * GIB, 12 * GIB)


def preset(folder: Path, **changes: Any) -> Preset:
    title = BilingualText(en="A", zh="A")
    return Preset(**{"name": "a", "title": title, "kind": "text", "sources": (str(folder),), **changes})


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_they_are_ready_on_the_cpu_and_on_a_card(architecture: str, tmp_path: Path) -> None:
    folder = write_generic(tmp_path / "model", architecture)
    found = assess(preset(folder), NO_GPU, COMPLETE)
    assert (found.state, found.engine, found.device) == (ReadyState.READY, "transformers", "cpu")
    larger = write_generic(tmp_path / "larger", architecture, head_dim=64, max_position_embeddings=4096)
    for engine in ("turbomind", "pytorch"):
        found = assess(preset(larger, engine=engine), WITH_GPU, COMPLETE)
        assert (found.state, found.engine) == (ReadyState.READY, engine), found.reason


def test_heads_without_kernels_are_said_before_anything_loads(tmp_path: Path) -> None:
    folder = write_generic(tmp_path / "model", "LlamaForCausalLM", head_dim=80, max_position_embeddings=4096)
    found = assess(preset(folder), WITH_GPU, COMPLETE)
    assert (found.state, found.engine) == (ReadyState.READY, "pytorch")
    found = assess(preset(folder, engine="turbomind"), WITH_GPU, COMPLETE)
    assert "turbomind has no kernels for LlamaForCausalLM with 80 numbers" in str(found.reason)


@pytest.mark.parametrize("engine", ["turbomind", "pytorch"])
def test_a_model_that_looks_at_its_last_tokens_has_sessions_of_no_more(engine: str, tmp_path: Path) -> None:
    """TurboMind would look at all, and the PyTorch engine would in layers that look at all: to the window
    there is no difference."""
    window = {"sliding_window": 1024, "max_window_layers": 1, "max_position_embeddings": 4096, "head_dim": 64}
    folder = write_generic(tmp_path / "model", "Qwen3ForCausalLM", **window, use_sliding_window=True)
    found = assess(preset(folder, engine=engine), WITH_GPU, COMPLETE)
    assert found.plan is not None, found.reason
    assert found.plan.session_tokens == 1024
    folder = write_generic(tmp_path / "other", "Qwen3ForCausalLM", **window, use_sliding_window=False)
    found = assess(preset(folder, engine=engine), WITH_GPU, COMPLETE)
    assert found.plan is not None
    assert found.plan.session_tokens == 4096


def test_the_shipped_preset_fits_8_gib_before_it_is_downloaded() -> None:
    """The head that TurboMind builds is as large as the embedding table."""
    shipped = read_presets().find("qwen3-1_7b")
    config = families.known_config(shipped.sources)
    assert config is not None
    facts = facts_in_config(json.dumps(config).encode(), Path("config.json"))
    weights = {}
    for engine in ("turbomind", "pytorch"):
        wanted = shipped.model_copy(update={"engine": engine})
        found = assess_facts(wanted, Path("qwen"), facts, WITH_GPU, COMPLETE)
        assert found.plan is not None, found.reason
        assert found.plan.peak_bytes < 8 * GIB
        assert found.plan.changes == ()
        weights[engine] = found.plan.part_bytes("language_model")
    assert weights["turbomind"] - weights["pytorch"] == 151936 * 2048 * 2
    four = replace(CARD, total_bytes=4 * GIB, free_bytes=4 * GIB)
    found = assess_facts(shipped, Path("qwen"), facts, replace(WITH_GPU, gpus=(four,)), COMPLETE)
    assert found.state is ReadyState.UNSUPPORTED


def test_internlm3_says_by_how_much_it_is_too_large() -> None:
    """Of 8 GiB; a card of 24 GiB takes it on either engine."""
    source = "hf:internlm/internlm3-8b-instruct"
    config = families.known_config((source,))
    assert config is not None
    facts = facts_in_config(json.dumps(config).encode(), Path("config.json"))
    wanted = preset(Path("model"), sources=(source,), memory=MemorySettings(gpu_budget_gib=24))
    found = assess_facts(wanted, Path("internlm3"), facts, WITH_GPU, COMPLETE)
    assert found.state is ReadyState.UNSUPPORTED
    assert "The model does not fit 8.00 GiB: while its weights of 16.40 GiB load, it takes" in str(
        found.reason
    )
    assert "It takes a card with " in str(found.reason)
    larger = replace(CARD, total_bytes=24 * GIB, free_bytes=24 * GIB)
    for engine in ("turbomind", "pytorch"):
        on_engine = wanted.model_copy(update={"engine": engine})
        found = assess_facts(on_engine, Path("internlm3"), facts, replace(WITH_GPU, gpus=(larger,)), COMPLETE)
        assert (found.state, found.engine) == (ReadyState.READY, engine), found.reason


def test_a_base_model_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    folder = write_generic(tmp_path / "model", "Qwen2ForCausalLM")
    (folder / "chat_template.jinja").unlink()
    found = assess(preset(folder), NO_GPU, COMPLETE)
    assert found.state is ReadyState.UNSUPPORTED
    assert isinstance(found.reason, UnsupportedModel)
    assert "has no chat template: it is a base model" in found.reason.message


def test_a_template_may_stand_in_the_tokenizer_s_config(tmp_path: Path) -> None:
    """Where it stood before 2025."""
    folder = write_generic(tmp_path / "model", "Qwen2ForCausalLM")
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    (folder / "chat_template.jinja").unlink()
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**config, "chat_template": template}), encoding="utf-8")
    assert assess(preset(folder), NO_GPU, COMPLETE).state is ReadyState.READY


@pytest.mark.parametrize(("template", "state"), [("tokenizer", "ready"), ("internlm2", "not supported here")])
def test_a_preset_may_say_the_form_and_only_the_right_one(template: str, state: str, tmp_path: Path) -> None:
    folder = write_generic(tmp_path / "model", "Qwen2ForCausalLM")
    found = assess(preset(folder, chat=ChatSettings(template=template)), NO_GPU, COMPLETE)  # type: ignore[arg-type]
    assert found.state.value == state
    assert found.reason is None or isinstance(found.reason, PresetError)


def test_a_chat_template_beyond_any_size_is_not_read(tmp_path: Path) -> None:
    folder = write_generic(tmp_path / "model", "Qwen2ForCausalLM")
    (folder / "chat_template.jinja").write_bytes(b" " * (2**20 + 1))
    found = assess(preset(folder), NO_GPU, COMPLETE)
    assert found.state is ReadyState.BROKEN
    assert "no chat template has more than" in str(found.reason)
