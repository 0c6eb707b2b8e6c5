"""``launcher add``: from a model's name to a preset that every other command knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.checkpoints.locating import BUILTIN
from launcher.presets import read_presets
from tests.cli.add.conftest import MODEL
from tests.cli.conftest import ROOT, Launch
from tests.downloads.hub import PlayedHub, checkpoint_files


@pytest.mark.parametrize("kind", ["hf", "modelscope"])
def test_a_model_of_a_hub_becomes_a_preset_and_is_then_pulled(
    launch: Launch, hub: PlayedHub, own: Path, kind: str
) -> None:
    done = launch("add", f"{kind}:{MODEL}")
    assert done.returncode == 0, done.stderr
    assert {name for name, _ in hub.fetched} == {"config.json"}
    assert done.stdout.splitlines() == [
        "Tiny.1B: InternLM2ForCausalLM, takes text, 0.3 MB of weights",
        "Here: transformers on cpu",
        f"Wrote {own / 'tiny.1b.yaml'}",
    ]
    assert done.stderr.splitlines()[-1].endswith("launcher pull tiny.1b")
    (preset,) = read_presets([own]).presets
    assert (preset.name, preset.title.en, preset.kind) == ("tiny.1b", "Tiny.1B", "text")
    assert preset.sources == ("${LAUNCHER_MODELS}/Tiny.1B", f"{kind}:{MODEL}")
    assert launch("pull", "tiny.1b").returncode == 0
    (found,) = [each for each in json.loads(launch("presets", "--json").stdout) if each["name"] == "tiny.1b"]
    assert found["state"] == "ready"


INTERNLM2_5 = {
    "architectures": ["InternLM2ForCausalLM"],
    "attn_implementation": "eager",
    "auto_map": {
        "AutoConfig": "configuration_internlm2.InternLM2Config",
        "AutoModelForCausalLM": "modeling_internlm2.InternLM2ForCausalLM",
    },
    "bias": False,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "max_position_embeddings": 32768,
    "model_type": "internlm2",
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "num_key_value_heads": 8,
    "pretraining_tp": 1,
    "rope_scaling": {"factor": 2.0, "type": "dynamic"},
    "rope_theta": 1000000,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 92544,
}
"""As InternVL2.5-2B's config prints the model that it has inside, with the text model's own vocabulary."""


def test_internlm2_5_is_taken_as_internlm2_is(launch: Launch, hub: PlayedHub, own: Path) -> None:
    name = "internlm/internlm2_5-1_8b-chat"
    hub.models[name] = {**checkpoint_files(), "config.json": json.dumps(INTERNLM2_5).encode()}
    done = launch("add", f"hf:{name}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("internlm2_5-1_8b-chat: InternLM2ForCausalLM, takes text")
    (preset,) = read_presets([own]).presets
    assert (preset.name, preset.kind) == ("internlm2_5-1_8b-chat", "text")
    (found,) = json.loads(launch("plan", preset.name, "--gpu-gib", "8", "--json").stdout)
    assert found["plan"]["engine"] == "turbomind"
    assert found["plan"]["parts"]["language_model"] == pytest.approx(2 * 1.889e9, rel=0.001)
    assert found["plan"]["session_tokens"] > 2048


def test_a_folder_becomes_a_preset_that_can_be_asked(launch: Launch, own: Path) -> None:
    folder = ROOT / "launcher" / "demo" / "checkpoints" / "shapes-internvl2"
    done = launch("add", str(folder), "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert "takes pictures" in done.stdout
    assert done.stderr.splitlines()[-1].endswith("launcher ask mine '…'")
    (preset,) = read_presets([own]).presets
    assert (preset.kind, preset.sources) == ("vision", (str(folder),))


def test_no_file_is_written_over_and_no_name_is_taken_twice(launch: Launch, own: Path) -> None:
    arguments = ("add", f"hf:{MODEL}", "--name", "mine")
    assert launch(*arguments).returncode == 0
    (own / "mine.yaml").write_text("# my own words\n", encoding="utf-8")
    done = launch(*arguments)
    assert done.returncode == 2
    assert f"{own / 'mine.yaml'} is there already\n" in done.stderr
    assert "--name mine-2" in done.stderr
    assert (own / "mine.yaml").read_text(encoding="utf-8") == "# my own words\n"
    assert launch(*arguments, "--force").returncode == 0
    assert read_presets([own]).presets[0].name == "mine"
    taken = launch("add", f"hf:{MODEL}", "--name", "tiny.chat")  # the same address on the page
    assert taken.returncode == 2
    assert "There is a preset tiny-chat already" in taken.stderr
    assert not (own / "tiny.chat.yaml").exists()


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("org/Tiny.1B", 7, "org/Tiny.1B is neither a model on a hub nor a folder with a config.json"),
        ("hf:org/none", 3, "knows no model org/none"),
        ("hf:org", 7, "Write hf:ORG/NAME, modelscope:ORG/NAME, or a folder's path."),
    ],
)
def test_what_is_no_model_writes_nothing(
    launch: Launch, own: Path, source: str, code: int, words: str
) -> None:
    done = launch("add", source)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert not own.exists()


@pytest.mark.parametrize("name", ["A B", "", "../x", "x" * 65])
def test_a_name_that_cannot_be_is_told_before_any_hub_is_asked(
    launch: Launch, hub: PlayedHub, name: str
) -> None:
    done = launch("add", f"hf:{MODEL}", "--name", name)
    assert done.returncode == 2
    assert f"{name!r} is no name of lower-case letters" in " ".join(done.stderr.split())
    assert not hub.fetched


def test_what_is_typed_again_is_all_that_was_typed(launch: Launch, environment: dict[str, str]) -> None:
    environment["HF_ENDPOINT"] = "http://127.0.0.1:1"
    done = launch("add", f"hf:{MODEL}", "--name", "mine", "--force")
    assert done.returncode == 3
    assert f"launcher add hf:{MODEL} --name mine --force" in done.stderr


def test_a_folder_that_no_preset_can_name(launch: Launch, tmp_path: Path, own: Path) -> None:
    (tmp_path / "two\nlines").symlink_to(BUILTIN / "tiny-chat")
    done = launch("add", str(tmp_path / "two\nlines"))
    assert done.returncode == 7
    assert "No preset can name the folder" in done.stderr
    assert not own.exists()


def test_an_architecture_that_no_machine_runs_writes_nothing(
    launch: Launch, hub: PlayedHub, own: Path
) -> None:
    hub.models[MODEL]["config.json"] = b'{"architectures": ["Strange9ForCausalLM"], "model_type": "strange"}'
    done = launch("add", f"hf:{MODEL}")
    assert (done.returncode, done.stdout) == (3, "")
    assert "Strange9ForCausalLM" in done.stderr
    assert not own.exists()


def test_what_this_machine_alone_cannot_is_written_and_said(
    launch: Launch, hub: PlayedHub, own: Path
) -> None:
    config = json.loads(checkpoint_files()["config.json"])
    quantised = {**config, "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}}
    hub.models[MODEL]["config.json"] = json.dumps(quantised).encode()
    done = launch("add", f"hf:{MODEL}")
    assert done.returncode == 0, done.stderr
    assert "It cannot run here as it is: tiny.1b needs an NVIDIA GPU" in done.stdout
    assert (own / "tiny.1b.yaml").exists()
