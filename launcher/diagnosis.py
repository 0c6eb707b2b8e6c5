"""What is right with this machine, what is not, and what mends it: pure rules over facts that somebody else
has gathered.

A fault is what keeps ``launcher serve`` from showing a page on which at least one model answers; all else is
a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from packaging.specifiers import SpecifierSet

from launcher.commands_here import pip_install
from launcher.devices import Devices, Gpu
from launcher.endpoints.failures import MOST_NAMES, shortened, unknown_model
from launcher.engines import table
from launcher.errors import DeviceError, LauncherError, MissingPart, PresetError
from launcher.gpu_support import check_gpu
from launcher.readiness import Readiness, ReadyState

PYTHON = ">=3.10,<3.15"
PACKAGES = {
    "av": ">=15",
    "fastapi": ">=0.115",
    "gradio": ">=6.31,<7",
    "h11": ">=0.16",
    "httpx": ">=0.28,<1",
    "huggingface_hub": ">=1.0",
    "jinja2": ">=3.1",
    "markdown-it-py": ">=4",
    "msgspec": ">=0.20",
    "numpy": ">=2",
    "nvidia-ml-py": ">=13",
    "openai": ">=2",
    "packaging": ">=24",
    "prometheus-client": ">=0.21",
    "pillow": ">=11",
    "pillow-heif": ">=1",
    "prompt_toolkit": ">=3.0.50",
    "protobuf": "",
    "pydantic": ">=2.11",
    "pydantic-core": "",
    "pygments": ">=2.19",
    "pypdfium2": ">=5",
    "pyyaml": ">=6",
    "rich": ">=14",
    "safetensors": ">=0.6",
    "sentencepiece": ">=0.2.1",
    "socksio": ">=1",
    "starlette": ">=1",
    "tokenizers": ">=0.22",
    "torch": ">=2.6",
    "transformers": ">=5.17,<6",
    "typer": ">=0.29",
    "uvicorn": ">=0.34",
}
"""What pyproject.toml asks for, for a launcher that runs from a clone and has no metadata; a test compares
them."""
GPU_PACKAGES = {"lmdeploy": ">=0.18,<0.19", "torch": "<2.11"}
"""And beside that for LMDeploy's engines."""

PAGE_MODULE = "gradio"

TIGHT_MODEL_DISK_BYTES = 5_000_000_000
"""InternVL2-2B takes 4.4 GB."""
TIGHT_UPLOAD_DISK_BYTES = 200_000_000
"""Ten large pictures."""
TIGHT_GPU_BYTES = 8 * 2**30
"""The shipped presets' budget."""

_GIB, _GB = 2**30, 1e9
_TROUBLE = ("Traceback (most recent call last)", "out of memory", "Segmentation fault", "CUDA error")


class Level(Enum):
    """How a finding stands."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: about what, how it stands, and what mends it. ``exit_code`` is a fault's, as the errors of
    its kind have it."""

    subject: str
    level: Level
    text: str
    mend: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """How an import in a process of its own went: "" for well, else why not. ``cuda``: what PyTorch is built
    for, "" for none."""

    reason: str = ""
    cuda: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """The end of what a model's process printed last."""

    path: Path
    written: str
    last_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disk:
    """Room for ``purpose`` at ``path``; None where nothing can be written at all."""

    purpose: str
    path: Path
    free_bytes: int | None
    tight_bytes: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is looked at.

    ``devices`` is the driver's error where it does not answer; then ``readiness`` is empty. ``versions`` has
    None for what is not installed; ``probes`` has only what was tried. ``process_names`` names those that
    hold GPU memory. ``servers`` has for each preset whose model is on one what that has, why it cannot be
    asked, or None where it keeps no list. ``proxy_errors`` says why proxies cannot be used. ``port_error`` is
    what ``launcher serve`` would say about ``address``.
    """

    python: str
    versions: Mapping[str, str | None]
    probes: Mapping[str, Probe]
    devices: Devices | DeviceError
    process_names: Mapping[int, str]
    preset_errors: tuple[PresetError, ...]
    readiness: tuple[Readiness, ...]
    disks: tuple[Disk, ...]
    proxy_errors: tuple[LauncherError, ...]
    address: str
    port_error: LauncherError | None
    logs: tuple[Log, ...]
    servers: Mapping[str, LauncherError | tuple[str, ...] | None] = field(default_factory=dict)


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Every finding, in the order in which things build on each other."""
    return tuple(
        finding
        for check in (
            _python,
            _packages,
            _driver,
            _gpus,
            _engines,
            _presets,
            _models,
            _disks,
            _proxies,
            _port,
            _logs,
        )
        for finding in check(facts)
    )


def exit_code(findings: tuple[Finding, ...]) -> int:
    """0 where ``launcher serve`` would work, else the first fault's."""
    return next((finding.exit_code for finding in findings if finding.level is Level.FAULT), 0)


def _python(facts: Facts) -> Iterator[Finding]:
    if facts.python in SpecifierSet(PYTHON):
        yield Finding("python", Level.OK, facts.python)
    else:
        mend = "Set the launcher up with another Python: make setup PYTHON=python3.11"
        yield Finding("python", Level.FAULT, f"{facts.python} is not {PYTHON}", mend, MissingPart.exit_code)


def _packages(facts: Facts) -> Iterator[Finding]:
    wrong = False
    for name, wanted in _wanted(facts).items():
        version = facts.versions.get(name)
        mend = f"Type: {pip_install(f'{name}{wanted}')}"
        if version is None:
            wrong = True
            yield Finding(name, Level.FAULT, "is not installed", mend, MissingPart.exit_code)
        elif not SpecifierSet(wanted).contains(version, prereleases=True):
            wrong = True
            yield Finding(
                name, Level.WARNING, f"{version} is not {wanted}, which the launcher is made for", mend
            )
    if not wrong:
        yield Finding("packages", Level.OK, f"all {len(_wanted(facts))} within the supported range")


def _wanted(facts: Facts) -> dict[str, str]:
    """The packages and ranges for this machine: LMDeploy's own only where it is installed and has a GPU."""
    if facts.versions.get("lmdeploy") is None or not _has_gpu(facts):
        return PACKAGES
    both = PACKAGES.keys() | GPU_PACKAGES.keys()
    return {
        name: ",".join(filter(None, (PACKAGES.get(name), GPU_PACKAGES.get(name)))) for name in sorted(both)
    }


def _driver(facts: Facts) -> Iterator[Finding]:
    if isinstance(facts.devices, DeviceError):
        yield Finding(
            "driver", Level.FAULT, facts.devices.message, facts.devices.hint, facts.devices.exit_code
        )
    elif facts.devices.gpus:
        gpu = facts.devices.gpus[0]
        yield Finding(
            "driver", Level.OK, f"NVIDIA {gpu.driver}, speaks CUDA {gpu.cuda_driver[0]}.{gpu.cuda_driver[1]}"
        )
    else:
        mend = (
            "Nothing need be done for the built-in models;"
            " the others want a machine where nvidia-smi lists a GPU."
        )
        yield Finding("driver", Level.WARNING, "no NVIDIA GPU that can be used: models run on the CPU", mend)


def _gpus(facts: Facts) -> Iterator[Finding]:
    gpus = facts.devices.gpus if isinstance(facts.devices, Devices) else ()
    for gpu in gpus:
        yield _gpu(f"gpu {gpu.number}", gpu, facts.process_names)


def _gpu(subject: str, gpu: Gpu, names: Mapping[int, str]) -> Finding:
    text = f"{gpu.name}: {gpu.free_bytes / _GIB:.1f} of {gpu.total_bytes / _GIB:.1f} GiB free"
    holders = [_holder(process.pid, process.used_bytes, names) for process in gpu.processes]
    if holders:
        text += f"; held by {', '.join(holders)}"
    try:
        check_gpu(gpu.name, gpu.compute_capability, gpu.cuda_driver)
    except DeviceError as error:
        return Finding(subject, Level.WARNING, f"{text}. {error.message}", error.hint)
    if gpu.free_bytes < min(TIGHT_GPU_BYTES, gpu.total_bytes * 3 // 4):
        mend = "Stop programs that you do not need; nvidia-smi lists them. For what would fit: launcher plan"
        return Finding(subject, Level.WARNING, text, mend)
    return Finding(subject, Level.OK, text)


def _holder(pid: int, used_bytes: int | None, names: Mapping[int, str]) -> str:
    used = "" if used_bytes is None else f" {used_bytes / _GIB:.1f} GiB"
    return f"{names.get(pid, 'a program')} (process {pid}){used}"


def _engines(facts: Facts) -> Iterator[Finding]:
    works = bool(_usable(facts))
    for module, probe in facts.probes.items():
        package = module.partition(".")[0]
        version = facts.versions.get(package) or "?"
        if probe.reason:
            needed = module == PAGE_MODULE or not works
            level, code = (Level.FAULT, MissingPart.exit_code) if needed else (Level.WARNING, 0)
            mend = f"Install it anew: {pip_install('--force-reinstall', f'{package}=={version}')}"
            yield Finding(module, level, f"{version} cannot be imported: {probe.reason}", mend, code)
        elif module == "torch":
            yield _torch(version, probe.cuda, has_gpu=_has_gpu(facts))
        else:
            yield Finding(module, Level.OK, f"{version} can be imported")
    if facts.versions.get("lmdeploy") is None:
        yield _without_lmdeploy(facts)


def _torch(version: str, cuda: str, *, has_gpu: bool) -> Finding:
    if cuda:
        return Finding("torch", Level.OK, f"{version} can be imported, built for CUDA {cuda}")
    if has_gpu:
        build = pip_install("--force-reinstall", f"torch{GPU_PACKAGES['torch']}")
        mend = f"Install a build for CUDA: {build}"
        return Finding(
            "torch", Level.WARNING, f"{version} is built for the CPU and does not use the GPU", mend
        )
    return Finding("torch", Level.OK, f"{version} can be imported, built for the CPU")


def _has_gpu(facts: Facts) -> bool:
    return isinstance(facts.devices, Devices) and bool(facts.devices.gpus)


def _without_lmdeploy(facts: Facts) -> Finding:
    if _has_gpu(facts):
        mend = f"Type: {pip_install(*(f'{name}{GPU_PACKAGES[name]}' for name in ('lmdeploy', 'torch')))}"
        return Finding(
            "lmdeploy", Level.WARNING, "is not installed: the GPU is used through transformers, slower", mend
        )
    return Finding("lmdeploy", Level.OK, "is not installed, and needed only with an NVIDIA GPU")


def _presets(facts: Facts) -> Iterator[Finding]:
    for error in facts.preset_errors:
        yield Finding(
            "presets", Level.WARNING, error.message, error.hint or "Mend the file; until then it is left out."
        )
    if facts.readiness:
        yield Finding("presets", Level.OK, f"{len(facts.readiness)} can be read")
    elif isinstance(facts.devices, Devices):
        mend = "Give files that are right: launcher serve --presets PATH"
        yield Finding("presets", Level.FAULT, "there is none that can be used", mend, PresetError.exit_code)


def _models(facts: Facts) -> Iterator[Finding]:
    """Each model's weights and whether it can run; a fault only where not one can."""
    works = bool(_usable(facts))
    for each in facts.readiness:
        subject = f"model {each.preset.name}"
        if reason := each.reason or _trouble_of_server(each, facts):
            level, code = (Level.WARNING, 0) if works else (Level.FAULT, reason.exit_code)
            text = reason.message.removeprefix(f"{each.preset.name} ")
            yield Finding(subject, level, text, reason.hint, code)
        else:
            text = f"ready with {each.engine} on {each.place}{_others(facts.servers.get(each.preset.name))}"
            yield Finding(subject, Level.OK, text)


def _trouble_of_server(model: Readiness, facts: Facts) -> LauncherError | None:
    """Why the server that a model is to be on does not answer for it."""
    endpoint, found = model.preset.endpoint, facts.servers.get(model.preset.name)
    if endpoint is None or found is None or isinstance(found, LauncherError):
        return found if isinstance(found, LauncherError) else None
    return None if endpoint.model in found else unknown_model(endpoint, found)


def _others(found: LauncherError | tuple[str, ...] | None) -> str:
    return f", which has {', '.join(map(shortened, found[:MOST_NAMES]))}" if isinstance(found, tuple) else ""


def _usable(facts: Facts) -> tuple[Readiness, ...]:
    """The presets that can answer: ready, with an engine that can be imported."""
    broken = {module for module, probe in facts.probes.items() if probe.reason}
    return tuple(
        each
        for each in facts.readiness
        if each.state is ReadyState.READY
        and broken.isdisjoint(table.find(each.engine).modules)
        and _trouble_of_server(each, facts) is None
    )


def _disks(facts: Facts) -> Iterator[Finding]:
    for disk in facts.disks:
        subject, path = f"disk for {disk.purpose}", disk.path
        if disk.free_bytes is None:
            yield Finding(
                subject,
                Level.FAULT,
                f"{path} cannot be written",
                "Set TMPDIR to a folder that can be written.",
                1,
            )
        elif disk.free_bytes < disk.tight_bytes:
            mend = f"Make room: {disk.tight_bytes / _GB:.1f} GB should be free."
            yield Finding(subject, Level.WARNING, f"{path}: only {disk.free_bytes / _GB:.1f} GB free", mend)
        else:
            yield Finding(subject, Level.OK, f"{path}: {disk.free_bytes / _GB:.1f} GB free")


def _proxies(facts: Facts) -> Iterator[Finding]:
    """The page needs none; ``launcher pull`` does."""
    for error in facts.proxy_errors:
        yield Finding("proxy", Level.WARNING, error.message, error.hint)


def _port(facts: Facts) -> Iterator[Finding]:
    error = facts.port_error
    if error is None:
        yield Finding("port", Level.OK, f"{facts.address} is free")
    else:
        yield Finding("port", Level.FAULT, error.message, error.hint, error.exit_code)


def _logs(facts: Facts) -> Iterator[Finding]:
    for log in facts.logs:
        text = f"{log.path.name}, written {log.written}: {log.last_lines[-1] if log.last_lines else 'empty'}"
        if any(sign in line for sign in _TROUBLE for line in log.last_lines):
            yield Finding(
                "log", Level.WARNING, text, f"The model's process failed then. Type: less {log.path}"
            )
        else:
            yield Finding("log", Level.OK, text)
