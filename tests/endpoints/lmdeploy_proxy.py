"""LMDeploy's own proxy before two of the launcher's endpoints, asked by the launcher's remote engine.

    python -m tests.endpoints.lmdeploy_proxy --python PYTHON

PYTHON is an interpreter in whose environment ``lmdeploy serve proxy`` can be imported; no GPU is needed, the
endpoints serve a built-in model. All three ask for one key, which the proxy hands on.

1. pictures of the held-out set, asked at once, are answered right, and both endpoints had some;
2. an answer that is stopped is given up by the endpoint that made it;
3. one endpoint is killed: all questions are still answered, although the proxy goes on giving some to it.

Ends with 1 where one of these does not hold.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from launcher.demo.known_answers import Case, held_out_cases
from launcher.demo.pictures import encode
from launcher.devices import Devices
from launcher.errors import LauncherError
from launcher.presets import Preset
from launcher.readiness import Readiness, assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import manager_of
from tests.free_port import free_port
from tests.gpu.lean import question
from tests.gpu.proxy import running

MODEL, KEY, START_S = "shapes-internvl2", "a-key-of-the-trial", 120
LOOKS_OFTEN = {"LMDEPLOY_CONTROLLER_HEART_BEAT_EXPIRATION": "5"}
"""Seconds between the proxy's looks whether its servers live, as docs/how-to/many-people.md has it."""
HEADERS = {"Authorization": f"Bearer {KEY}"}


def get(url: str) -> httpx.Response:
    return httpx.get(url, headers=HEADERS, trust_env=False, timeout=10)


def wait_for(url: str) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        try:
            if get(url).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"{url} is not there after {START_S} s")


def answers_of(endpoint: str) -> int:
    """How many it has given, as its /metrics count them."""
    name = f'launcher_requests_total{{model="{MODEL}"}}'
    lines = get(f"{endpoint}/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(name))


def running_in(endpoint: str) -> bool:
    return f'launcher_running{{model="{MODEL}"}} 0.0' not in get(f"{endpoint}/metrics").text


def far(proxy: str) -> Readiness:
    engine = {"openai": {"url": f"{proxy}/v1", "model": MODEL, "key_env": "LAUNCHER_API_KEY"}}
    preset = {"name": "far", "title": "Far", "kind": "vision", "engine": engine}
    return assess(Preset.model_validate(preset), Devices((), 0, 0), installed_engines())


def said(manager: Manager, case: Case, picture: Path) -> str:
    try:
        asked = question(case.question.text, 64, pictures=(picture,))
        return "".join(chunk.text for chunk in manager.ask("far", asked)).strip()
    except LauncherError as error:
        return str(error)


def all_right(manager: Manager, folder: Path) -> bool:
    """Whether the held-out questions, four at once, are answered right; others' answers are printed."""
    cases = list(held_out_cases(3, reword=False))
    pictures = [folder / f"{number}.png" for number in range(len(cases))]
    for case, picture in zip(cases, pictures, strict=True):
        picture.write_bytes(encode(case.scene))
    with ThreadPoolExecutor(4) as people:
        found = list(people.map(lambda *given: said(manager, *given), cases, pictures))
    wrong = [text for text, case in zip(found, cases, strict=True) if text != case.question.answer]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return not wrong


def tried(manager: Manager, folder: Path, own: list[str], one: subprocess.Popen[bytes]) -> dict[str, bool]:
    holds = {"questions are answered right": all_right(manager, folder)}
    holds["both endpoints had some"] = all(answers_of(each) > 0 for each in own)
    with manager.ask("far", question("Describe everything. " * 20, 4096)) as answer:
        next(answer)
    time.sleep(1)
    holds["a stopped answer is given up"] = not any(map(running_in, own))
    one.kill()
    holds["they are with one endpoint killed"] = all_right(manager, folder)
    return holds


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True)
    python = parser.parse_args().python
    os.environ["LAUNCHER_API_KEY"] = KEY
    ports = [free_port() for _ in range(3)]
    proxy, *own = (f"http://127.0.0.1:{port}" for port in ports)
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        serve = ["-m", "lmdeploy", "serve", "proxy", "--server-name", "127.0.0.1", "--disable-cache-status"]
        command = [python, *serve, "--server-port", str(ports[0]), "--api-keys", KEY]
        stack.enter_context(running("proxy", command, folder, **LOOKS_OFTEN))
        started = []
        for port in ports[1:]:
            launch = ["-m", "launcher", "serve", "--no-page", "--metrics", "--preload", MODEL]
            command = [sys.executable, *launch, "--port", str(port)]
            started.append(stack.enter_context(running(f"own-{port}", command, folder)))
        wait_for(f"{proxy}/nodes/status")
        for each in own:
            wait_for(f"{each}/v1/models")
            node = {"url": each, "status": {"models": [MODEL]}}
            httpx.post(f"{proxy}/nodes/add", json=node, trust_env=False).raise_for_status()
        manager = stack.enter_context(manager_of([far(proxy)], Devices((), 0, 0), log_folder=folder / "logs"))
        holds = tried(manager, folder, own, started[-1])
    print("\n".join(f"{'ok  ' if each else 'FAIL'} {what}" for what, each in holds.items()))
    return int(not all(holds.values()))


if __name__ == "__main__":
    sys.exit(main())
