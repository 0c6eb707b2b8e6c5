"""Finding checkpoints and reading their facts, on folders written here with the safetensors library."""

from __future__ import annotations

import json
import shutil
import struct
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from launcher.checkpoints import Absent, Located, download_commands, facts_from_config, locate, read_facts
from launcher.errors import CheckpointError
from launcher.presets import BilingualText, Preset, read_presets
from tests.models.tiny import tokenizer_model

pytestmark = pytest.mark.usefixtures("home")
CONFIG = {"architectures": ["InternLM2ForCausalLM"], "model_type": "internlm2", "torch_dtype": "bfloat16"}


def checkpoint(
    folder: Path, config: dict[str, Any] | None = None, weights: str = "model.safetensors"
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG if config is None else config), encoding="utf-8")
    (folder / "tokenizer.model").write_bytes(tokenizer_model())
    save_file({"a": np.zeros((3, 4), np.float16), "b": np.zeros((5,), np.float32)}, folder / weights)
    return folder


def sharded(folder: Path) -> Path:
    checkpoint(folder, weights="model-00001-of-00002.safetensors")
    save_file({"c": np.zeros((2, 2), np.int32)}, folder / "model-00002-of-00002.safetensors")
    names = {"a": 1, "b": 1, "c": 2}
    weight_map = {name: f"model-0000{number}-of-00002.safetensors" for name, number in names.items()}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": weight_map}), encoding="utf-8"
    )
    return folder


def preset(*sources: str) -> Preset:
    return Preset(name="a", title=BilingualText(en="A", zh="A"), kind="text", sources=sources)


def in_hub_cache(home: Path, name: str, *, weights: bool = True) -> Path:
    repository = home / ".cache" / "huggingface" / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = checkpoint(repository / "snapshots" / "abc123")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc123", encoding="ascii")
    if not weights:
        (snapshot / "model.safetensors").unlink()
    return snapshot


class TestLocate:
    def test_the_first_that_exists_wins(self, tmp_path: Path) -> None:
        second, third = checkpoint(tmp_path / "second"), checkpoint(tmp_path / "third")
        found = locate(preset(str(tmp_path / "first"), str(second), str(third)))
        assert found == Located(second, str(second))

    def test_variables_and_the_home_folder(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = checkpoint(home / "share" / "a")
        assert locate(preset("${LAUNCHER_MODELS}/b", "~/share/a")) == Located(model, "~/share/a")
        own = checkpoint(tmp_path / "models" / "b")
        monkeypatch.setenv("LAUNCHER_MODELS", str(tmp_path / "models"))
        assert locate(preset("${LAUNCHER_MODELS}/b", "~/share/a")) == Located(own, "${LAUNCHER_MODELS}/b")
        assert locate(preset("$LAUNCHER_MODELS/b")) == Located(own, "$LAUNCHER_MODELS/b")

    def test_what_is_wrong_at_a_place_is_said(self, tmp_path: Path, home: Path) -> None:
        (tmp_path / "empty").mkdir()
        in_hub_cache(home, "org/part", weights=False)
        found = locate(
            preset(
                "${LAUNCHER_MODELS}/a", str(tmp_path / "empty"), "/nowhere", "hf:org/part", "modelscope:org/a"
            )
        )
        assert isinstance(found, Absent)
        assert [str(place) for place in found.said] == [
            "${LAUNCHER_MODELS}/a",
            f"{tmp_path / 'empty'} (holds no config.json)",
            "/nowhere",
            "hf:org/part (only a part was downloaded)",
            "modelscope:org/a",
        ]

    def test_hugging_face_s_cache(self, home: Path) -> None:
        snapshot = in_hub_cache(home, "org/model-1.8b")
        assert locate(preset("hf:org/other", "hf:org/model-1.8b")) == Located(snapshot, "hf:org/model-1.8b")

    @pytest.mark.parametrize(
        "place",
        [
            "hub/org/model-1.8b",
            "hub/models/org/model-1.8b",
            "hub/models/org/model-1___8b",
            "models/org/model-1___8b",
        ],
    )
    @pytest.mark.parametrize("variable", [True, False])
    def test_modelscope_s_cache(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, variable: bool
    ) -> None:
        cache = tmp_path / "cache" if variable else home / ".cache" / "modelscope"
        if variable:
            monkeypatch.setenv("MODELSCOPE_CACHE", str(cache))
        folder = checkpoint(cache / place)
        assert locate(preset("modelscope:org/model-1.8b")) == Located(folder, "modelscope:org/model-1.8b")

    def test_commands_go_where_the_preset_looks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wanted = preset("${LAUNCHER_MODELS}/m", "hf:org/m", "modelscope:org/m")
        without = locate(wanted)
        monkeypatch.setenv("LAUNCHER_MODELS", "/my models")
        there = locate(wanted)
        assert isinstance(without, Absent)
        assert isinstance(there, Absent)
        assert without.commands[0] == there.commands[0]
        assert without.commands[0].endswith("launcher pull a")
        assert without.commands[1].endswith("hf download org/m")
        assert without.commands[2].endswith("modelscope download --model org/m")
        assert there.commands[1].endswith("hf download org/m --local-dir '/my models/m'")
        assert there.commands[2].endswith("modelscope download --model org/m --local_dir '/my models/m'")

    def test_the_command_is_one_that_exists_here(self) -> None:
        (_, command) = download_commands(preset("hf:org/m"))
        program = command.split()[0]
        assert shutil.which(program) is not None
        assert Path(sys.executable).parent == Path(shutil.which(program) or "").absolute().parent

    def test_without_a_hub_there_is_nothing_to_type(self) -> None:
        assert locate(preset("/nowhere")) == Absent((("/nowhere", ""),), ())

    def test_what_is_not_built_in_is_told_with_what_is(self) -> None:
        found = locate(preset("builtin:none"))
        place = "builtin:none (not built in; these are: shapes-internvl2, shapes-xcomposer2, tiny-chat)"
        assert isinstance(found, Absent)
        assert (str(found.said), found.commands, found.can_be_put) == (place, (), False)

    def test_what_no_other_preset_is_made_of_is_told(self) -> None:
        """``preset`` gives presets the name a."""
        found = locate(preset("awq:a", "awq:none"))
        told = [f"awq:{name} (there is no other preset {name} to make it of)" for name in ("a", "none")]
        assert isinstance(found, Absent)
        assert ([str(place) for place in found.said], found.commands) == (told, ())

    def test_it_is_made_of_a_preset_beside_it_or_of_a_usual_one(self, tmp_path: Path) -> None:
        text = "name: {name}\ntitle: X\nkind: text\nsources: ['{source}']\n"
        (tmp_path / "x.yaml").write_text(text.format(name="beside", source="/x"), encoding="utf-8")
        for name, ends in (
            ("beside", f"quantize beside --presets {tmp_path}"),
            ("tiny-chat", "quantize tiny-chat"),
        ):
            (tmp_path / "y.yaml").write_text(text.format(name="y", source=f"awq:{name}"), encoding="utf-8")
            found = locate(read_presets([tmp_path]).find("y"))
            assert isinstance(found, Absent)
            assert found.is_made
            assert found.commands[0].endswith(ends)


class TestReadFacts:
    def test_one_file(self, tmp_path: Path) -> None:
        facts = read_facts(checkpoint(tmp_path))
        assert (facts.architecture, facts.model_type, facts.dtype) == (
            "InternLM2ForCausalLM",
            "internlm2",
            "bfloat16",
        )
        assert {(t.name, t.dtype, t.shape, t.size_bytes, t.file) for t in facts.tensors} == {
            ("a", "F16", (3, 4), 24, "model.safetensors"),
            ("b", "F32", (5,), 20, "model.safetensors"),
        }
        assert facts.weight_bytes == (tmp_path / "model.safetensors").stat().st_size
        assert facts.tensor_bytes == {"a": 24, "b": 20}
        # 32 bits become 16 on the way to the GPU
        assert (facts.loaded_tensor_bytes, facts.loaded_bytes) == ({"a": 24, "b": 10}, 34)

    def test_shards(self, tmp_path: Path) -> None:
        facts = read_facts(sharded(tmp_path))
        assert facts.tensor_bytes == {"a": 24, "b": 20, "c": 16}
        assert [file.name[:11] for file in facts.weight_files] == ["model-00001", "model-00002"]

    def test_bin_files_have_sizes_but_no_tensors(self, tmp_path: Path) -> None:
        (checkpoint(tmp_path) / "model.safetensors").unlink()
        (tmp_path / "pytorch_model.bin").write_bytes(b"x" * 1000)
        facts = read_facts(tmp_path)
        assert (facts.weight_bytes, facts.tensors, facts.tensor_bytes) == (1000, (), None)
        assert (facts.loaded_bytes, replace(facts, dtype="float32").loaded_bytes) == (1000, 500)

    def test_a_config_alone(self, tmp_path: Path) -> None:
        checkpoint(tmp_path)
        for path in (tmp_path, tmp_path / "config.json"):
            facts = facts_from_config(path)
            assert (facts.folder, facts.weight_bytes, facts.tensor_bytes) == (None, None, None)

    @pytest.mark.parametrize("inside", [None, "llm_config"])
    @pytest.mark.parametrize(("bits", "group"), [("bits", "group_size"), ("w_bit", "q_group_size")])
    def test_quantization(self, tmp_path: Path, inside: str | None, bits: str, group: str) -> None:
        found = {"quantization_config": {"quant_method": "AWQ", bits: 4, group: 128}}
        facts = read_facts(checkpoint(tmp_path, {**CONFIG, **({inside: found} if inside else found)}))
        assert facts.quantization is not None
        assert (facts.quantization.method, facts.quantization.bits, facts.quantization.group_size) == (
            "awq",
            4,
            128,
        )

    def test_no_weights_are_read(self, tmp_path: Path) -> None:
        """A file of 100 GB of holes is described at once."""
        checkpoint(tmp_path)
        header = json.dumps(
            {"w": {"dtype": "BF16", "shape": [50_000_000_000], "data_offsets": [0, 10**11]}}
        ).encode()
        with (tmp_path / "model.safetensors").open("wb") as file:
            file.write(struct.pack("<Q", len(header)) + header)
            file.truncate(8 + len(header) + 10**11)
        assert read_facts(tmp_path).tensor_bytes == {"w": 10**11}


def write(name: str, content: bytes) -> Any:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str, size: int) -> Any:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def remove(*names: str) -> Any:
    return lambda folder: [(folder / name).unlink() for name in names]


INDEX = "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (remove("config.json"), "holds no config.json"),
        (write("config.json", b"{"), "config.json cannot be read"),
        (write("config.json", b"\xff\xfe"), "config.json cannot be read"),
        (write("config.json", b"[1]"), "config.json does not hold a JSON object"),
        (write("config.json", b"[" * 100_000), "config.json cannot be read"),
        (write("config.json", b"{}"), 'no model\'s config: "architectures" is missing'),
        (write("config.json", b" " * (4 * 2**20 + 1)), "does not hold a JSON object of at most"),
        (remove("tokenizer.model"), r"holds no tokenizer \(tokenizer.model, tokenizer.json, vocab.json\)"),
        (remove(SECOND), f"is incomplete: {SECOND} is missing"),
        (remove(INDEX, FIRST), f"is incomplete: {FIRST} is missing"),
        (remove(INDEX, FIRST, SECOND), "holds no weights"),
        (cut(SECOND, 60), f"{SECOND} is broken or cut short"),
        (cut(SECOND, 5), f"{SECOND} is broken or cut short"),
        (write(SECOND, b""), f"{SECOND} is empty"),
        (write(SECOND, b"\xff" * 100), f"{SECOND} is broken or cut short"),
        (
            write(SECOND, struct.pack("<Q", 2) + b"{}"),
            f"{SECOND} in .* lacks c, which the index says it holds",
        ),
        (
            write(SECOND, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
            f"{SECOND} is a Git LFS pointer",
        ),
        (write(INDEX, b"{}"), '"weight_map" is missing'),
        (write(INDEX, b'{"weight_map": {"a": "../../etc/passwd"}}'), "is not the name of a file beside it"),
        (write(INDEX, b'{"weight_map": {"a": 5}}'), "is not the name of a file beside it"),
    ],
    ids=range(20),
)
def test_what_is_broken_is_named(tmp_path: Path, damage: Any, words: str) -> None:
    folder = sharded(tmp_path / "m")
    damage(folder)
    with pytest.raises(CheckpointError, match=words) as caught:
        read_facts(folder)
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no folder"):
        read_facts(tmp_path / "gone")
