"""``launcher quantize`` as a person runs it: to its end, killed in the middle, without room, without memory,
with a broken checkpoint."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from launcher.checkpoints import read_facts
from launcher.cli import quantize
from launcher.cli.app import run
from launcher.cli.run_folder import run_folder
from launcher.devices import Devices, Gpu
from tests.cli.conftest import Launch
from tests.cli.fork_server import ForkServer
from tests.cli.pull.test_pull import fill, why_not_mount
from tests.published import KNOWN_CONFIGS

BUILT_IN = Path(__file__).resolve().parents[2] / "launcher/demo/checkpoints/tiny-chat"


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    """With PyTorch and transformers, whose imports are half of what these commands cost. No hub is asked."""
    server = ForkServer("launcher.quantizing.run")
    yield server
    server.close()


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "OMP_NUM_THREADS": "1"}  # so small a model is slower on two


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def checkpoint(folder: Path) -> tuple[Path, Path]:
    """A copy of the built-in text model, and a preset of it."""
    shutil.copytree(BUILT_IN, folder / "model")
    file = folder / "own.yaml"
    file.write_text(f"name: own\ntitle: Own\nkind: text\nsources: ['{folder}/model']\n", encoding="utf-8")
    return folder / "model", file


def test_it_is_made_compared_and_asked(launch: Launch, tmp_path: Path) -> None:
    done = launch("quantize", "tiny-chat")
    assert done.returncode == 0, done.stderr
    made = tmp_path / "home/.cache/launcher/models/tiny-chat-awq"
    assert "On the CPU, at most about" in done.stderr
    assert "rounding layers: 4 of 4" in done.stderr
    assert "First token of an answer: the same for 16 of 16" in done.stdout
    assert f"tiny-chat in four bits is in {made}" in done.stdout
    assert not made.with_name("tiny-chat-awq.unfinished").exists()
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    assert config["torch_dtype"] == "float16"
    assert config["quantization_config"] == {
        "quant_method": "awq",
        "bits": 4,
        "group_size": 128,
        "version": "gemm",
        "zero_point": True,
    }
    facts = read_facts(made)
    assert {each.dtype for each in facts.tensors} == {"F16", "I32"}
    assert sum(each.name.endswith(".qweight") for each in facts.tensors) == 4 * 5
    asked = launch("ask", "tiny-chat-awq", "What is 3 plus 4?")
    assert (asked.returncode, asked.stdout) == (0, "7.\n"), asked.stderr
    again = launch("quantize", "tiny-chat")
    assert again.returncode == 3
    assert "tiny-chat-awq is there already" in again.stderr
    smaller_still = launch("quantize", "tiny-chat-awq")
    assert smaller_still.returncode == 3
    assert "tiny-chat-awq is quantised already (awq, 4 bits)" in smaller_still.stderr


def test_a_run_that_was_killed_goes_on_and_makes_the_same_bytes(
    launch: Launch, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it left in the temporary folder goes with the next start of any command."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    command = [sys.executable, "-m", "launcher", "quantize", "tiny-chat", "--samples", "8", "--to", "cut"]
    own = environment | {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, cwd=tmp_path, env=own, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while b"layers: 2 of 4" not in process.stderr.readline():
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
    assert list(temporary.glob("launcher-*"))
    with run_folder():
        pass
    assert not list(temporary.glob("launcher-*"))
    assert not (tmp_path / "cut").exists()
    unfinished = tmp_path / "cut.unfinished"
    assert not (unfinished / "config.json").exists()
    first = unfinished / "model-00001-of-00006.safetensors"
    written_ns = first.stat().st_mtime_ns
    done = launch("quantize", "tiny-chat", "--samples", "8", "--to", "cut")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cut" / first.name).stat().st_mtime_ns == written_ns
    assert launch("quantize", "tiny-chat", "--samples", "8", "--to", "whole").returncode == 0
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_what_was_asked_otherwise_is_not_gone_on_with(launch: Launch, tmp_path: Path) -> None:
    """A file of another run lies there, whole and wrong."""
    unfinished = tmp_path / "made.unfinished"
    unfinished.mkdir()
    shutil.copy(BUILT_IN / "model.safetensors", unfinished / "model-00001-of-00006.safetensors")
    (unfinished / "asked").write_text("something else", encoding="utf-8")
    assert launch("quantize", "tiny-chat", "--samples", "8", "--to", "made").returncode == 0
    with safe_open(tmp_path / "made/model-00001-of-00006.safetensors", "pt") as opened:
        assert "model.layers.0.attention.wqkv.qweight" in opened.keys()  # noqa: SIM118 - no mapping


def on_a_disk(environment: dict[str, str], tmp_path: Path, options: str) -> subprocess.Popen[bytes]:
    """The command in a mount namespace of its own, where ``disk`` is a file system that is mounted so."""
    if why := why_not_mount():
        pytest.skip(f"no file system can be mounted here: {why}")
    disk = tmp_path / "disk"
    disk.mkdir()
    script = 'mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@"'
    words = [
        sys.executable,
        "-m",
        "launcher",
        "quantize",
        "tiny-chat",
        "--samples",
        "8",
        "--to",
        f"{disk}/made",
    ]
    return subprocess.Popen(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script, options, str(disk), *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_without_room_nothing_is_begun(environment: dict[str, str], tmp_path: Path) -> None:
    with on_a_disk(environment, tmp_path, "size=128k") as process:
        _, said = process.communicate()
    assert process.returncode == 3
    assert b"tiny-chat needs 0." in said
    assert b" MB more in " in said
    assert b"0.1 MB are free there" in said


def test_where_nothing_can_be_written_nothing_is_begun(environment: dict[str, str], tmp_path: Path) -> None:
    with on_a_disk(environment, tmp_path, "ro") as process:
        _, said = process.communicate()
    assert process.returncode == 3
    assert f"Nothing can be written in {tmp_path}/disk, where {tmp_path}/disk/made is to be".encode() in said
    assert b"Name another folder with --to." in said


def test_a_disk_that_fills_up_meanwhile(environment: dict[str, str], tmp_path: Path) -> None:
    with on_a_disk(environment, tmp_path, "size=2m") as process:
        assert process.stderr is not None
        while b"layers: 1 of 4" not in (line := process.stderr.readline()):
            assert line
        inside = Path(f"/proc/{process.pid}/root{tmp_path}/disk")
        fill(inside / "ballast")
        _, said = process.communicate()
    assert process.returncode == 1
    assert b"No space left on device" in said
    assert b"Make room on the disk, then type the command again." in said


def rewritten(model: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """The checkpoint with its weights changed."""
    tensors = load_file(model / "model.safetensors")
    change(tensors)
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})


def with_nan(tensors: dict[str, Tensor]) -> None:
    tensors["model.layers.3.feed_forward.w2.weight"][5, 7] = float("nan")


OTHER_FAMILY = json.dumps(KNOWN_CONFIGS["qwen3-1_7b"])


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda model: os.truncate(model / "model.safetensors", 500_000), "broken or cut short"),
        (lambda model: (model / "tokenizer.model").unlink(), "holds no tokenizer"),
        (lambda model: (model / "config.json").write_text("{}"), "no model's config"),
        (
            lambda model: (model / "config.json").write_text(OTHER_FAMILY),
            "which `launcher quantize` cannot take",
        ),
        (
            lambda model: rewritten(model, with_nan),
            "tensor model.layers.3.feed_forward.w2.weight holds numbers",
        ),
        (lambda model: rewritten(model, lambda found: found.pop("output.weight")), "output.weight"),
    ],
)
def test_a_checkpoint_that_cannot_be_taken(
    launch: Launch, tmp_path: Path, break_it: Callable[[Path], object], words: str
) -> None:
    model, preset = checkpoint(tmp_path)
    break_it(model)
    done = launch("quantize", "own", "--presets", str(preset), "--to", "made")
    assert done.returncode == 3
    assert words in done.stderr
    assert not list(tmp_path.glob("made*"))


GPU = Gpu("Small", "GPU-1", 2**30, 2**29, (9, 0), "580", (13, 0))


@pytest.mark.parametrize("gpus", [(), (GPU,)])
def test_more_memory_than_there_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    gpus: tuple[Gpu, ...],
) -> None:
    """A machine with so little cannot be had here: what the command is told of it is another's."""
    small = Devices(gpus=gpus, ram_total_bytes=2**30, ram_free_bytes=2**28)
    monkeypatch.setattr(quantize, "read_devices", lambda: small)
    assert run(["quantize", "tiny-chat", "--to", str(tmp_path / "made")]) == 4
    said = capsys.readouterr().err
    assert "Quantising tiny-chat takes 0.9 GiB of memory on the CPU, and 0.2 of 1.0 GiB are free" in said
    assert f"and {0.5 if gpus else 0.0} GiB are free" in said
    assert not list(tmp_path.glob("made*"))


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("internvl2-2b",), "internvl2-2b is not on this machine", 3),
        (("nothing",), "There is no preset nothing", 2),
        (("tiny-chat", "--texts", "few.txt"), "few.txt holds 1 texts; at least 4 are needed", 7),
        (("shapes-internvl2", "--images", "empty"), "empty holds 0 pictures; at least 4 are needed", 7),
        (("tiny-chat", "--texts", "no.txt"), "no.txt cannot be read: No such file or directory", 7),
        (("tiny-chat", "--texts", "empty.txt"), "empty.txt holds 0 texts", 7),
        (("tiny-chat", "--texts", "bytes.txt"), "bytes.txt is no text in UTF-8", 7),
        (("shapes-internvl2", "--images", "nowhere"), "No such file or directory: nowhere", 1),
        (("shapes-internvl2", "--images", "texts"), "is not a picture", 6),
        (("tiny-chat", "--images", "texts"), "tiny-chat reads no pictures", 7),
        (("tiny-chat", "--samples", "0"), "Invalid value for '--samples'", 2),
        (("tiny-chat", "--to", "few.txt"), "few.txt is there already", 3),
        (("tiny-chat", "--to", "few.txt/below"), "Nothing can be written in", 3),
    ],
)
def test_wrong_words(
    launch: Launch, tmp_path: Path, arguments: tuple[str, ...], words: str, code: int
) -> None:
    (tmp_path / "few.txt").write_text("One text.", encoding="utf-8")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xfd")
    for name in ("empty", "texts"):
        (tmp_path / name).mkdir()
    for number in range(4):
        (tmp_path / "texts" / f"{number}.txt").write_text("A text.", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    done = launch("quantize", "--to", "made", *arguments)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert sorted(tmp_path.rglob("*")) == before
