"""``launcher pull`` as a person runs it, against a server on this machine that plays the hubs, with every
fault in turn."""

from __future__ import annotations

import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from launcher.checkpoints.locating import BUILTIN
from tests.cli.conftest import Launch
from tests.cli.pull.conftest import HUBS, MODEL, failed, folder_of, pull, state
from tests.downloads.hub import COMMIT, NEEDED, PlayedHub, checkpoint_files, played_hub

SHARD = "model-00001-of-00002.safetensors"


def unfinished(tmp_path: Path) -> list[Path]:
    return [path for pattern in ("*.part", "*.incomplete") for path in tmp_path.rglob(pattern)]


@pytest.mark.parametrize("kind", HUBS)
def test_what_is_needed_lands_where_the_launcher_finds_it(
    launch: Launch, hub: PlayedHub, tmp_path: Path, kind: str
) -> None:
    assert state(launch) == "needs_download"
    done = pull(launch, "--from", kind)
    folder = folder_of(done)
    assert {path.name for path in folder.iterdir()} == NEEDED == {name for name, _ in hub.fetched}
    assert {path.name: path.read_bytes() for path in folder.iterdir()}.items() <= checkpoint_files().items()
    assert done.stderr.splitlines()[-1].endswith(" ask tiny '…' --presets tiny.yaml")
    assert state(launch) == "ready"
    assert not unfinished(tmp_path)
    assert pull(launch).stdout == f"tiny is on this machine: {folder}\n"


def test_hugging_face_s_own_programs_find_it(launch: Launch, tmp_path: Path) -> None:
    folder = folder_of(pull(launch))
    cache = tmp_path / "home" / ".cache" / "huggingface" / "hub"
    assert folder == cache / "models--org--tiny.1b" / "snapshots" / COMMIT
    program = (
        "import sys; from huggingface_hub import scan_cache_dir, snapshot_download\n"
        f"assert snapshot_download({MODEL!r}, local_files_only=True, cache_dir=sys.argv[1]) =="
        f" {str(folder)!r}\n"
        "found = scan_cache_dir(sys.argv[1]); assert not found.warnings, found.warnings\n"
        "((revision,),) = [repo.revisions for repo in found.repos]; assert revision.refs == {'main'}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(cache)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", HUBS)
def test_a_connection_that_is_cut_is_taken_up_where_it_ended(
    launch: Launch, hub: PlayedHub, kind: str
) -> None:
    hub.cuts[SHARD] = [1000, 2000, 0]
    folder = folder_of(pull(launch, "--from", kind))
    assert hub.ranges_of(SHARD) == ["", "bytes=1000-", "bytes=3000-", "bytes=3000-"]
    assert (folder / SHARD).read_bytes() == checkpoint_files()[SHARD]


def test_a_hub_without_ranges_begins_anew(launch: Launch, hub: PlayedHub) -> None:
    hub.ranges, hub.cuts[SHARD] = False, [1000]
    folder = folder_of(pull(launch))
    assert (folder / SHARD).read_bytes() == checkpoint_files()[SHARD]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
@pytest.mark.parametrize("kind", HUBS)
def test_a_command_that_is_stopped_goes_on_the_next_time(
    launch: Launch,
    environment: dict[str, str],
    tmp_path: Path,
    hub: PlayedHub,
    kind: str,
    number: int,
    code: int,
) -> None:
    hub.held = SHARD
    with started(environment, tmp_path, "--from", kind) as process:
        assert hub.half_sent.wait(60)
        (part,) = unfinished(tmp_path)
        size = len(checkpoint_files()[SHARD])
        wait_for_size(part, size // 2)
        process.send_signal(number)
        assert process.wait(60) == code
    hub.held = ""
    hub.go_on.set()
    assert state(launch) == "needs_download"
    folder_of(pull(launch, "--from", kind))
    assert hub.ranges_of(SHARD) == ["", f"bytes={size // 2}-"]
    assert [asked for _, asked in hub.fetched_to_keep].count("") == len(NEEDED) - 1
    assert state(launch) == "ready"


def wait_for_size(file: Path, size: int) -> None:
    """Until what the server has sent is on the disk: another process writes it, and tells nobody."""
    deadline = time.monotonic() + 60
    while file.stat().st_size < size:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def started(environment: dict[str, str], tmp_path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "launcher", "pull", "tiny", "--presets", "tiny.yaml", *arguments]
    pipe = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("kind", HUBS)
@pytest.mark.parametrize("file", [SHARD, "config.json"])
def test_a_wrong_hash_is_refused(
    launch: Launch, hub: PlayedHub, tmp_path: Path, kind: str, file: str
) -> None:
    hub.spoilt = {file}
    assert f"What came as {file} is not what the hub announced" in failed(pull(launch, "--from", kind))
    assert state(launch) == "needs_download"
    assert not unfinished(tmp_path)
    hub.spoilt = set()
    folder_of(pull(launch, "--from", kind))
    assert [name for name, _ in hub.fetched].count("tokenizer.model") == 1


def test_a_file_longer_than_announced_is_refused(launch: Launch, hub: PlayedHub) -> None:
    content = checkpoint_files()
    hub.models[MODEL] = _Longer(content)
    assert f"What came as {SHARD} is not what the hub announced" in failed(pull(launch))


class _Longer(dict[str, bytes]):
    """Listed as it is, sent with something behind it."""

    def __getitem__(self, name: str) -> bytes:
        return super().__getitem__(name) + (b"more" if name == SHARD else b"")


def test_a_part_from_before_that_is_wrong_is_fetched_anew(
    launch: Launch, hub: PlayedHub, tmp_path: Path
) -> None:
    hub.cuts[SHARD], hub.status = [4000], {"model-00002-of-00002.safetensors": 404}
    failed(pull(launch, "--to", "model"))
    shard = tmp_path / "model" / SHARD
    (tmp_path / "model" / f"{SHARD}.part").write_bytes(b"not ours")
    spoilt = shard.read_bytes()
    shard.write_bytes(b"x" + spoilt[1:])
    hub.status = {}
    folder_of(pull(launch, "--to", "model"))
    assert shard.read_bytes() == checkpoint_files()[SHARD]


def test_a_kept_part_whose_bytes_are_wrong(launch: Launch, hub: PlayedHub, tmp_path: Path) -> None:
    hub.cuts[SHARD], hub.status = [4000], {SHARD: 404}
    failed(pull(launch, "--to", "model"))
    (part,) = (tmp_path / "model").glob(f"{SHARD}.*.part")
    part.write_bytes(b"x" * 5000)
    hub.status, hub.cuts = {}, {}
    folder_of(pull(launch, "--to", "model"))
    assert hub.ranges_of(SHARD)[-2:] == ["bytes=5000-", ""]
    assert (tmp_path / "model" / SHARD).read_bytes() == checkpoint_files()[SHARD]


def test_files_that_are_whole_are_not_fetched_twice_and_broken_ones_are(
    launch: Launch, hub: PlayedHub
) -> None:
    folder = folder_of(pull(launch))
    hub.fetched.clear()
    folder_of(pull(launch, "--from", "hf"))
    assert hub.fetched_to_keep == []
    blob = (folder / SHARD).resolve()
    blob.write_bytes(bytes(blob.stat().st_size))
    folder_of(pull(launch, "--from", "hf"))
    assert hub.fetched_to_keep == [(SHARD, "")]
    assert (folder / SHARD).read_bytes() == checkpoint_files()[SHARD]


def test_a_hub_that_stops_answering_midway(launch: Launch, hub: PlayedHub) -> None:
    hub.status = {SHARD: 503}
    said = failed(pull(launch))
    assert f"The download of {SHARD} stopped at 0 of " in said
    assert "HTTP 503" in said
    assert "Type the command again: it goes on from there." in said


@pytest.mark.parametrize("kind", HUBS)
def test_an_unknown_model(launch: Launch, hub: PlayedHub, kind: str) -> None:
    hub.models.clear()
    other = HUBS[kind == "hf"]
    said = failed(pull(launch, "--from", kind))
    assert f"{hub.endpoint} knows no model {MODEL}, or it is private" in said
    assert said.endswith(f"/launcher pull tiny --from {other} --presets tiny.yaml")


@pytest.mark.parametrize(("kind", "status"), [("hf", 401), ("hf", 403), ("modelscope", 403)])
def test_a_model_for_those_who_were_let_in(launch: Launch, hub: PlayedHub, kind: str, status: int) -> None:
    hub.status = {"listing": status}
    assert "gives org/tiny.1b only to those who were let in" in failed(pull(launch, "--from", kind))


@pytest.mark.parametrize("kind", HUBS)
def test_a_hub_that_is_out_of_order(launch: Launch, hub: PlayedHub, kind: str) -> None:
    hub.status = {"listing": 502}
    assert "does not give org/tiny.1b: HTTP 502" in failed(pull(launch, "--from", kind))


@pytest.mark.parametrize("kind", HUBS)
def test_a_network_that_asks_for_a_login(launch: Launch, hub: PlayedHub, kind: str) -> None:
    hub.page = b"<html>Please log in</html>"
    assert "does not answer as a hub does" in failed(pull(launch, "--from", kind))


def test_offline(launch: Launch) -> None:
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "MODELSCOPE_DOMAIN": "http://127.0.0.1:9"}
    said = failed(pull(launch, **nobody))
    assert "http://127.0.0.1:9 is not reached: " in said
    assert said.endswith("/launcher pull tiny --from modelscope --presets tiny.yaml")
    said = failed(pull(launch, "--from", "modelscope", **nobody))
    assert said.endswith("/launcher pull tiny --from hf --presets tiny.yaml")
    assert "HF_HUB_OFFLINE is set" in failed(pull(launch, HF_HUB_OFFLINE="1"))
    assert "is not an address" in failed(pull(launch, HF_ENDPOINT="ftp://example"))


def test_without_room_nothing_is_fetched(environment: dict[str, str], hub: PlayedHub, tmp_path: Path) -> None:
    with on_small_disk(environment, tmp_path, "128k") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert b"org/tiny.1b needs 0.3 MB more in " in said
    assert b"0.1 MB are free there" in said
    assert hub.fetched_to_keep == []


@pytest.mark.parametrize("kind", HUBS)
def test_a_disk_that_fills_up_meanwhile(
    environment: dict[str, str], hub: PlayedHub, tmp_path: Path, kind: str
) -> None:
    disk = tmp_path / "disk"
    with on_small_disk(environment, tmp_path, "512k", "--from", kind) as process:
        inside = Path(f"/proc/{process.pid}/root{disk}")
        hub.held, hub.on_half = SHARD, lambda: fill(inside / "ballast")
        assert hub.half_sent.wait(60)
        hub.go_on.set()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    lines = said.decode().splitlines()
    assert lines[-2] == f"launcher: The disk of {disk / 'model'} is full"
    assert f"/launcher pull tiny --to {disk}/model" in lines[-1]


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as opened:
        try:
            while opened.write(bytes(4096)):
                pass
        except OSError:
            return


def why_not_mount() -> str:
    """ "" where a user may mount a file system in a namespace of its own."""
    if shutil.which("unshare") is None:
        return "there is no unshare"
    tried = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "true"], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip()


def on_small_disk(
    environment: dict[str, str], tmp_path: Path, size: str, *arguments: str
) -> subprocess.Popen[bytes]:
    """The command in a mount namespace of its own, where ``disk`` is a file system of the given size."""
    if why := why_not_mount():
        pytest.skip(f"no file system can be mounted here: {why}; see the test of a file size limit")
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["pull", "tiny", "--presets", "tiny.yaml", "--to", f"{disk}/model", *arguments]
    script = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'
    command = [
        "unshare",
        "--mount",
        "--map-root-user",
        "sh",
        "-c",
        script,
        size,
        str(disk),
        sys.executable,
        "-m",
        "launcher",
        *words,
    ]
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_disk_that_refuses_a_file_of_this_size(
    environment: dict[str, str], hub: PlayedHub, tmp_path: Path
) -> None:
    """As FAT32 does from 4 GB on; here by the process's own limit."""
    limit = 50_000
    done = subprocess.run(
        [sys.executable, "-m", "launcher", "pull", "tiny", "--presets", "tiny.yaml", "--to", "model"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    said = failed(done)
    assert f"{tmp_path / 'model'} cannot be written: File too large" in said
    assert said.endswith("/launcher pull tiny --to model --presets tiny.yaml")
    (part,) = unfinished(tmp_path)
    assert part.stat().st_size == limit


def test_a_place_that_is_a_file(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written: " in failed(pull(launch, "--to", "file"))


def test_a_folder_of_one_s_own(launch: Launch, tmp_path: Path) -> None:
    done = pull(launch, "--to", "models/tiny")
    assert folder_of(done) == tmp_path / "models" / "tiny"
    assert (
        done.stderr.splitlines()[-1]
        == f"So that the launcher finds this one, type: export LAUNCHER_MODELS={tmp_path}/models"
    )
    assert state(launch) == "needs_download"
    assert state(launch, LAUNCHER_MODELS=f"{tmp_path}/models") == "ready"


def test_a_folder_with_another_name(launch: Launch, tmp_path: Path) -> None:
    done = pull(launch, "--to", "elsewhere")
    assert done.stderr.splitlines()[-2:] == [
        "So that the launcher finds this one, put a line first among the sources of tiny:",
        f'  - "{tmp_path}/elsewhere"',
    ]


def test_one_from_each_hub(launch: Launch) -> None:
    first, second = pull(launch, "--from", "hf"), pull(launch, "--from", "modelscope")
    assert f"The launcher takes {folder_of(first)} so far." in second.stderr
    assert f'  - "{folder_of(second)}"' in second.stderr


def test_the_user_s_folder_of_models_comes_first(launch: Launch, tmp_path: Path) -> None:
    models = {"LAUNCHER_MODELS": str(tmp_path / "my models")}
    folder = folder_of(pull(launch, **models))
    assert folder == tmp_path / "my models" / "tiny"
    (folder / SHARD).write_bytes(b"x")
    assert state(launch, **models) == "broken"
    assert folder_of(pull(launch, "--from", "modelscope", **models)) == folder
    assert state(launch, **models) == "ready"


def test_bin_weights_where_there_are_no_others(launch: Launch, hub: PlayedHub) -> None:
    kept = {"config.json", "tokenizer.model", "pytorch_model.bin", "modeling_internlm2.py"}
    hub.models[MODEL] = {name: content for name, content in checkpoint_files().items() if name in kept}
    folder = folder_of(pull(launch))
    assert {path.name for path in folder.iterdir()} == kept - {"modeling_internlm2.py"}


def test_two_at_once(launch: Launch, environment: dict[str, str], hub: PlayedHub, tmp_path: Path) -> None:
    hub.held = SHARD
    with started(environment, tmp_path) as process:
        assert hub.half_sent.wait(60)
        assert "is being downloaded by another program" in failed(pull(launch))
        hub.go_on.set()
        assert process.wait(60) == 0
    assert state(launch) == "ready"


def test_a_token_stays_with_the_hub(launch: Launch, hub: PlayedHub) -> None:
    with played_hub(MODEL) as store:
        hub.store = store.endpoint
        folder_of(pull(launch, HF_TOKEN="hf_secret"))
        assert {token for _, token in hub.asked} == {"Bearer hf_secret"}
        assert {token for _, token in store.asked} == {""}


def test_a_preset_without_a_hub(launch: Launch, preset: Path) -> None:
    preset.write_text(
        preset.read_text(encoding="utf-8").replace(f', "hf:{MODEL}", "modelscope:{MODEL}"', ""),
        encoding="utf-8",
    )
    assert "tiny names no hub to download from" in failed(pull(launch))


def test_what_comes_with_the_launcher_is_not_downloaded(launch: Launch) -> None:
    assert "tiny-chat is on this machine: " in launch("pull", "tiny-chat").stdout
    said = failed(launch("pull", "tiny-chat", "--from", "hf"))
    assert said.startswith("launcher: tiny-chat is part of the launcher: there is nothing to download\n")
    assert re.search(r"To ask it, type: \S*launcher ask tiny-chat '…'$", said)


def test_what_is_made_here_is_not_downloaded(launch: Launch) -> None:
    said = failed(launch("pull", "internlm-xcomposer2-vl-1_8b-awq"))
    assert "internlm-xcomposer2-vl-1_8b-awq is on no hub: it is made on this machine" in said
    assert re.search(r"To make it, type: \S*launcher quantize internlm-xcomposer2-vl-1_8b$", said)


def test_what_lies_in_a_folder_of_its_own_is_not_downloaded(launch: Launch, tmp_path: Path) -> None:
    text = f"name: own\ntitle: Own\nkind: text\nsources: {BUILTIN / 'tiny-chat'}\n"
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    said = failed(launch("pull", "own", "--to", "x", "--presets", "own.yaml"))
    assert f"own names no hub to download from, and is on this machine: {BUILTIN / 'tiny-chat'}\n" in said
    assert "launcher ask own '…' --presets own.yaml" in said


def test_a_hub_that_the_preset_does_not_name(launch: Launch, preset: Path) -> None:
    preset.write_text(
        preset.read_text(encoding="utf-8").replace(f', "modelscope:{MODEL}"', ""), encoding="utf-8"
    )
    said = failed(pull(launch, "--from", "modelscope"))
    assert said.startswith("launcher: tiny is not on modelscope\nType: ")
    assert said.endswith("/launcher pull tiny --from hf --presets tiny.yaml")


def test_a_model_that_comes_with_the_launcher(launch: Launch) -> None:
    done = launch("pull", "shapes-internvl2")
    assert done.returncode == 0
    assert done.stdout.startswith("shapes-internvl2 is on this machine: ")


def test_a_bar_in_a_terminal(environment: dict[str, str], hub: PlayedHub, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    hub.held = SHARD
    command = [sys.executable, "-m", "launcher", "pull", "tiny", "--presets", "tiny.yaml"]
    terminal = {**environment, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=terminal, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        with os.fdopen(ours, "rb", buffering=0) as screen:
            while piece := screen_piece(screen):
                shown += piece
                if SHARD.encode() in shown:
                    hub.go_on.set()
        assert process.wait(60) == 0
    assert SHARD.encode() in shown
    assert b"kB" in shown


def screen_piece(screen: BinaryIO) -> bytes:
    """What the terminal shows next; nothing once the program has ended, which Linux reports as an error."""
    try:
        return screen.read(4096)
    except OSError:
        return b""
