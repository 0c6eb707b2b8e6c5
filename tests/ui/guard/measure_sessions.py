"""What programs' questions and pages that come and go leave in the launcher's memory, and how long a question
takes to begin: ``python -m tests.ui.guard.measure_sessions``. Serves a page of three scripts in a process of
its own; run it at another commit's folder to compare."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from tests.launched import command_line

API = "/gradio_api"
SETTLING_S = 16
"""Until events of pages that have gone notice it, at their next heartbeat."""

PRESET = 'name: {name}\ntitle: {{en: x, zh: x}}\nkind: text\nsources: ["{folder}"]\nengine: scripted\n'


def ask(http: httpx.Client) -> tuple[float, float]:
    """Seconds until a question has begun, and until its answer is there."""
    begun = time.perf_counter()
    body = {"data": [{"text": "seen", "files": []}, "", 16, 0, 1, 0, 1, -1]}
    event = http.post(f"{API}/call/chat_one", json=body).json()["event_id"]
    posted = time.perf_counter()
    assert "seen" in http.get(f"{API}/call/chat_one/{event}").text
    return posted - begun, time.perf_counter() - begun


def visit(http: httpx.Client, loading: list[dict[str, Any]]) -> None:
    """A page opens, its first events begin, it is closed."""
    page, has_stream = uuid.uuid4().hex, False
    assert http.get("/").status_code == 200
    for event in loading:
        body = {"data": [None] * len(event["inputs"]), "fn_index": event["id"], "session_hash": page}
        is_queued = event["queue"] is not False
        http.post(f"{API}/queue/join" if is_queued else f"{API}/run/predict", json=body).raise_for_status()
        has_stream |= is_queued
    for address, key in ((f"{API}/queue/data", "session_hash"), ("/launcher/status", "page")):
        if has_stream or key == "page":
            with http.stream("GET", address, params={key: page}) as stream:
                next(stream.iter_lines(), "")


def resident_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text("ascii")
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def measure(url: str, process: int, questions: int, pages: int) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        events = http.get("/config").json()["dependencies"]
        loading = [e for e in events if e["backend_fn"] and any(name == "load" for _, name in e["targets"])]
        for _ in range(20):
            ask(http)
            visit(http, loading)
        time.sleep(SETTLING_S)
        print(f"at first {resident_mb(process):.0f} MB")
        times = [ask(http) for _ in range(questions)]
        time.sleep(SETTLING_S)
        print(f"after {questions} questions {resident_mb(process):.0f} MB")
        for _ in range(pages):
            visit(http, loading)
        time.sleep(SETTLING_S)
        print(f"after {pages} pages {resident_mb(process):.0f} MB")
    begun, answered = (1000 * median(column) for column in zip(*times, strict=True))
    print(f"a question has begun after {begun:.1f} ms, is answered after {answered:.1f} ms (medians)")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--pages", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("one", "two", "three"):
            Path(folder, f"{name}.yaml").write_text(PRESET.format(name=name, folder=folder))
        command = command_line("serve", "--presets", folder, "--port", "0")
        environment = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)))[0]
            try:
                measure(url, process.pid, options.questions, options.pages)
            finally:
                process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
