"""Gathers what ``launcher.diagnosis`` judges. Heavy packages are imported in processes of their own, which
may hang or die."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import json
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from launcher.cli.listening import Address, check_free
from launcher.devices import Devices, read_devices
from launcher.diagnosis import (
    GPU_PACKAGES,
    PACKAGES,
    PAGE_MODULE,
    TIGHT_MODEL_DISK_BYTES,
    TIGHT_UPLOAD_DISK_BYTES,
    Disk,
    Facts,
    Log,
    Probe,
)
from launcher.engines import table
from launcher.errors import DeviceError, LauncherError
from launcher.presets import Endpoint, Preset, read_presets
from launcher.readiness import Readiness, ReadyState, assess, installed_engines
from launcher.workers.logs import default_log_folder

IMPORT_LIMIT_S = 120.0
"""A cold disk takes half a minute for PyTorch; what takes longer than this hangs."""
MAX_LOGS = 5
_LOG_LINES = 40
_LOG_BYTES = 16 << 10

_PROBE = """
import importlib, json, sys
if sys.argv[1] == "gradio":
    import launcher.ui.gradio_import  # as the page imports it
if sys.argv[1].startswith("lmdeploy"):
    from launcher.engines.yapf_import import import_yapf
    import_yapf()  # as the engines do
module = importlib.import_module(sys.argv[1])
print(json.dumps({"cuda": getattr(getattr(module, "version", None), "cuda", None) or ""}))
"""


def gather(presets: Sequence[Path], address: Address) -> Facts:
    """All facts, as they are now. Never raises for what is wrong with the machine."""
    catalog, devices = read_presets(presets), _devices()
    readiness, modules = _readiness(catalog.presets, devices), _modules(devices)
    packages = {*PACKAGES, *GPU_PACKAGES, *(module.partition(".")[0] for module in modules)}
    return Facts(
        python=platform.python_version(),
        versions={name: _version(name) for name in packages},
        probes=probe_imports(modules),
        devices=devices,
        process_names=_process_names(devices),
        preset_errors=catalog.errors,
        readiness=readiness,
        servers=_servers(readiness),
        disks=tuple(_disks()),
        proxy_errors=tuple(_proxy_errors()),
        address=str(address),
        port_error=_port_error(address),
        logs=_logs(default_log_folder()),
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> Devices | DeviceError:
    try:
        return read_devices()
    except DeviceError as error:
        return error


def _process_names(devices: Devices | DeviceError) -> Mapping[int, str]:
    gpus = devices.gpus if isinstance(devices, Devices) else ()
    names = {process.pid: _process_name(process.pid) for gpu in gpus for process in gpu.processes}
    return {pid: name for pid, name in names.items() if name}


def _process_name(pid: int) -> str:
    """ "" for another container's process, whose number means nothing here."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _readiness(presets: Iterable[Preset], devices: Devices | DeviceError) -> tuple[Readiness, ...]:
    if isinstance(devices, DeviceError):
        return ()
    installed = installed_engines()
    return tuple(assess(preset, devices, installed) for preset in presets)


def _servers(readiness: Iterable[Readiness]) -> Mapping[str, LauncherError | tuple[str, ...] | None]:
    """Preset -> what its server says that it has, or why it says nothing; None: it keeps no list. All are
    asked at once."""
    asked = {each.preset.name: each.preset.endpoint for each in readiness if each.state is ReadyState.READY}
    endpoints = {name: endpoint for name, endpoint in asked.items() if endpoint is not None}
    return asyncio.run(_ask_all(endpoints)) if endpoints else {}


async def _ask_all(
    endpoints: Mapping[str, Endpoint],
) -> Mapping[str, LauncherError | tuple[str, ...] | None]:
    from launcher.endpoints.server import ask_models

    async def ask(endpoint: Endpoint) -> LauncherError | tuple[str, ...] | None:
        try:
            return await ask_models(endpoint)
        except LauncherError as error:
            return error

    found = await asyncio.gather(*map(ask, endpoints.values()))
    return dict(zip(endpoints, found, strict=True))


def _modules(devices: Devices | DeviceError) -> list[str]:
    """What has to be importable here: for engines that need a GPU only where there is one, and of all only
    what is installed."""
    has_gpu = isinstance(devices, Devices) and bool(devices.gpus)
    engines = [
        module
        for engine in table.shown()
        if has_gpu or engine.devices != ("cuda",)
        for module in engine.packages
    ]
    return [
        name
        for name in dict.fromkeys([PAGE_MODULE, *engines])
        if importlib.util.find_spec(name.partition(".")[0])
    ]


def probe_imports(modules: Sequence[str], limit_s: float = IMPORT_LIMIT_S) -> Mapping[str, Probe]:
    """Imports all at once, each in a process of its own, which is given up after ``limit_s``."""
    started = {module: _start_import(module) for module in modules}
    return {module: _imported(process, limit_s) for module, process in started.items()}


def _start_import(module: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", _PROBE, module], stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )


def _imported(process: subprocess.Popen[str], limit_s: float) -> Probe:
    with process:
        try:
            output, errors = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return Probe(reason=f"it takes more than {limit_s:.0f} s")
    if process.returncode < 0:
        return Probe(reason=f"the process died of {signal.Signals(-process.returncode).name}")
    if process.returncode:
        return Probe(
            reason=next((line for line in reversed(errors.splitlines()) if line.strip()), "it says nothing")
        )
    return Probe(cuda=json.loads(output.splitlines()[-1])["cuda"])


def _disks() -> Iterable[Disk]:
    from huggingface_hub import constants

    models = Path(constants.HF_HUB_CACHE)
    yield Disk("models", models, _free(models), TIGHT_MODEL_DISK_BYTES)
    try:
        uploads = Path(tempfile.gettempdir())
    except FileNotFoundError:  # no folder that Python tries can be written
        yield Disk("uploads", Path("/tmp"), None, TIGHT_UPLOAD_DISK_BYTES)
    else:
        yield Disk("uploads", uploads, _free(uploads), TIGHT_UPLOAD_DISK_BYTES)


def _free(folder: Path) -> int:
    """Of the disk that the folder is on, or would be on."""
    return shutil.disk_usage(
        next(each for each in (folder, *folder.absolute().parents) if each.is_dir())
    ).free


def _proxy_errors() -> Iterator[LauncherError]:
    """Why proxies that the environment names cannot be used."""
    from launcher.proxies import named_proxies

    for proxy in named_proxies():
        try:
            proxy.transport().close()
        except LauncherError as error:
            yield error


def _port_error(address: Address) -> LauncherError | None:
    try:
        check_free(address)
    except LauncherError as error:
        return error
    return None


def _logs(folder: Path) -> tuple[Log, ...]:
    """The newest logs of models' processes, the newest first; an empty one says nothing."""
    found = [(path.stat(), path) for path in folder.glob("*.log") if path.is_file()]
    newest = sorted(
        (each for each in found if each[0].st_size), key=lambda each: each[0].st_mtime, reverse=True
    )
    return tuple(Log(path, _when(facts.st_mtime), _last_lines(path)) for facts, path in newest[:MAX_LOGS])


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment).isoformat(" ", "minutes")


def _last_lines(path: Path) -> tuple[str, ...]:
    with path.open("rb") as opened:
        opened.seek(max(0, path.stat().st_size - _LOG_BYTES))
        text = opened.read(_LOG_BYTES).decode("utf-8", errors="replace")
    return tuple(line for line in text.splitlines() if line.strip())[-_LOG_LINES:]
