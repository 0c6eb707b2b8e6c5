"""``launcher serve``: the page, from the first check of its port to the end of every process it started.

Ctrl-C and SIGTERM end it with exit code 0; a second one changes nothing, since every wait on the way out is
bounded.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.devices import Devices, read_devices
from launcher.errors import PortInUse, PresetError, RequestError
from launcher.presets import read_presets
from launcher.readiness import Readiness, ReadyState, assess, installed_engines
from launcher.workers.gpu_memory import seen_on
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models

if TYPE_CHECKING:
    from types import FrameType

    from launcher.ui.app import Page

_HIGHEST_PORT = 65535
_LOCAL = "127.0.0.1,localhost,::1"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page listens."""

    host: str
    port: int


def serve(
    presets: Annotated[
        list[Path] | None, typer.Option(help="Preset file or folder; may be given more than once.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=_HIGHEST_PORT, help="Port to listen on.")] = 6006,
    preload: Annotated[
        list[str] | None,
        typer.Option(help="Preset to load at the start, instead of the first; may be given more than once."),
    ] = None,
) -> None:
    """Serve the page: a tab for each preset."""
    address = Address(host, port)
    with _until_told_to_stop() as told_to_stop:
        check_free(address)
        devices = read_devices()
        models, errors = _models(presets or [], devices)
        with manager_of(models, devices) as manager, _private_cache():
            _preload(manager, models, preload or [])
            from launcher.ui.app import build_page  # takes seconds, while the first model loads

            _serve_page(build_page(models, manager, errors), address, told_to_stop)


def manager_of(
    models: Sequence[Readiness], devices: Devices, *, standby: bool = True, log_folder: Path | None = None
) -> Manager:
    """Runs the models: together they may hold what is free of each GPU now, and all that nobody else takes
    later."""
    free_bytes = {f"cuda:{number}": gpu.free_bytes for number, gpu in enumerate(devices.gpus)}
    return Manager(
        runnable_models(models, free_bytes),
        gpu_budget_bytes=free_bytes,
        measure=seen_on,
        standby=standby,
        log_folder=log_folder,
    )


def _models(paths: Sequence[Path], devices: Devices) -> tuple[list[Readiness], Sequence[PresetError]]:
    """What the page offers, those first that can run here; files that are wrong are left out and told of.

    Raises:
        PresetError: no file can be used.
    """
    catalog = read_presets(paths)
    if not catalog.presets:
        raise catalog.errors[0]
    for error in catalog.errors:
        typer.echo(str(error), err=True)
    installed = installed_engines()
    assessed = [assess(preset, devices, installed) for preset in catalog.presets]
    return sorted(assessed, key=lambda model: model.state is not ReadyState.READY), catalog.errors


def _preload(manager: Manager, models: Sequence[Readiness], names: Sequence[str]) -> None:
    """Begins to load the models named, or the first.

    Raises:
        RequestError: there is none of that name.
        LauncherError: why it cannot run here.
    """
    reasons = {model.preset.name: model.reason for model in models}
    for name in names:
        if (reason := reasons.get(name)) is not None:
            raise reason
        manager.wake(name)
    if not names and models[0].state is ReadyState.READY:
        manager.wake(models[0].preset.name)


def _serve_page(page: Page, address: Address, told_to_stop: Event) -> None:
    from launcher.ui.app import close_page, launch_page

    try:
        launch_page(page, address.host, address.port)
    except OSError as error:
        raise _in_use(address) from error
    try:
        typer.echo(_announcement(address))
        told_to_stop.wait()
    finally:
        close_page(page)


@contextmanager
def _until_told_to_stop() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set, from the first moment on."""
    told = Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        told.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _private_cache() -> Iterator[None]:
    """Uploaded pictures go to a folder of this run alone, readable by its user alone, deleted at the end.

    The page asks itself once whether it answers; a proxy from the environment must not stand between.
    """
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(
        filter(None, (os.environ.get("NO_PROXY"), _LOCAL))
    )
    with tempfile.TemporaryDirectory(prefix="launcher-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        yield


def check_free(address: Address) -> None:
    """Tries the port before anything is loaded.

    Raises:
        PortInUse: another program has it.
        RequestError: this machine has no such address, or the port is not for everyone.
    """
    try:
        family, kind, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except PermissionError as error:
        raise RequestError(
            "Port {port} is for administrators alone",
            hint="Type: launcher serve --port 6006",
            port=address.port,
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _in_use(address) from error
        raise RequestError(
            "This machine has no address {host}",
            hint="Type: launcher serve --host 127.0.0.1",
            host=address.host,
        ) from error


def _in_use(address: Address) -> PortInUse:
    other = address.port + 1 if address.port < _HIGHEST_PORT else address.port - 1
    return PortInUse(
        "Port {port} on {host} is used by another program",
        hint="Stop that program, or type: launcher serve --port {other}",
        host=address.host,
        port=address.port,
        other=other,
    )


def _announcement(address: Address) -> str:
    port = address.port
    here = "127.0.0.1" if address.host == "0.0.0.0" else address.host
    return (
        f"\nThe page is at http://{here}:{port} (Ctrl-C stops it)\n"
        f"页面地址：http://{here}:{port}（按 Ctrl-C 停止）\n\n"
        "If this is a remote machine, type on your own, with its user, host and ssh port:\n"
        "如果这是远程机器，请在自己的电脑上运行（换成它的用户名、主机和 ssh 端口）：\n"
        f"  ssh -CNg -L {port}:127.0.0.1:{port} user@host -p port\n"
    )
