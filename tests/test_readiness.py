"""Where a preset stands: real presets and checkpoint folders, on machines described by their facts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from safetensors.torch import save_file as save_torch

from launcher.checkpoints import locating, read_facts
from launcher.devices import Devices, Gpu
from launcher.engine_costs import COSTS
from launcher.errors import CheckpointError, DeviceError, MemoryPlanError, MissingPart, PresetError
from launcher.presets import Preset, read_presets
from launcher.readiness import COMPLETE, SLOW, Readiness, ReadyState, assess, installed_engines
from tests.layer_names import EMPTY_LAYERS, header_of
from tests.models.tiny import tokenizer_config, tokenizer_model, write_internlm2
from tests.published import KNOWN_CONFIGS

GIB = 2**30
CARD = Gpu("Card", "GPU-a", 8 * GIB, 7 * GIB, (8, 6), "570.1", (12, 8))
NO_GPU = Devices((), 16 * GIB, 12 * GIB)
WITH_GPU = Devices((CARD,), 16 * GIB, 12 * GIB)


def machine_with(*free_gib: int) -> Devices:
    """As many cards, numbered from 0."""
    cards = [
        replace(CARD, uuid=f"GPU-{number}", number=str(number), free_bytes=free * GIB)
        for number, free in enumerate(free_gib)
    ]
    return Devices(tuple(cards), 16 * GIB, 12 * GIB)


LANGUAGE = {
    "architectures": ["InternLM2ForCausalLM"],
    "model_type": "internlm2",
    "hidden_size": 2048,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "vocab_size": 92544,
    "max_position_embeddings": 32768,
    "torch_dtype": "bfloat16",
}


@pytest.fixture(autouse=True)
def bare_machine(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No models but those that a test makes, and a folder for them in LAUNCHER_MODELS."""
    monkeypatch.setenv("LAUNCHER_MODELS", str(tmp_path))
    monkeypatch.setattr(locating, "BUILTIN", tmp_path / "builtin")


def shipped(name: str, **changes: Any) -> Preset:
    return read_presets().find(name).model_copy(update=changes)


def put(folder: Path, config: dict[str, Any] = LANGUAGE, weight_bytes: int = 4096, *more: str) -> Path:
    """A checkpoint whose weights are holes, so that it may have any size; ``more`` are empty tensors."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.model").write_bytes(tokenizer_model())
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config("internvl2")), encoding="utf-8")
    header = json.dumps(header_of(weight_bytes, *more)).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + weight_bytes)
    return folder


def refused(found: Readiness, state: ReadyState) -> str:
    """The sentence and the hint of a preset that cannot run, having made sure that nothing says it could."""
    assert found.state is state
    assert found.reason is not None
    assert (found.engine, found.device, found.folder, found.plan) == ("", "", None, None)
    if found.command:
        assert found.command in found.reason.hint or state is ReadyState.BROKEN
    return str(found.reason)


class TestAbsent:
    def test_without_a_gpu_both_are_said(self) -> None:
        found = assess(shipped("internvl2-2b"), NO_GPU, COMPLETE)
        text = refused(found, ReadyState.NEEDS_DOWNLOAD)
        assert "internvl2-2b is not on this machine, and without an NVIDIA GPU it will be slow" in text
        assert "~/share/new_models/OpenGVLab/InternVL2-2B" in text
        assert found.command.endswith("launcher pull internvl2-2b")

    def test_with_a_gpu_only_the_download_is_missing(self) -> None:
        text = refused(assess(shipped("internvl2-2b"), WITH_GPU, COMPLETE), ReadyState.NEEDS_DOWNLOAD)
        assert "without an NVIDIA GPU" not in text

    def test_awq_without_a_gpu_needs_one_first(self) -> None:
        text = refused(
            assess(shipped("internvl2-2b-awq", engine="turbomind"), NO_GPU, COMPLETE), ReadyState.NEEDS_GPU
        )
        assert "needs an NVIDIA GPU, and this machine has none; the model is not here either" in text

    def test_a_preset_of_folders_alone(self) -> None:
        found = assess(shipped("internvl2-2b", sources=("/nowhere",)), WITH_GPU, COMPLETE)
        assert "Looked for it at /nowhere" in refused(found, ReadyState.NEEDS_DOWNLOAD)
        assert found.command == ""


class TestOnTheCpu:
    def test_a_builtin_model_is_ready(self, tmp_path: Path) -> None:
        folder = put(tmp_path / "builtin" / "shapes-internvl2", KNOWN_CONFIGS["internvl2-2b"])
        found = assess(shipped("shapes-internvl2"), NO_GPU, COMPLETE)
        assert found == Readiness(
            found.preset, ReadyState.READY, engine="transformers", device="cpu", folder=folder
        )

    def test_a_large_one_is_said_to_be_slow(self, tmp_path: Path) -> None:
        put(tmp_path / "internlm2-chat-1_8b", weight_bytes=4 * GIB)
        found = assess(shipped("internlm2-chat-1_8b"), NO_GPU, COMPLETE)
        assert (found.state, found.engine, found.device, found.note) == (
            ReadyState.READY,
            "transformers",
            "cpu",
            SLOW,
        )

    @pytest.mark.parametrize(
        ("weight_gib", "size_gib"),
        [(4, 10.25), (0.1, None)],
        ids=["twice, a spare and what is kept", "small ones all stay"],
    )
    def test_what_it_takes_of_ram_is_known(
        self, tmp_path: Path, weight_gib: float, size_gib: float | None
    ) -> None:
        put(tmp_path / "internlm2-chat-1_8b", weight_bytes=int(weight_gib * GIB))
        found = assess(shipped("internlm2-chat-1_8b"), NO_GPU, COMPLETE)
        assert found.size_bytes == (None if size_gib is None else pytest.approx(size_gib * GIB, rel=1e-6))

    def test_one_that_does_not_fit_is_refused_with_figures(self, tmp_path: Path) -> None:
        put(tmp_path / "internlm2-chat-1_8b", weight_bytes=4 * GIB)
        found = assess(shipped("internlm2-chat-1_8b"), replace(NO_GPU, ram_free_bytes=8 * GIB), COMPLETE)
        assert "needs about 10.2 GiB of memory on the CPU; 8.0 of 16.0 GiB are free" in refused(
            found, ReadyState.UNSUPPORTED
        )

    @pytest.mark.parametrize("engine", ["turbomind", "pytorch"])
    def test_lmdeploy_s_engines_need_a_gpu(self, tmp_path: Path, engine: str) -> None:
        put(tmp_path / "internlm2-chat-1_8b")
        found = assess(shipped("internlm2-chat-1_8b", engine=engine), NO_GPU, COMPLETE)
        assert "needs an NVIDIA GPU" in refused(found, ReadyState.NEEDS_GPU)

    @pytest.mark.parametrize(("method", "bits"), [("gptq", 4), ("awq", 8)])
    def test_weights_that_only_lmdeploy_reads_need_a_gpu_whatever_the_preset_says(
        self, tmp_path: Path, method: str, bits: int
    ) -> None:
        quantised = {**LANGUAGE, "quantization_config": {"quant_method": method, "bits": bits}}
        put(tmp_path / "internlm2-chat-1_8b", quantised)
        found = assess(shipped("internlm2-chat-1_8b", engine="transformers"), NO_GPU, COMPLETE)
        refused(found, ReadyState.NEEDS_GPU)

    def test_awq_runs_on_transformers(self, tmp_path: Path) -> None:
        quantised = {**LANGUAGE, "quantization_config": {"quant_method": "awq", "bits": 4}}
        put(tmp_path / "internlm2-chat-1_8b", quantised, 4096, "model.layers.0.attention.wo.qweight")
        found = assess(shipped("internlm2-chat-1_8b"), NO_GPU, COMPLETE)
        assert (found.state, found.engine, found.device) == (ReadyState.READY, "transformers", "cpu")

    @pytest.mark.parametrize(
        ("quantization", "tensor", "words"),
        [
            ({"quant_method": "awq", "bits": 4}, "w", "have four bits (awq), and none has"),
            (None, "wo.qweight", "the weights have four bits, and config.json does not say so"),
        ],
    )
    def test_bits_that_only_one_of_the_files_speaks_of_are_told(
        self, tmp_path: Path, quantization: object, tensor: str, words: str
    ) -> None:
        quantised = {**LANGUAGE, "quantization_config": quantization}
        put(tmp_path / "internlm2-chat-1_8b", quantised, 4096, f"model.layers.0.attention.{tensor}")
        found = assess(shipped("internlm2-chat-1_8b"), NO_GPU, COMPLETE)
        assert words in refused(found, ReadyState.BROKEN)

    def test_what_is_made_here_says_how(self) -> None:
        found = assess(shipped("internlm-xcomposer2-vl-1_8b-awq"), NO_GPU, COMPLETE)
        text = refused(found, ReadyState.NEEDS_DOWNLOAD)
        assert text.endswith("launcher quantize internlm-xcomposer2-vl-1_8b")
        assert "To make it" in text

    def test_without_transformers_the_command_is_given(self, tmp_path: Path) -> None:
        put(tmp_path / "internlm2-chat-1_8b")
        found = assess(
            shipped("internlm2-chat-1_8b"),
            NO_GPU,
            replace(COMPLETE, missing=frozenset({"torch", "transformers"})),
        )
        assert "python -m pip install torch transformers" in refused(found, ReadyState.UNSUPPORTED)


class TestOnAGpu:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return put(tmp_path / "internlm2-chat-1_8b", weight_bytes=GIB)

    def test_auto_takes_turbomind_with_a_plan(self, folder: Path) -> None:
        found = assess(shipped("internlm2-chat-1_8b"), WITH_GPU, COMPLETE)
        assert (found.state, found.engine, found.device, found.folder) == (
            ReadyState.READY,
            "turbomind",
            "cuda:0",
            folder,
        )
        assert found.plan is not None
        assert found.plan.engine == "turbomind"
        assert found.plan.total_bytes <= 7 * GIB

    def test_the_preset_s_engine_is_taken(self, folder: Path) -> None:
        assert (
            assess(shipped("internlm2-chat-1_8b", engine="pytorch"), WITH_GPU, COMPLETE).engine == "pytorch"
        )
        assert (
            assess(shipped("internlm2-chat-1_8b", engine="transformers"), WITH_GPU, COMPLETE).engine
            == "transformers"
        )

    def test_every_card_has_a_plan_and_the_roomiest_comes_first(self, folder: Path) -> None:
        cards = machine_with(2, 7, 6)
        found = assess(shipped("internlm2-chat-1_8b"), cards, COMPLETE)
        assert [place.gpu.number for place in found.places if place.gpu] == ["1", "2"], "one has no room"
        assert [place.device for place in found.places] == ["cuda:0", "cuda:0"], "each process sees one"
        for place in found.places:
            assert place.plan is not None
            assert place.gpu is not None
            assert place.plan.total_bytes <= place.gpu.free_bytes
        assert found.place == "GPU 1 or 2"

    @pytest.mark.parametrize("gpu", [2, "2", "GPU-2"])
    def test_a_preset_may_name_its_card(self, folder: Path, gpu: int | str) -> None:
        found = assess(shipped("internlm2-chat-1_8b", gpu=gpu), machine_with(7, 7, 6), COMPLETE)
        assert found.place == "GPU 2"
        assert not found.elsewhere

    @pytest.mark.parametrize("gpu", [3, "GPU-", "MIG-1"])
    def test_a_card_that_is_not_there_is_refused_with_those_that_are(
        self, folder: Path, gpu: int | str
    ) -> None:
        found = assess(shipped("internlm2-chat-1_8b", gpu=gpu), machine_with(7, 6), COMPLETE)
        text = refused(found, ReadyState.UNSUPPORTED)
        assert f"is for GPU {gpu}, and there is none such" in text
        assert "0 (Card, GPU-0), 1 (Card, GPU-1)" in text

    def test_a_card_that_is_named_where_there_is_none_is_refused(self, folder: Path) -> None:
        found = assess(shipped("internlm2-chat-1_8b", gpu=0), NO_GPU, COMPLETE)
        assert "this machine has no NVIDIA GPU" in refused(found, ReadyState.UNSUPPORTED)

    def test_a_card_that_is_too_small_does_not_send_the_model_to_the_cpu(self, folder: Path) -> None:
        without = replace(COMPLETE, missing=frozenset({"lmdeploy"}))
        found = assess(shipped("internlm2-chat-1_8b"), machine_with(1, 7), without)
        assert (found.engine, found.place, found.elsewhere) == ("transformers", "GPU 1", ())

    def test_without_lmdeploy_auto_falls_to_transformers(self, folder: Path) -> None:
        without = replace(COMPLETE, missing=frozenset({"lmdeploy"}))
        assert assess(shipped("internlm2-chat-1_8b"), WITH_GPU, without).device == "cuda:0"
        assert (
            assess(shipped("internlm2-chat-1_8b"), WITH_GPU, replace(without, torch_cuda=False)).device
            == "cpu"
        )
        found = assess(shipped("internlm2-chat-1_8b", engine="turbomind"), WITH_GPU, without)
        reason = refused(found, ReadyState.UNSUPPORTED)
        assert "needs packages that are not installed: lmdeploy>=0.18,<0.19" in reason
        assert isinstance(found.reason, MissingPart)

    def test_weights_of_32_bits_are_planned_at_the_16_that_are_loaded(self, tmp_path: Path) -> None:
        """Same model, both ways: at work nothing differs. While they load, TurboMind has the embedding table
        on the card as the file holds it, and makes 16 bits of it there: on a card of 8 GiB an InternVL3.5-2B
        of 32 bits, planned at 7.1 GiB, ended out of memory."""
        plans = []
        for name, dtype in (("wide", torch.float32), ("narrow", torch.bfloat16)):
            folder = write_internlm2(
                tmp_path / name, hidden_size=256, num_attention_heads=2, max_position_embeddings=32768
            )
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            tensors = load_file(folder / "model.safetensors")
            save_torch({key: each.to(dtype) for key, each in tensors.items()}, folder / "model.safetensors")
            found = assess(shipped("internlm2-chat-1_8b", sources=(str(folder),)), WITH_GPU, COMPLETE)
            assert found.engine == "turbomind"
            assert found.plan is not None
            plans.append(found.plan)
            table_bytes = config["vocab_size"] * config["hidden_size"] * 2
        wide, narrow = plans
        more_bytes = wide.loading_bytes - narrow.loading_bytes
        assert more_bytes == pytest.approx((COSTS["turbomind"].load_copies + 1) * table_bytes, abs=2)
        assert wide == replace(narrow, loading_bytes=wide.loading_bytes)

    def test_an_old_card_or_driver_is_named(self, folder: Path) -> None:
        for card in (replace(CARD, compute_capability=(6, 1)), replace(CARD, cuda_driver=(11, 4))):
            found = assess(shipped("internlm2-chat-1_8b"), replace(WITH_GPU, gpus=(card,)), COMPLETE)
            refused(found, ReadyState.UNSUPPORTED)
            assert isinstance(found.reason, DeviceError)

    @pytest.mark.parametrize(("wanted", "planned"), [("auto", "bfloat16"), ("float16", "float16")])
    def test_the_preset_s_dtype_is_planned(self, folder: Path, wanted: str, planned: str) -> None:
        found = assess(shipped("internlm2-chat-1_8b", dtype=wanted), WITH_GPU, COMPLETE)
        assert found.plan is not None
        assert found.plan.dtype == planned

    @pytest.mark.parametrize("engine", ["auto", "transformers"])
    def test_a_dtype_that_the_card_has_not_is_refused(self, folder: Path, engine: str) -> None:
        old = replace(WITH_GPU, gpus=(replace(CARD, compute_capability=(7, 5)),))
        found = assess(shipped("internlm2-chat-1_8b", dtype="bfloat16", engine=engine), old, COMPLETE)
        assert "Set dtype: auto" in refused(found, ReadyState.UNSUPPORTED)

    def test_a_plan_that_does_not_fit_is_the_reason(self, folder: Path) -> None:
        card = replace(CARD, free_bytes=GIB // 2)
        found = assess(shipped("internlm2-chat-1_8b"), replace(WITH_GPU, gpus=(card,)), COMPLETE)
        refused(found, ReadyState.UNSUPPORTED)
        assert isinstance(found.reason, MemoryPlanError)


class TestBroken:
    def test_a_broken_folder_is_fetched_anew_where_it_lies(self, tmp_path: Path) -> None:
        folder = put(tmp_path / "internlm2-chat-1_8b")
        (folder / "model.safetensors").write_bytes(b"x")
        found = assess(shipped("internlm2-chat-1_8b"), NO_GPU, COMPLETE)
        assert "model.safetensors is broken or cut short" in refused(found, ReadyState.BROKEN)
        assert isinstance(found.reason, CheckpointError)
        assert found.command.endswith("launcher pull internlm2-chat-1_8b")

    def test_one_that_lacks_a_size_is_named_with_file_and_key(self, tmp_path: Path) -> None:
        folder = put(tmp_path / "internlm2-chat-1_8b", {**LANGUAGE, "vocab_size": None})
        found = assess(shipped("internlm2-chat-1_8b"), NO_GPU, COMPLETE)
        assert f"{folder}/config.json: vocab_size is missing" in refused(found, ReadyState.BROKEN)

    def test_a_model_that_lmdeploy_dropped_is_refused_and_need_not_be_fetched_anew(
        self, tmp_path: Path
    ) -> None:
        inside = {**LANGUAGE, "architectures": ["InternLM2VEForCausalLM"]}
        put(tmp_path / "model", {**PICTURES, "llm_config": inside})
        found = assess(shipped("internvl2-2b", sources=(str(tmp_path / "model"),)), WITH_GPU, COMPLETE)
        assert "Mono-InternVL" in refused(found, ReadyState.UNSUPPORTED)
        assert found.command == ""

    def test_an_architecture_that_nobody_knows(self, tmp_path: Path) -> None:
        put(tmp_path / "internlm2-chat-1_8b", {"architectures": ["Qwen9ForCausalLM"]})
        found = assess(shipped("internlm2-chat-1_8b"), NO_GPU, COMPLETE)
        assert "Qwen9ForCausalLM" in refused(found, ReadyState.UNSUPPORTED)


def test_xcomposer2_runs_on_the_pytorch_engine_through_our_plug_in(tmp_path: Path) -> None:
    own = {"architectures": ["InternLMXComposer2ForCausalLM"], "model_type": "internlmxcomposer2"}
    config = {**LANGUAGE, **own, "img_size": 490}
    put(tmp_path / "internlm-xcomposer2-vl-1_8b", config)
    found = assess(shipped("internlm-xcomposer2-vl-1_8b"), WITH_GPU, COMPLETE)
    assert (found.state, found.engine, found.device) == (ReadyState.READY, "pytorch", "cuda:0")
    assert found.plan is not None
    found = assess(shipped("internlm-xcomposer2-vl-1_8b", engine="turbomind"), WITH_GPU, COMPLETE)
    assert found.state is ReadyState.UNSUPPORTED


def test_an_engine_that_needs_no_checkpoint_takes_any_folder(tmp_path: Path) -> None:
    found = assess(shipped("internvl2-2b", engine="scripted", sources=(str(tmp_path),)), NO_GPU, COMPLETE)
    assert (found.state, found.engine, found.device, found.folder) == (
        ReadyState.READY,
        "scripted",
        "cpu",
        tmp_path,
    )


def test_the_engines_of_this_machine_are_found_without_importing_them() -> None:
    found = installed_engines()
    assert "transformers" in found.names


def test_the_hand_made_checkpoints_are_what_the_library_writes(tmp_path: Path) -> None:
    """Guards this file's own ``put``: both writers give the same facts."""
    ours = read_facts(put(tmp_path / "ours", weight_bytes=64))
    theirs = put(tmp_path / "theirs", weight_bytes=1)
    empty = {name: np.zeros(0, np.uint8) for name in EMPTY_LAYERS}
    save_file({"w": np.zeros(64, np.uint8), **empty}, theirs / "model.safetensors")
    assert set(ours.tensors) == set(read_facts(theirs).tensors)


PICTURES = KNOWN_CONFIGS["internvl2-2b"]
XCOMPOSER = KNOWN_CONFIGS["internlm-xcomposer2-vl-1_8b"]
CHECKPOINTS = {
    "internlm2": LANGUAGE,
    "internvl2": PICTURES | {"template": "internlm2-chat"},
    "internvl2_5": PICTURES | {"template": "internvl2_5"},
    "xcomposer2": XCOMPOSER,
}


class TestAPresetThatCannotBeTheCheckpoints:
    @pytest.mark.parametrize("kind", ["text", "vision"])
    @pytest.mark.parametrize("template", ["auto", *CHECKPOINTS])
    @pytest.mark.parametrize("own", CHECKPOINTS)
    def test_every_kind_and_template_on_every_checkpoint(
        self, tmp_path: Path, own: str, template: str, kind: str
    ) -> None:
        put(tmp_path / "model", CHECKPOINTS[own])
        named = shipped("internlm2-chat-1_8b", kind=kind, sources=(str(tmp_path / "model"),))
        chat = named.chat.model_copy(update={"template": template})
        found = assess(named.model_copy(update={"chat": chat}), NO_GPU, COMPLETE)
        if kind == "vision" and own == "internlm2":
            assert isinstance(found.reason, PresetError)
            said = refused(found, ReadyState.UNSUPPORTED)
            assert "InternLM2ForCausalLM" in said
            assert "`kind: text`" in said
        elif template in ("auto", own):
            assert found.state is ReadyState.READY, found.reason
        else:
            assert isinstance(found.reason, PresetError)
            said = refused(found, ReadyState.UNSUPPORTED)
            assert f"chat.template is {template}" in said
            assert f"`template: {own}`" in said

    @pytest.mark.parametrize("form", ["phi3-chat", "internvl_zh", "", 7])
    def test_a_form_that_the_launcher_cannot_write(self, tmp_path: Path, form: object) -> None:
        put(tmp_path / "model", PICTURES | {"template": form})
        found = assess(shipped("internvl2-2b", sources=(str(tmp_path / "model"),)), NO_GPU, COMPLETE)
        said = refused(found, ReadyState.UNSUPPORTED)
        assert "was trained on the prompt form" in said
        assert "It can write internvl2, internvl2_5." in said

    def test_an_internvl_checkpoint_that_names_no_form_is_internvl2(self, tmp_path: Path) -> None:
        put(tmp_path / "model", PICTURES)
        found = assess(shipped("internvl2-2b", sources=(str(tmp_path / "model"),)), NO_GPU, COMPLETE)
        assert found.state is ReadyState.READY, found.reason
