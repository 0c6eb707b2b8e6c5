"""What is made of a machine's facts. GPUs are those that ``launcher.devices`` reads from a driver that is
played."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pynvml
import pytest

from launcher.commands_here import pip_install
from launcher.devices import Devices, read_gpus
from launcher.diagnosis import (
    GPU_PACKAGES,
    PACKAGES,
    PYTHON,
    TIGHT_MODEL_DISK_BYTES,
    Disk,
    Facts,
    Finding,
    Level,
    Log,
    Probe,
    diagnose,
    exit_code,
)
from launcher.endpoints.failures import unreachable
from launcher.errors import CheckpointError, DeviceError, EngineError, PortInUse, PresetError
from launcher.presets import Preset, read_presets
from launcher.readiness import Readiness, ReadyState, assess, installed_engines
from tests.test_devices import GIB, Nvml

if sys.version_info >= (3, 11):
    import tomllib

NO_GPU = Devices((), 16 * GIB, 12 * GIB)
PRESET = read_presets().find("internvl2-2b")
READY = Readiness(PRESET, ReadyState.READY, engine="transformers", device="cpu", folder=Path("/models/a"))
ABSENT = Readiness(
    PRESET, ReadyState.NEEDS_DOWNLOAD, reason=CheckpointError("It is not here", "Type: launcher pull a")
)
VERSIONS: dict[str, str | None] = {**dict.fromkeys(PACKAGES, "99"), "lmdeploy": None}
VERSIONS |= {"gradio": "6.40", "httpx": "0.28.1", "torch": "2.13.0+cpu", "transformers": "5.20.1"}
SOUND = Facts(
    python="3.11.7",
    versions=VERSIONS,
    probes={name: Probe() for name in ("gradio", "torch", "transformers")},
    devices=NO_GPU,
    process_names={},
    preset_errors=(),
    readiness=(READY,),
    disks=(Disk("models", Path("/models"), 2 * TIGHT_MODEL_DISK_BYTES, TIGHT_MODEL_DISK_BYTES),),
    proxy_errors=(),
    address="127.0.0.1:6006",
    port_error=None,
    logs=(),
)


@pytest.fixture(autouse=True)
def _all_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def with_gpus(**changes: Any) -> Facts:
    """The two cards of the played driver, with LMDeploy and a PyTorch for them."""
    versions = {**VERSIONS, "lmdeploy": "0.18.0", "torch": "2.10.0"}
    probes = {**SOUND.probes, "torch": Probe(cuda="12.8"), "lmdeploy.turbomind": Probe()}
    facts = replace(
        SOUND, devices=Devices(read_gpus(Nvml()), 16 * GIB, 12 * GIB), versions=versions, probes=probes
    )
    return replace(facts, **changes)


def found(facts: Facts, subject: str) -> Finding:
    (finding,) = [each for each in diagnose(facts) if each.subject == subject]
    assert bool(finding.exit_code) == (finding.level is Level.FAULT)
    assert finding.mend or finding.level is Level.OK
    return finding


def verdict(facts: Facts) -> int:
    return exit_code(diagnose(facts))


def test_a_sound_machine_without_a_gpu() -> None:
    levels = {each.subject: each.level for each in diagnose(SOUND)}
    assert levels.pop("driver") is Level.WARNING
    assert set(levels.values()) == {Level.OK}
    assert verdict(SOUND) == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 reads no TOML")
def test_the_ranges_are_those_of_the_package() -> None:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    assert sorted(project["dependencies"]) == sorted(f"{name}{wanted}" for name, wanted in PACKAGES.items())
    assert sorted(project["optional-dependencies"]["gpu"]) == sorted(
        f"{name}{wanted}" for name, wanted in GPU_PACKAGES.items()
    )
    assert project["requires-python"] == PYTHON


@pytest.mark.parametrize(("version", "code"), [("3.9.18", 9), ("3.10.0", 0), ("3.14.2", 0), ("3.15.0", 9)])
def test_python(version: str, code: int) -> None:
    assert verdict(replace(SOUND, python=version)) == code


def test_a_package_out_of_range_warns_and_a_missing_one_is_a_fault() -> None:
    other = replace(SOUND, versions={**VERSIONS, "transformers": "4.57.0"}, probes={})
    finding = found(other, "transformers")
    assert (finding.level, finding.mend) == (Level.WARNING, f"Type: {pip_install('transformers>=5.17,<6')}")
    assert verdict(other) == 0
    missing = replace(SOUND, versions={**VERSIONS, "typer": None})
    assert found(missing, "typer").mend == f"Type: {pip_install('typer>=0.29')}"
    assert verdict(missing) == 9


def test_torch_of_another_cuda_than_lmdeploy() -> None:
    facts = with_gpus(versions={**with_gpus().versions, "torch": "2.13.0"})
    (finding,) = [each for each in diagnose(facts) if each.mend == f"Type: {pip_install('torch>=2.6,<2.11')}"]
    assert finding.text == "2.13.0 is not >=2.6,<2.11, which the launcher is made for"


def test_gpus_with_who_holds_them() -> None:
    facts = with_gpus(process_names={8: "python"})
    assert found(facts, "driver").text == "NVIDIA 570.1, speaks CUDA 12.8"
    text = found(facts, "gpu 0").text
    assert text.startswith(
        "Card 0: 7.0 of 8.0 GiB free; held by python (process 8) 1.0 GiB, a program (process 7) 0.0 GiB"
    )
    assert text.endswith("a program (process 9)")
    assert found(facts, "gpu 1").level is Level.OK
    assert found(facts, "torch").text == "2.10.0 can be imported, built for CUDA 12.8"


def test_a_gpu_that_others_fill() -> None:
    (card, _) = read_gpus(Nvml())
    facts = with_gpus(devices=Devices((replace(card, free_bytes=GIB),), 0, 0))
    assert found(facts, "gpu 0").level is Level.WARNING
    assert "nvidia-smi" in found(facts, "gpu 0").mend


def test_an_old_gpu_or_driver() -> None:
    (card, _) = read_gpus(Nvml())
    for old in (replace(card, compute_capability=(6, 1)), replace(card, cuda_driver=(11, 4))):
        finding = found(with_gpus(devices=Devices((old,), 0, 0)), "gpu 0")
        assert finding.level is Level.WARNING
        assert "needs" in finding.text


def test_a_driver_that_does_not_answer_keeps_the_page_from_starting() -> None:
    with pytest.raises(DeviceError) as caught:
        read_gpus(Nvml(nvmlInit=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    facts = replace(SOUND, devices=caught.value, readiness=())
    assert found(facts, "driver").level is Level.FAULT
    assert verdict(facts) == DeviceError.exit_code


def test_a_gpu_without_lmdeploy_or_with_a_torch_for_the_cpu() -> None:
    facts = with_gpus(versions=VERSIONS, probes=SOUND.probes)
    assert found(facts, "lmdeploy").mend == f"Type: {pip_install('lmdeploy>=0.18,<0.19', 'torch<2.11')}"
    assert found(facts, "torch").text == "2.13.0+cpu is built for the CPU and does not use the GPU"
    assert verdict(facts) == 0


def test_an_engine_that_cannot_be_imported() -> None:
    broken = {**SOUND.probes, "transformers": Probe("ImportError: no")}
    assert verdict(replace(SOUND, probes=broken)) == 9
    facts = with_gpus(
        readiness=(replace(READY, engine="turbomind"),), probes={**with_gpus().probes, **broken}
    )
    assert found(facts, "transformers").level is Level.WARNING
    assert verdict(facts) == 0
    facts = replace(
        facts, probes={**facts.probes, "lmdeploy.turbomind": Probe("the process died of SIGSEGV")}
    )
    assert (
        found(facts, "lmdeploy.turbomind").mend
        == f"Install it anew: {pip_install('--force-reinstall', 'lmdeploy==0.18.0')}"
    )
    assert verdict(facts) == 9


def test_without_gradio_there_is_no_page() -> None:
    assert verdict(replace(SOUND, probes={**SOUND.probes, "gradio": Probe("ImportError: no")})) == 9


def test_models_are_faults_only_where_none_can_answer() -> None:
    both = replace(SOUND, readiness=(ABSENT, READY))
    assert [each.level for each in diagnose(both) if each.subject == f"model {PRESET.name}"] == [
        Level.WARNING,
        Level.OK,
    ]
    alone = replace(SOUND, readiness=(ABSENT,))
    assert found(alone, f"model {PRESET.name}").mend == "Type: launcher pull a"
    assert verdict(alone) == CheckpointError.exit_code


REMOTE = assess(
    Preset.model_validate(
        {
            "name": "far",
            "title": "Far",
            "kind": "text",
            "engine": {"openai": {"url": "http://127.0.0.1:9/v1", "model": "polly"}},
        }
    ),
    NO_GPU,
    installed_engines(),
)
UNREACHABLE = unreachable("http://127.0.0.1:9/v1", "Connection refused")


def test_a_model_on_a_server_that_has_it() -> None:
    for has, words in ((("molly", "polly"), "which has molly, polly"), (None, "ready with openai on")):
        facts = replace(SOUND, readiness=(REMOTE,), servers={"far": has})
        finding = found(facts, "model far")
        assert finding.level is Level.OK
        assert words in finding.text
        assert verdict(facts) == 0


@pytest.mark.parametrize(
    ("has", "words"),
    [
        (UNREACHABLE, "cannot be reached: Connection refused"),
        (("molly",), "has no model polly"),
        ((), "has no model polly"),
    ],
)
def test_a_model_whose_server_does_not_answer_for_it(has: EngineError | tuple[str, ...], words: str) -> None:
    """A fault where it is the only one; a warning beside one that answers."""
    alone = replace(SOUND, readiness=(REMOTE,), servers={"far": has})
    assert found(alone, "model far").level is Level.FAULT
    assert words in found(alone, "model far").text
    assert verdict(alone) == EngineError.exit_code
    beside = replace(alone, readiness=(REMOTE, READY))
    assert found(beside, "model far").level is Level.WARNING
    assert verdict(beside) == 0


def test_what_a_server_calls_its_models_is_shown_in_bounds() -> None:
    names = ("polly", "a\n\x1b[2Jb" * 200, *(f"model-{number}" for number in range(99)))
    text = found(replace(SOUND, readiness=(REMOTE,), servers={"far": names}), "model far").text
    assert text.isprintable()
    assert len(text) < 1500
    assert "model-98" not in text


def test_preset_files() -> None:
    wrong = PresetError("a.yaml:1: the file is empty")
    one_of_two = replace(SOUND, preset_errors=(wrong,))
    assert [each.level for each in diagnose(one_of_two) if each.subject == "presets"] == [
        Level.WARNING,
        Level.OK,
    ]
    assert verdict(one_of_two) == 0
    assert verdict(replace(one_of_two, readiness=())) == PresetError.exit_code


@pytest.mark.parametrize(
    ("free", "level"), [(None, Level.FAULT), (0, Level.WARNING), (TIGHT_MODEL_DISK_BYTES, Level.OK)]
)
def test_disks(free: int | None, level: Level) -> None:
    disk = Disk("models", Path("/models"), free, TIGHT_MODEL_DISK_BYTES)
    assert found(replace(SOUND, disks=(disk,)), "disk for models").level is level


def test_a_port_in_use() -> None:
    error = PortInUse("Port {port} is used", "Type: launcher serve --port 6007", port=6006)
    assert found(replace(SOUND, port_error=error), "port").mend == "Type: launcher serve --port 6007"
    assert verdict(replace(SOUND, port_error=error)) == 10


@pytest.mark.parametrize(
    ("line", "level"), [("loaded", Level.OK), ("torch.OutOfMemoryError: CUDA out of memory", Level.WARNING)]
)
def test_the_last_logs(line: str, level: Level) -> None:
    log = Log(Path("/logs/a.log"), "2026-01-02 03:04", (line, "bye"))
    finding = found(replace(SOUND, logs=(log,)), "log")
    assert (finding.level, finding.text) == (level, "a.log, written 2026-01-02 03:04: bye")
    assert (finding.mend == "The model's process failed then. Type: less /logs/a.log") == (
        level is Level.WARNING
    )


def test_the_first_fault_gives_the_exit_code() -> None:
    facts = replace(SOUND, readiness=(ABSENT,), port_error=PortInUse("taken"))
    assert verdict(facts) == CheckpointError.exit_code
