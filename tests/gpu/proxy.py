"""Models on servers: the launcher's remote engine on LMDeploy's own servers, one and two behind its proxy.

    python3 -m tests.gpu.proxy --model FOLDER --out DIR [--users 1 8 32] [--tokens 256] [--threads 4]
                               [--options "…"]

FOLDER is a full-size checkpoint of InternVL2-2B. Starts ``lmdeploy serve proxy`` and, on each of two GPUs,
``lmdeploy serve api_server`` (told of the launcher's tokenizers, ``tests.gpu.api_server``) with the options,
and asks through presets with ``engine: {openai: …}``:

1. ``one``: the first server alone, by its own address;
2. ``many``: both, by the proxy's; ``one and other``: both, by their own addresses in turns. What two gain is
   noted: a card takes little longer for 32 answers at once than for 16, so a second one gains little before
   the first is full. With the most users and a picture, the proxy must not cost more than a tenth of what
   both make without it;
3. one and both a question about a picture, a second one in the same conversation, and one that is stopped:
   afterwards the server answers as before.

Writes DIR/proxy.json after every part, and the servers' logs beside it. Ends with 1 where one of these does
not hold, or a question has no answer.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path

import httpx
from PIL import Image

from launcher.devices import VISIBLE_DEVICES, Devices, read_devices
from launcher.errors import LauncherError
from launcher.messages import ChatRequest, Chunk, Message
from launcher.presets import Preset
from launcher.readiness import Readiness, assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import manager_of
from tests.free_port import free_port
from tests.gpu.lean import Ask, crowd, question
from tests.gpu.trial import Trial

MODEL, ONE, OTHER, MANY = "internvl2-2b", "one", "other", "many"
APART = f"{ONE} and {OTHER}"
PROXY_SHARE = 0.9
"""Of the tokens/s of two servers that are asked without the proxy, at least."""
START_S = 600
"""For a server to load, its kernels' first build included."""


@contextmanager
def running(
    name: str, command: Sequence[str], out: Path, **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The program runs until the block ends; what it prints goes to ``out/name.log``."""
    with (
        (out / f"{name}.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **variables}) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_model(url: str, servers: int = 1) -> None:
    """Until the server, or so many of a proxy's, has the model."""
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        try:
            if servers == 1:
                found = httpx.get(f"{url}/v1/models", trust_env=False, timeout=10).json()["data"]
            else:
                found = list(httpx.get(f"{url}/nodes/status", trust_env=False, timeout=10).json())
            if len(found) >= servers:
                return
        except (httpx.HTTPError, LookupError, ValueError):
            pass
        time.sleep(2)
    raise SystemExit(f"{url} has no model after {START_S} s; see the logs")


def remote(name: str, url: str) -> Readiness:
    """A tab whose model is at ``url``."""
    engine = {"openai": {"url": f"{url}/v1", "model": MODEL}}
    preset = {"name": name, "title": name, "kind": "vision", "engine": engine, "memory": {"max_tiles": 4}}
    return assess(Preset.model_validate(preset), Devices((), 0, 0), installed_engines())


def asking(manager: Manager, *names: str) -> Ask:
    """These tabs in turns."""
    turns = cycle(names)

    async def ask(request: ChatRequest) -> AsyncIterator[Chunk]:
        async with manager.ask(next(turns), request) as answer:
            async for chunk in answer:
                yield chunk

    return ask


async def measured(
    trial: Trial, what: str, ask: Ask, users: Sequence[int], tokens: int, *pictures: Path
) -> dict[int, float]:
    """Users -> tokens/s; medians of three are for ``launcher bench``, this is one run after a warm one."""
    found = {}
    await crowd(ask, max(users), 32, *pictures)
    for count in users:
        found[count], first_s = await crowd(ask, count, tokens, *pictures)
        trial.note(f"{what}, {count} users", {"tokens_s": round(found[count]), "first_s": round(first_s, 3)})
    return found


def gains(
    trial: Trial, manager: Manager, users: Sequence[int], tokens: int, *pictures: Path
) -> dict[str, dict[int, float]]:
    """Of two servers behind the proxy, and asked each for itself: users -> tokens/s divided by one's."""
    about = "picture" if pictures else "text"
    of = {
        what: asyncio.run(
            measured(trial, f"{what}, {about}", asking(manager, *names), users, tokens, *pictures)
        )
        for what, names in {ONE: [ONE], MANY: [MANY], APART: [ONE, OTHER]}.items()
    }
    found = {
        what: {count: round(of[what][count] / of[ONE][count], 2) for count in users} for what in (MANY, APART)
    }
    trial.note(f"{about}: two servers' tokens/s divided by one's", found)
    return found


def looked_at(trial: Trial, manager: Manager, name: str, picture: Path) -> None:
    first = question("What do you see?", 32, pictures=(picture,))
    try:
        said = "".join(chunk.text for chunk in manager.ask(name, first))
        before = (*first.messages, Message("assistant", said))
        again = "".join(chunk.text for chunk in manager.ask(name, question("And now?", 32, *before)))
        trial.holds(f"{name}: a picture and a second question are answered", bool(said and again))
        with manager.ask(name, question("Tell me a long story.", 4096)) as answer:
            next(answer)
        begun_s = time.monotonic()
        after = "".join(chunk.text for chunk in manager.ask(name, question("Still there?", 32)))
        trial.note(f"{name}: answer after one that was stopped, s", round(time.monotonic() - begun_s, 2))
        trial.holds(f"{name}: it answers after one that was stopped", bool(after))
    except LauncherError as error:
        trial.holds(f"{name}: {error}", False)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--threads", type=int, default=4, help="of a server's CPU work; 0: as PyTorch takes")
    parser.add_argument("--options", default="--cache-max-entry-count 0.3 --session-len 8192")
    args = parser.parse_args()
    gpus = read_devices().gpus[:2]
    if len(gpus) < 2:
        raise SystemExit("This machine has not two GPUs.")
    args.out.mkdir(parents=True, exist_ok=True)
    trial, port = Trial(args.out / "proxy.json"), free_port()
    proxy, own = f"http://127.0.0.1:{port}", []
    threads = {"OMP_NUM_THREADS": str(args.threads)} if args.threads else {}
    with ExitStack() as stack:
        # Without the option it keeps the servers of one run, in a file beside its code, for the next.
        serving = ["-m", "lmdeploy", "serve", "proxy", "--disable-cache-status"]
        serving += ["--server-name", "127.0.0.1", "--server-port", str(port)]
        stack.enter_context(running("proxy", [sys.executable, *serving], args.out))
        for gpu in gpus:
            own.append(free_port())
            options = [*shlex.split(args.options), "--model-name", MODEL, "--proxy-url", proxy]
            place = ["--server-name", "127.0.0.1", "--server-port", str(own[-1])]
            command = [sys.executable, "-m", "tests.gpu.api_server", str(args.model), *options, *place]
            set_up = {VISIBLE_DEVICES: gpu.uuid, **threads}
            server = running(f"server-{gpu.number}", command, args.out, **set_up)
            stack.enter_context(server)
        for each in own:
            wait_for_model(f"http://127.0.0.1:{each}")
        wait_for_model(proxy, servers=2)
        at = {ONE: f"http://127.0.0.1:{own[0]}", OTHER: f"http://127.0.0.1:{own[1]}", MANY: proxy}
        models = [remote(name, url) for name, url in at.items()]
        manager = stack.enter_context(manager_of(models, Devices((), 0, 0), log_folder=args.out / "logs"))
        picture = args.out / "picture.png"
        Image.linear_gradient("L").resize((896, 896)).convert("RGB").save(picture)
        most = max(args.users)
        gains(trial, manager, [*args.users, 4 * most], args.tokens)
        about_pictures = gains(trial, manager, args.users, args.tokens, picture)
        cheap = about_pictures[MANY][most] >= PROXY_SHARE * about_pictures[APART][most]
        trial.holds(f"through the proxy both make {PROXY_SHARE} of what they make without it", cheap)
        for name in (ONE, MANY):
            looked_at(trial, manager, name, picture)
    print("\n".join(f"FAIL {line}" for line in trial.found["failed"]) or "ok")
    return int(bool(trial.found["failed"]))


if __name__ == "__main__":
    sys.exit(main())
