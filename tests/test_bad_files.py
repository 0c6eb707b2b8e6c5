"""Whatever stands in a preset, a config.json or a weight file's header: ``launcher presets`` and ``plan`` say
a sentence about it, and show the others. Shipped files are changed at random, and the commands' own functions
run."""

from __future__ import annotations

import json
import struct
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from launcher.cli.plan import plan
from launcher.cli.presets import presets
from launcher.devices import Devices, Gpu
from launcher.presets import default_folder
from launcher.readiness import COMPLETE
from tests.layer_names import header_of
from tests.models.tiny import tokenizer_model
from tests.published import KNOWN_CONFIGS

GIB = 2**30
CARD = Gpu("Card", "GPU-a", 8 * GIB, 8 * GIB, (8, 6), "570.1", (12, 8))
MACHINES = {
    "gpu": Devices((CARD,), 64 * GIB, 64 * GIB),
    "cpu": Devices((), 64 * GIB, 64 * GIB),
}
NOT_FORESEEN = ("defect", "cannot be used: ", "Error: ")
LIMIT_S = 20
"""For one file, on a busy machine; what hangs takes for ever."""
ANYHOW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
GOOD = "name: good\ntitle: Good\nkind: text\nsources: [builtin:tiny-chat]\n"
SHIPPED = [file.read_text(encoding="utf-8") for file in sorted(default_folder().glob("*.yaml"))]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of presets of which one is good, on a machine without models."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("LAUNCHER_MODELS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("launcher.cli.presets.installed_engines", lambda: COMPLETE)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "good.yaml").write_text(GOOD, encoding="utf-8")
    return tmp_path


def said_of_all(capsys: pytest.CaptureFixture[str], machine: str = "cpu") -> tuple[list[dict[str, Any]], str]:
    """What the commands say of the folder: the list's lines, and what else was printed. The good one is
    there, each file is spoken of, and nothing took too long or was not foreseen."""
    began = time.process_time()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("launcher.cli.presets.read_devices", lambda: MACHINES[machine])
        run(lambda: presets([Path("presets")], as_json=True))
        listed, errors = capsys.readouterr()
        run(lambda: plan([], gpu_gib=8, as_json=True, presets=[Path("presets")]))
        planned, _ = capsys.readouterr()
    found = json.loads(listed)
    good = next(each for each in found if each["name"] == "good")
    assert good["state"] == "ready"
    assert [each["name"] for each in json.loads(planned) if each["plan"]] != []
    assert len(found) == 2 or errors.startswith("presets/x.yaml")
    for sign in NOT_FORESEEN:
        assert sign not in errors + listed, errors + listed
    assert all(each["reason"] for each in found if each["state"] != "ready")
    assert time.process_time() - began < LIMIT_S
    return found, errors


def run(command: Any) -> None:
    code = 0
    try:
        command()
    except typer.Exit as end:
        code = end.exit_code
    assert code in (0, 2, 3, 4, 5)


PIECES = st.sampled_from(
    [
        *(
            "~no.one/x",
            "~",
            "~/x",
            "./~x",
            "/",
            ".",
            "$",
            "${",
            "${HOME",
            "$NOT_SET/x",
            "hf:a--b/c..d",
            "hf:a/b",
        ),
        *(
            '"\\UFFFFFFFF"',
            '"\\U00110000"',
            '"\\ud800"',
            '"\\0"',
            '"\\x7f"',
            "\0",
            "\x07",
            "\ud800",
            "\ufeff",
        ),
        *(
            "&a",
            "*a",
            "<<: *a",
            "!!python/name:os.system",
            "!!binary x",
            "%YAML 9.9\n---\n",
            "%TAG ! x\n",
            "---\n",
        ),
        *(
            "\t",
            "\r",
            "\x85",
            "\u2028",
            "[",
            "]",
            "{",
            "}",
            ": ",
            "- ",
            "? ",
            "|",
            ">",
            "#",
            "'",
            '"',
            ",",
            "\n",
        ),
        *(
            ".nan",
            ".inf",
            "1e99",
            "0x1F",
            "0o17",
            "9" * 18,
            "9" * 5000,
            "-0",
            "1_000",
            "2024-01-01",
            "12:30:45",
        ),
        *(
            "null",
            "true",
            "no",
            "=",
            "<<",
            "auto",
            "name",
            "sources",
            "examples",
            "pictures",
            "engine: scripted",
        ),
        "%YAML 1." + "1" * 5000 + "\n---\n",
        "- " * 200,
        "[" * 200,
        "{a: " * 50,
    ]
)


@st.composite
def changed_presets(draw: st.DrawFn) -> bytes:
    """A shipped preset with pieces put in, lines lost, values replaced, in one of several encodings."""
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 4))):
        lines = text.splitlines(keepends=True)
        at = draw(st.integers(0, max(0, len(lines) - 1)))
        match draw(st.sampled_from(["insert", "value", "remove", "double", "item"])):
            case "insert":
                place = draw(st.integers(0, len(text)))
                text = text[:place] + draw(PIECES) + text[place:]
            case "value" if lines and ":" in lines[at]:
                lines[at] = lines[at].partition(":")[0] + ": " + draw(PIECES) + "\n"
                text = "".join(lines)
            case "item" if lines and "- " in lines[at]:
                lines[at] = lines[at].partition("- ")[0] + "- " + draw(PIECES) + "\n"
                text = "".join(lines)
            case "double":
                text = "".join([*lines[:at], *lines[at : at + 1] * 2, *lines[at + 1 :]])
            case _:
                text = "".join(lines[:at] + lines[at + 1 :])
    encoding = draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-32", "gb18030"]))
    return text.encode(encoding, errors="surrogatepass" if encoding.startswith("utf") else "replace")


@ANYHOW
@given(content=changed_presets())
def test_no_preset_takes_the_commands_down(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("presets/x.yaml").write_bytes(content)
    said_of_all(capsys)


NUMBERS = (
    0,
    -1,
    1,
    2,
    10**5,
    10**9,
    10**18,
    10**400,
    0.0,
    -0.5,
    0.5,
    1e-9,
    1e308,
    float("inf"),
    float("nan"),
)
THINGS = (
    "",
    "x",
    "2048",
    "0",
    "\ud800",
    None,
    True,
    False,
    [],
    [0],
    {},
    {"a": 1},
    [[[]]],
    ["InternLM2ForCausalLM"],
)
HOLES = """\
name: x
title: {title}
kind: text
sources: [{source}]
chat:
  system_prompt: {prompt}
examples:
  - question: {question}
    pictures: [{picture}]
"""
RIGHT = {"title": "X", "source": "hf:a/b", "prompt": "y", "question": "z", "picture": "builtin:2-shapes.png"}


@ANYHOW
@example(hole="source", piece="~no.one/x")
@example(hole="picture", piece="~no.one/x")
@example(hole="prompt", piece='"\\UFFFFFFFF"')
@given(hole=st.sampled_from(sorted(RIGHT)), piece=PIECES)
def test_no_value_of_a_right_preset_takes_the_commands_down(
    hole: str, piece: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = HOLES.format(**{**RIGHT, hole: piece})
    Path("presets/x.yaml").write_bytes(text.encode(errors="surrogatepass"))
    said_of_all(capsys)


def test_a_source_of_an_unknown_user_is_a_place_that_leads_nowhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("presets/x.yaml").write_text(HOLES.format(**{**RIGHT, "source": "~no.one/x"}), encoding="utf-8")
    found, _ = said_of_all(capsys)
    assert found[1]["state"] == "needs_download"
    assert "~no.one/x (~no.one/x: there is no user no.one)" in found[1]["reason"]


HOSTILE = st.sampled_from([*NUMBERS, *THINGS])
ANY_CONFIG = st.sampled_from([*KNOWN_CONFIGS.values()])


@st.composite
def changed_configs(draw: st.DrawFn) -> Any:
    """A published config.json, several of its values lost or replaced, at any depth."""
    config = json.loads(json.dumps(draw(ANY_CONFIG)))
    for _ in range(draw(st.integers(1, 3))):
        inner = config
        while True:
            key = draw(st.sampled_from(sorted(inner)))
            if isinstance(inner[key], dict) and inner[key] and draw(st.booleans()):
                inner = inner[key]
                continue
            break
        if draw(st.booleans()):
            inner[key] = deepcopy(draw(HOSTILE))  # not the strategy's own, into which the next may go
        elif len(inner) > 1:
            del inner[key]
    if draw(st.booleans()):
        config[
            draw(st.sampled_from(["quantization_config", "vit_config", "model_type", "head_dim", "dtype"]))
        ] = deepcopy(draw(HOSTILE))
    return config


def write_checkpoint(config: bytes, weights: bytes | None = None) -> None:
    """A preset and the folder that it names."""
    folder = Path("model")
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_bytes(config)
    (folder / "tokenizer.model").write_bytes(tokenizer_model())
    header = json.dumps(header_of(64)).encode()
    whole = struct.pack("<Q", len(header)) + header + bytes(64)
    (folder / "model.safetensors").write_bytes(whole if weights is None else weights)
    Path("presets/x.yaml").write_text(
        f"name: x\ntitle: X\nkind: text\nsources: [{folder.absolute()}]\n", encoding="utf-8"
    )


@ANYHOW
@example(config={**KNOWN_CONFIGS["internvl2-2b"], "max_dynamic_patch": 10**9}, machine="gpu")
@example(config={**KNOWN_CONFIGS["internlm2-chat-1_8b"], "num_hidden_layers": 100_000}, machine="gpu")
@example(config={**KNOWN_CONFIGS["internlm2-chat-1_8b"], "model_type": "\ud800"}, machine="gpu")
@given(config=changed_configs(), machine=st.sampled_from(sorted(MACHINES)))
def test_no_config_takes_the_commands_down(
    config: Any, machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_checkpoint(json.dumps(config).encode("utf-8", errors="surrogatepass"))
    found, _ = said_of_all(capsys, machine)
    assert found[1]["state"] in ("ready", "broken", "unsupported", "needs_gpu", "needs_download")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"num_attention_heads": 0}, "num_attention_heads is 0, not a whole number from 1 to "),
        ({"num_hidden_layers": 100_000}, "num_hidden_layers is 100000, not a whole number from 1 to 1000"),
        ({"num_hidden_layers": -1}, "num_hidden_layers is -1, not"),
        ({"vocab_size": "92544"}, 'vocab_size is "92544", not'),
        ({"vocab_size": True}, "vocab_size is true, not"),
        ({"intermediate_size": float("nan")}, "intermediate_size is NaN, not"),
        ({"num_key_value_heads": 17}, "num_key_value_heads is 17, not a whole number from 1 to 16"),
        ({"architectures": ["InternVLChatModel"]}, "llm_config is missing"),
        (
            {"architectures": ["InternVLChatModel"], "llm_config": []},
            "llm_config is [], not an object with keys",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_a_size_that_no_model_has_is_named(
    changes: dict[str, Any], words: str, machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_checkpoint(json.dumps({**KNOWN_CONFIGS["internlm2-chat-1_8b"], **changes}).encode())
    found, _ = said_of_all(capsys, machine)
    assert found[1]["state"] == "broken"
    assert f"model/config.json: {words}" in found[1]["reason"]


@ANYHOW
@given(content=st.binary(max_size=40) | st.text('{}[]:,"0eE-.nulltrfas\\u ', max_size=40).map(str.encode))
def test_no_bytes_of_a_config_take_the_commands_down(
    content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    write_checkpoint(content)
    found, _ = said_of_all(capsys)
    assert found[1]["state"] == "broken"


def header(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode() + b"x"


def tensor(dtype: str, shape: str, offsets: str) -> bytes:
    return header(f'{{"w": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": {offsets}}}}}')


HEADERS = [
    b"",
    b"\xff" * 8,
    struct.pack("<Q", 2**63) + b"{}",
    struct.pack("<Q", 90_000_000) + b"{}",
    *map(header, ("[]", "{}", "null", "[" * 10_000, '{"w": 1}')),
    tensor("X9", "[1]", "[0, 1]"),
    tensor("U8", "[-1]", "[0, 1]"),
    tensor("U8", "[1e400]", "[0, 1]"),
    tensor("U8", "[18446744073709551615, 2]", "[0, 1]"),
    tensor("U8", "[1]", "[1, 0]"),
]


@pytest.mark.parametrize("weights", HEADERS, ids=range(len(HEADERS)))
def test_no_header_of_a_weight_file_takes_the_commands_down(
    weights: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    write_checkpoint(json.dumps(KNOWN_CONFIGS["internlm2-chat-1_8b"]).encode(), weights)
    found, _ = said_of_all(capsys)
    assert found[1]["state"] == "broken"


def test_files_that_may_not_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """root may read everything: the system's refusal is played."""
    write_checkpoint(json.dumps(KNOWN_CONFIGS["internlm2-chat-1_8b"]).encode())
    real = Path.open

    def refused(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "model.safetensors" and path.parent.name == "model":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)
    found, _ = said_of_all(capsys)
    assert "cannot be read" in found[1]["reason"]
