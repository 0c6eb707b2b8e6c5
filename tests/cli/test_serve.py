"""``launcher serve`` as a process of its own: what it prints, what it refuses, and that it leaves nothing
behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from launcher.engines.scripted import ALLOWED_BY
from tests.ui.scripted_page import free_port
from tests.workers.stage import alive

PRESET = """\
name: one
title: {{en: One, zh: 一}}
kind: text
sources: ["{folder}"]
engine: scripted
"""


@pytest.fixture
def presets(tmp_path: Path) -> Path:
    (tmp_path / "one.yaml").write_text(PRESET.format(folder=tmp_path))
    return tmp_path


def command(presets: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "launcher", "serve", "--presets", str(presets), *options]


@contextmanager
def serving(presets: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A launcher whose page answers."""
    environment = {**os.environ, ALLOWED_BY: "1", "TMPDIR": str(presets)}
    with subprocess.Popen(
        command(presets, "--port", str(port), *options),
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def printed(process: subprocess.Popen[str]) -> str:
    """What it prints up to the tunnel's line, the last."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or "ssh -CNg" not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], process.communicate()
    return "".join(lines)


def children_of(process: subprocess.Popen[str]) -> list[int]:
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_serving_and_stopping(presets: Path, number: signal.Signals) -> None:
    port = free_port()
    with serving(presets, port) as process:
        said = printed(process)
        assert f"http://127.0.0.1:{port}" in said
        assert "页面地址" in said
        assert f"ssh -CNg -L {port}:127.0.0.1:{port} user@host -p port" in said
        with httpx.stream("GET", f"http://127.0.0.1:{port}/gradio_api/heartbeat/someone") as open_page:
            assert open_page.status_code == 200
            workers = children_of(process)
            assert workers
            process.send_signal(number)
            assert process.wait(timeout=20) == 0
        assert not [pid for pid in workers if alive(pid)]
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert not list(presets.glob("launcher-*"))


def test_a_wrong_preset_file_leaves_the_others(presets: Path) -> None:
    (presets / "wrong.yaml").write_text("name: 7\n")
    with serving(presets, free_port()) as process:
        printed(process)
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert "wrong.yaml:1: name" in process.stderr.read()


def refused(presets: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(command(presets, *options), capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stderr


def test_models_named_to_preload_load_at_the_start(presets: Path) -> None:
    second = PRESET.format(folder=presets).replace("name: one", "name: two")
    (presets / "two.yaml").write_text(second)
    with serving(presets, free_port(), "--preload", "two", "--preload", "one") as process:
        printed(process)
        assert len(children_of(process)) == 2
        process.terminate()
        assert process.wait(timeout=20) == 0


def test_a_name_to_preload_that_is_not_offered(presets: Path) -> None:
    code, said = refused(presets, "--port", str(free_port()), "--preload", "won")
    assert code == 7
    assert "There is no model named won" in said
    assert "These are offered: one" in said


def test_a_model_to_preload_that_cannot_run_here(presets: Path) -> None:
    (presets / "one.yaml").write_text(
        PRESET.format(folder=presets / "absent").replace("scripted", "transformers")
    )
    code, said = refused(presets, "--port", str(free_port()), "--preload", "one")
    assert code == 3
    assert "absent" in said


def test_a_busy_port(presets: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused(presets, "--port", str(port))
    assert code == 10
    assert f"Port {port} on 127.0.0.1 is used by another program" in said
    assert f"launcher serve --port {port + 1 if port < 65535 else port - 1}" in said


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_is_not_this_machines(presets: Path, host: str) -> None:
    code, said = refused(presets, "--host", host)
    assert code == 7
    assert f"This machine has no address {host}" in said


def test_no_usable_preset_at_all(tmp_path: Path) -> None:
    code, said = refused(tmp_path)
    assert code == 2
    assert "holds no preset file" in said
