"""``launcher doctor`` on this machine as it is, and with something broken."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from launcher.cli.doctor_facts import probe_imports
from launcher.diagnosis import Probe
from tests.cli.conftest import Launch

NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def examined(launch: Launch, *arguments: str, code: int, **changes: str) -> dict[str, list[dict[str, Any]]]:
    """The findings by subject, having made sure that all three verdicts agree and every line but a right one
    has a mend."""
    done = launch("doctor", "--json", *arguments, **NO_GPU, **changes)
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["exit_code"], answer["serve_works"]) == (code, code, code == 0)
    assert all(each["mend"] for each in answer["findings"] if each["level"] != "ok")
    subjects: dict[str, list[dict[str, Any]]] = {}
    for each in answer["findings"]:
        subjects.setdefault(each["subject"], []).append(each)
    return subjects


def test_this_machine(launch: Launch, port: int) -> None:
    done = launch("doctor", "--port", str(port), **NO_GPU)
    assert (done.returncode, done.stderr) == (0, "")
    *lines, empty, verdict = done.stdout.splitlines()
    assert (empty, verdict) == ("", "launcher serve would work here.")
    assert all(line.startswith(("ok  ", "warning  ", "         ")) for line in lines)
    for subject in (
        "python",
        "driver",
        "gradio",
        "torch",
        "transformers",
        "presets",
        "disk for models",
        "port",
    ):
        assert sum(f" {subject}: " in line for line in lines) == 1
    assert "ok       model shapes-internvl2: ready with transformers on cpu" in lines


def test_a_busy_port(launch: Launch, scripted: Path, stand_ins: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        (finding,) = examined(
            launch, "--presets", str(scripted), "--port", str(port), code=10, PYTHONPATH=stand_ins
        )["port"]
    assert finding["text"] == f"Port {port} on 127.0.0.1 is used by another program"
    assert re.search(r"launcher serve --port \d+$", finding["mend"])


def test_proxies_that_cannot_be_used_are_told_and_the_page_needs_none(
    launch: Launch, scripted: Path, port: int, tmp_path: Path, stand_ins: str
) -> None:
    """With Gradio itself, which is imported as the page imports it."""
    (tmp_path / "stand_ins" / "gradio.py").unlink()
    findings = examined(
        launch, "--presets", str(scripted), "--port", str(port), code=0, PYTHONPATH=stand_ins,
        all_proxy="socks4://u:s3cret@127.0.0.1:1", no_proxy="[::1]:x,::1",
    )  # fmt: skip
    (proxy,) = findings["proxy"]
    assert proxy["text"] == "all_proxy is socks4://127.0.0.1:1, which is no proxy that can be used"
    assert "unset all_proxy" in proxy["mend"]
    assert [each["level"] for each in findings["gradio"]] == ["ok"]


def test_broken_presets(launch: Launch, scripted: Path, tmp_path: Path, port: int, stand_ins: str) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: [", encoding="utf-8")
    arguments = ("--presets", str(broken), "--port", str(port))
    (wrong, none) = examined(launch, *arguments, code=2, PYTHONPATH=stand_ins)["presets"]
    assert wrong["text"].startswith("broken.yaml:1: ")
    assert none["level"] == "fault"
    (wrong, right) = examined(launch, "--presets", str(scripted), *arguments, code=0, PYTHONPATH=stand_ins)[
        "presets"
    ]
    assert (wrong["level"], right["text"]) == ("warning", "1 can be read")


def test_no_model_that_can_answer(launch: Launch, tmp_path: Path, port: int, stand_ins: str) -> None:
    file = tmp_path / "absent.yaml"
    file.write_text("name: absent\ntitle: A\nkind: text\nsources: ['hf:org/absent']\n", encoding="utf-8")
    (finding,) = examined(launch, "--presets", str(file), "--port", str(port), code=3, PYTHONPATH=stand_ins)[
        "model absent"
    ]
    assert finding["mend"].endswith(f"launcher pull absent --presets {file}")


def test_what_went_wrong_last(
    launch: Launch, scripted: Path, tmp_path: Path, port: int, stand_ins: str
) -> None:
    logs = tmp_path / "home" / ".local" / "state" / "launcher" / "logs"
    logs.mkdir(parents=True)
    (logs / "a.log").write_text(
        "Traceback (most recent call last)\nRuntimeError: CUDA error\n", encoding="utf-8"
    )
    (logs / "empty.log").touch()
    (finding,) = examined(
        launch, "--presets", str(scripted), "--port", str(port), code=0, PYTHONPATH=stand_ins
    )["log"]
    assert finding["text"].endswith(": RuntimeError: CUDA error")
    assert finding["mend"].endswith(f"less {logs}/a.log")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise ImportError('libcudart.so.12 is missing')", "ImportError: libcudart.so.12 is missing"),
        ("import os; os.abort()", "SIGABRT"),
    ],
)
def test_an_engine_that_cannot_be_imported(
    launch: Launch, scripted: Path, tmp_path: Path, port: int, stand_ins: str, program: str, reason: str
) -> None:
    (tmp_path / "stand_ins" / "transformers.py").write_text(program, encoding="utf-8")
    (finding,) = examined(launch, "--port", str(port), code=9, PYTHONPATH=stand_ins)["transformers"]
    assert (finding["level"], reason in finding["text"]) == ("fault", True)
    (finding,) = examined(
        launch, "--presets", str(scripted), "--port", str(port), code=0, PYTHONPATH=stand_ins
    )["transformers"]
    assert finding["level"] == "warning"


def test_an_import_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hanging.py").write_text("import threading; threading.Event().wait()", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert probe_imports(["hanging"], limit_s=1) == {"hanging": Probe("it takes more than 1 s")}


def test_its_own_process_loads_nothing_heavy(
    environment: dict[str, str], scripted: Path, port: int, stand_ins: str
) -> None:
    program = (
        "import sys; from launcher.cli import run; from tests.scripted_engine import register; register()\n"
        f"code = run(['doctor', '--presets', {str(scripted)!r}, '--port', '{port}'])\n"
        "print([name for name in ('torch', 'transformers', 'lmdeploy', 'gradio') if name in"
        " sys.modules], code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment | {"PYTHONPATH": stand_ins},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[] 0", done.stderr
