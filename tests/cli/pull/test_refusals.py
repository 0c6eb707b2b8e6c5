"""What ``launcher pull`` looks at before it fetches weights, and whether what it prints can be typed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from launcher.checkpoints.locating import BUILTIN
from tests.cli.conftest import Launch
from tests.cli.pull.conftest import HUBS, MODEL, failed, folder_of, pull, state
from tests.downloads.hub import PlayedHub, checkpoint_files

Run = subprocess.CompletedProcess[str]


def serve_config(hub: PlayedHub, **changes: Any) -> None:
    """The played model with another config.json."""
    files = checkpoint_files()
    config = {**json.loads(files["config.json"]), **changes}
    hub.models[MODEL] = {**files, "config.json": json.dumps(config).encode()}


def nothing_was_fetched(hub: PlayedHub, tmp_path: Path) -> bool:
    return not hub.fetched_to_keep and not list(tmp_path.rglob("*.safetensors*"))


@pytest.mark.parametrize("kind", HUBS)
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": ["GemmaForCausalLM"]}, "GemmaForCausalLM in "),
        ({"architectures": []}, '"architectures" is missing'),
        ({"hidden_size": None}, "config.json: hidden_size is missing"),
        ({"num_attention_heads": 0}, "config.json: num_attention_heads is 0, not a whole number from 1 to"),
        ({"num_hidden_layers": 10**9}, "config.json: num_hidden_layers is 1000000000, not a whole number"),
    ],
    ids=["llama", "no architecture", "no size", "no heads", "layers"],
)
def test_what_no_machine_runs_is_refused_before_its_weights(
    launch: Launch, hub: PlayedHub, tmp_path: Path, kind: str, changes: dict[str, Any], words: str
) -> None:
    serve_config(hub, **changes)
    for options in ([], ["--anyway"]):
        assert words in failed(pull(launch, "--from", kind, *options))
    assert nothing_was_fetched(hub, tmp_path)


def test_what_needs_a_gpu_is_fetched_only_when_told_so(
    launch: Launch, typed: Any, hub: PlayedHub, tmp_path: Path
) -> None:
    serve_config(hub, quantization_config={"quant_method": "gptq", "bits": 4, "group_size": 128})
    refused = pull(launch)
    assert "tiny needs an NVIDIA GPU, and this machine has none" in failed(refused, 4)
    assert nothing_was_fetched(hub, tmp_path)
    done = typed(command_in(refused.stderr, "For another machine, type: "))
    assert folder_of(done).is_dir()
    assert "It cannot run here as it is: tiny needs an NVIDIA GPU" in done.stderr.splitlines()[-2]
    assert "launcher ask" not in done.stderr


def test_more_memory_than_there_is(launch: Launch, hub: PlayedHub, tmp_path: Path) -> None:
    """A sparse listing: the hub announces weights of a million gigabytes."""
    files = checkpoint_files()
    files["model-00001-of-00002.safetensors"] = _Announced(files["model-00001-of-00002.safetensors"])
    hub.models[MODEL] = files
    assert "of memory on the CPU" in failed(pull(launch), 4)
    assert nothing_was_fetched(hub, tmp_path)


class _Announced(bytes):
    """Content that says it is larger than it is."""

    def __len__(self) -> int:
        return 10**15


def test_every_command_on_the_way_can_be_typed(
    launch: Launch, typed: Any, hub: PlayedHub, preset: Path
) -> None:
    """From the list of presets to an answer, each command is the one that was printed last; the preset lies
    in a folder with a space."""
    hub.models[MODEL] = {file.name: file.read_bytes() for file in (BUILTIN / "tiny-chat").iterdir()}
    folder = preset.parent / "my presets"
    folder.mkdir()
    preset.rename(folder / preset.name)
    listed = launch("presets", "my presets")
    pulled = typed(command_in(listed.stdout, "To download it, type: "))
    assert pulled.returncode == 0, pulled.stderr
    answered = typed(command_in(pulled.stderr, "To ask it, type: "))
    assert (answered.returncode, bool(answered.stdout.strip())) == (0, True), answered.stderr


def test_the_other_hub_s_command_can_be_typed(launch: Launch, typed: Any, hub: PlayedHub) -> None:
    refused = pull(launch, "--to", "a model", HF_ENDPOINT="http://127.0.0.1:9")
    folder = folder_of(typed(command_in(refused.stderr, "Or take the other hub: ")))
    assert folder.name == "a model"


def command_in(said: str, before: str) -> str:
    return next(line.partition(before)[2] for line in said.splitlines() if before in line)


@pytest.fixture
def typed(tmp_path: Path, environment: dict[str, str]) -> Any:
    """Types a command into a shell, in the folder where it was printed."""

    def run(command: str) -> Run:
        return subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_a_mirror_s_password_is_never_printed(launch: Launch, hub: PlayedHub, tmp_path: Path) -> None:
    secret = "s3cret"
    with_password = hub.endpoint.replace("http://", f"http://somebody:{secret}@")
    done = pull(launch, HF_ENDPOINT=with_password)
    assert folder_of(done).is_dir()
    assert secret not in done.stdout + done.stderr
    mirrors = [
        f"http://somebody:{secret}@127.0.0.1:9",
        f"http://{secret}@127.0.0.1:9/mirror",
        f"http://a:{secret}/{secret}@127.0.0.1",
        f"ftp://a:{secret}@127.0.0.1",
        f"a:{secret}@127.0.0.1:9",
    ]
    for address in mirrors:
        for variable, name in (("HF_ENDPOINT", "hf"), ("MODELSCOPE_DOMAIN", "modelscope")):
            done = pull(launch, "--from", name, **{variable: address})
            assert done.returncode in (3, 7), done.stderr
            assert secret not in done.stderr, address
        listed = launch("presets", "tiny.yaml", HF_ENDPOINT=address)
        assert (listed.returncode, secret in listed.stdout) == (0, False)
        assert "cannot be used" not in listed.stdout + listed.stderr
    hub.models.clear()
    assert secret not in failed(pull(launch, "--from", "hf", HF_ENDPOINT=with_password))


def test_files_without_a_hash_are_said_to_be_taken_by_size(launch: Launch, hub: PlayedHub) -> None:
    hub.without_hash = {"tokenizer.model"}
    done = pull(launch, "--from", "modelscope")
    assert folder_of(done).is_dir()
    assert "taken by size alone, as the hub gives no hash: tokenizer.model" in done.stderr
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.endswith(", size checked")] == [
        "tokenizer.model: 7.5 kB, size checked"
    ]
    hub.spoilt = {"tokenizer.model"}
    assert "taken by size" not in pull(launch, "--from", "hf").stderr


def test_room_for_a_file_of_the_wrong_size(launch: Launch, hub: PlayedHub, tmp_path: Path) -> None:
    """What lies there with another size is fetched anew beside it: all of it has still to come."""
    folder = folder_of(pull(launch, "--to", "model"))
    shard = folder / "model-00001-of-00002.safetensors"
    size = shard.stat().st_size
    for wrong in (size - 1000, size + 1000):
        shard.write_bytes(bytes(wrong))
        done = pull(launch, "--to", "model")
        assert f"of which {size / 1000:.1f} kB to fetch" in done.stderr
        assert shard.stat().st_size == size


def test_the_file_that_names_other_templates_is_fetched(launch: Launch, hub: PlayedHub) -> None:
    more = {
        "processor_config.json": b"{}",
        "video_preprocessor_config.json": b"{}",
        "chat_template.json": b"{}",
        "additional_chat_templates/tool.jinja": b"t",
    }
    hub.models[MODEL] = {**checkpoint_files(), **more, "additional_chat_templates/run.py": b"code"}
    for kind in HUBS:
        folder = folder_of(pull(launch, "--from", kind))
        assert {name: (folder / name).read_bytes() for name in more} == more
        assert not list(folder.rglob("*.py"))


def test_a_home_in_the_models_variable_is_the_same_for_both(
    launch: Launch, hub: PlayedHub, tmp_path: Path
) -> None:
    models = {"LAUNCHER_MODELS": "~/my models"}
    assert folder_of(pull(launch, **models)) == tmp_path / "home" / "my models" / "tiny"
    assert state(launch, **models) == "ready"
    assert not (tmp_path / "~").exists()
    nobody = {"LAUNCHER_MODELS": "~no.one/models", "HF_HOME": str(tmp_path / "hf")}
    assert folder_of(pull(launch, **nobody)).is_relative_to(tmp_path / "hf")
    assert not (tmp_path / "~no.one").exists()


@pytest.mark.parametrize(
    ("typed_folder", "found"), [("./~x", "~x"), ("~no.one/x", "~no.one/x"), ("~/x", "home/x"), ("a b", "a b")]
)
def test_a_folder_is_where_it_was_typed(
    launch: Launch, hub: PlayedHub, tmp_path: Path, typed_folder: str, found: str
) -> None:
    assert folder_of(pull(launch, "--to", typed_folder)) == tmp_path / found


@pytest.mark.parametrize("kind", HUBS)
@pytest.mark.parametrize("name", ["model\0.safetensors", "model\x1b]0;taken over\x07.safetensors"], ids=ascii)
def test_a_name_that_steers_is_written_out(
    launch: Launch, hub: PlayedHub, tmp_path: Path, kind: str, name: str
) -> None:
    hub.models[MODEL] = {**checkpoint_files(), name: b"x"}
    assert f"The hub lists a file named {name!a}" in failed(pull(launch, "--from", kind))
    assert nothing_was_fetched(hub, tmp_path)


def test_a_config_that_steers_is_written_out(launch: Launch, hub: PlayedHub) -> None:
    serve_config(hub, architectures=["\x1b]0;taken over\x07\u202eEvil\x9b2J"])
    said = failed(pull(launch))
    assert "\\x1b]0;taken over\\x07\\u202eEvil\\x9b2J in " in said
