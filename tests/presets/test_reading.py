"""Preset files in, presets and clear sentences out. Every wrong file here is a real file, read as the
launcher reads it."""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.errors import PresetError
from launcher.presets import Catalog, Preset, read_presets
from launcher.presets.files import MAX_FILE_BYTES
from launcher.presets.places import BUILTIN_PICTURES

PICTURE = BUILTIN_PICTURES / "2-shapes.png"

RIGHT = """\
name: right
title: {en: Right, zh: 对的}
kind: text
sources: [hf:org/right]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Presets lie in ./presets, and one of them is right."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "right.yaml").write_text(RIGHT, encoding="utf-8")
    return tmp_path


def read_beside_the_right_one(content: str | bytes, name: str = "x.yaml") -> list[str]:
    """Messages about a file, having made sure that the other preset is still usable."""
    file = Path("presets") / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    catalog = read_presets([Path("presets")])
    assert "right" in [preset.name for preset in catalog.presets]
    assert all(error.exit_code == 2 and not error.hint for error in catalog.errors)
    return [error.message for error in catalog.errors]


def preset_with(lines: str) -> str:
    """A preset that is right but for these lines, which begin on line 5."""
    return RIGHT.replace("right", "wrong") + textwrap.dedent(lines)


def test_a_right_file_is_read() -> None:
    assert read_beside_the_right_one(preset_with("memory: {kv_bits: 8, session_tokens: 2048}\n")) == []
    preset = read_presets([Path("presets/x.yaml")]).find("wrong")
    assert (preset.memory.kv_bits, preset.memory.session_tokens, preset.memory.kv_cache_ratio) == (
        8,
        2048,
        0.1,
    )
    assert (preset.title.en, preset.title.zh, preset.api_name) == ("Right", "对的", "chat_wrong")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("memory:\n  kv_cache_ratio: 1.7", "6: memory.kv_cache_ratio: 1.7 is not between 0 and 1"),
        ("memory:\n  kv_cache_ratio: 0", "6: memory.kv_cache_ratio: 0 is not between 0 and 1"),
        (
            "memory:\n  kv_cache_ratio: a lot",
            '6: memory.kv_cache_ratio: "a lot" is not a number between 0 and 1',
        ),
        ("memory:\n  kv_cache_ratio: true", "6: memory.kv_cache_ratio: true is not a number between 0 and 1"),
        ("memory:\n  kv_bits: 7", '6: memory.kv_bits: 7 is not one of 16, 8, 4 or "auto"'),
        (
            "memory:\n\n  # how much\n  gpu_budget_gib: -1",
            "8: memory.gpu_budget_gib: -1 is not above 0 and up to 1024",
        ),
        ("memory:\n  session_tokens: 12", '6: memory.session_tokens: 12 is not from 64 to 1048576 or "auto"'),
        (
            "memory:\n  max_tiles: many",
            '6: memory.max_tiles: "many" is not a whole number from 1 to 64 or "auto"',
        ),
        (
            "memory:\n  max_tiles: 1.5",
            '6: memory.max_tiles: 1.5 is not a whole number from 1 to 64 or "auto"',
        ),
        ("keep_alive_s: 0", '5: keep_alive_s: 0 is not from 1 to 604800 or "never"'),
        (
            "keep_alive_s: always",
            '5: keep_alive_s: "always" is not a whole number from 1 to 604800 or "never"',
        ),
        (
            "memory:\n  kv_cach_ratio: 0.2",
            "6: memory.kv_cach_ratio: is an unknown key; did you mean kv_cache_ratio?",
        ),
        ("kv_bits: 8", "5: kv_bits: is an unknown key; did you mean memory.kv_bits?"),
        (
            "colour: red",
            "5: colour: is an unknown key; valid here are name, extends, title, kind, sources, engine, ",
        ),
        ("1: 2", "5: 1: is an unknown key; valid here are "),
        ("memory: 5", "5: memory: 5 is not keys with values (kv_cache_ratio, kv_bits, "),
        ("memory: []", "5: memory: has no value; it takes keys with values (kv_cache_ratio, "),
        ("memory:", "5: memory: has no value; it takes keys with values (kv_cache_ratio, "),
        ("gpu: first", '5: gpu: "first" is not '),
        ("gpu: -1", "5: gpu: -1 is not from 0 to 1023 or a number as nvidia-smi counts, or a uuid"),
        ("engine: vllm", '5: engine: "vllm" is not one of auto, pytorch, transformers, turbomind'),
        (
            "engine: openai",
            '5: engine: "openai" is not one of auto, pytorch, transformers, turbomind or keys',
        ),
        ("engine: {}", "5: engine.openai: is missing; it takes keys with values (url, model, key_env)"),
        ("engine: {vllm: {}}", "5: engine.vllm: is an unknown key; valid here are openai"),
        ("engine:\n  openai:\n    url: http://a/v1", "6: engine.openai.model: is missing; it takes a text"),
        (
            "engine: {openai: {url: 'a:8000', model: b}}",
            '5: engine.openai.url: "a:8000" is not an address such as http://127.0.0.1:8000/v1',
        ),
        (
            "engine: {openai: {url: 'http://me:secret@a/v1', model: b}}",
            '5: engine.openai.url: "http://me:secret@a/v1" is not an address such as http://127.0.0.1:8000/v1',
        ),
        (
            "engine: {openai: {url: http://a/v1, model: b, key_env: sk-1234}}",
            '5: engine.openai.key_env: "sk-1234" is not the name of an environment variable',
        ),
        ("chat:\n  stop: {a: 1}", "6: chat.stop: a group of keys is not a text or a list"),
        ("chat:\n  stop: ''", "6: chat.stop: has no value; it takes a text or a list"),
        (
            "memory:\n  gpu_budget_gib: 8G",
            '6: memory.gpu_budget_gib: "8G" is not a number above 0 and up to 1024 or a size in that range,'
            " such as 8GiB, 8192MiB or 8GB (a GB is 1,000,000,000 bytes)",
        ),
        (
            "memory:\n  session_tokens: 2m",
            '6: memory.session_tokens: "2m" is not a whole number from 64 to 1048576 or "auto" or a count in'
            " that range, such as 4k (k is 1024)",
        ),
        (
            "keep_alive_s: 8d",
            '5: keep_alive_s: "8d" is not a whole number from 1 to 604800 or "never" or a time in that range,'
            " such as 30s, 10m, 2h or 1d",
        ),
        ("keep_alive_s: 0.5s", '5: keep_alive_s: "0.5s" is not a whole number from 1 to 604800 or '),
        (
            "session_len: 4096",
            "5: session_len: is called memory.session_tokens here; write it with the same number",
        ),
        (
            "memory:\n  quant-policy: 8",
            "6: memory.quant-policy: is called memory.kv_bits here; write it 8 for 8, 4 for 4, and 16 for 0",
        ),
        ("tp: 2", "5: tp: is no key here: one card has the whole model"),
        ("max_batch_size: 8", "5: max_batch_size: is no key here: the memory plan finds it"),
        ("chat:\n  stop: [a, 5]", "6: chat.stop[1]: 5 is not a text (put it in quotes to make it one)"),
        ("chat:\n  system_prompt: {a: 1}", "6: chat.system_prompt: a group of keys is not a text"),
        ("examples:\n  - question: {en: hi}", "6: examples[0].question.zh: is missing; it takes a text"),
        (
            "examples:\n  - pictures: []",
            "6: examples[0].question: is missing; it takes a text or keys with values (en, zh)",
        ),
        ("generation:\n  max_new_tokens: 0", "6: generation.max_new_tokens: 0 is not from 1 to 32768"),
        ("generation:\n  temperature: .nan", '6: generation.temperature: ".nan" is not a number from 0 to 2'),
        (
            "generation:\n  seed: -1\n  temprature: 0",
            '6: generation.seed: -1 is not from 0 to 9007199254740991 or "none"',
        ),
        ("kind: text", "5: kind: stands here for the second time (first on line 3)"),
        (
            "memory: {kv_bits: 8, kv_bits: 4}",
            "5: memory.kv_bits: stands here for the second time (first on line 5)",
        ),
        ("memory:\n\tkv_bits: 8", "6: a tab stands where YAML wants spaces"),
        ("chat:\n  stop:\n  -\ta", "7: a tab stands where YAML wants spaces"),
        ("memory: [1, 2", "5: this is not YAML: expected ',' or ']', but got"),
        ("memory: {a: b: c}", "5: this is not YAML: expected ',' or '}', but got ':'"),
        ("? [a]\n: b", "5: a key must be a single word"),
        ("memory: &m {kv_bits: 8}", "5: anchors and aliases (& and *) are not allowed: write the value out"),
        ("memory: *m", "5: anchors and aliases (& and *) are not allowed: write the value out"),
        (
            "chat: !!python/object/apply:os.system [id]",
            "5: the tag tag:yaml.org,2002:python/object/apply:os.system is not allowed",
        ),
        ("---\nname: second", "5: a second document begins here (---): one file holds one preset"),
        ("chat: " + "[" * 60_000, "5: lists and keys are nested more than 16 deep"),
        ('chat: {system_prompt: "a\\0b"}', "5: the character U+0000 is not allowed"),
        ('chat: {system_prompt: "\\ud800"}', "5: the character U+D800 is not allowed"),
        ('chat: {system_prompt: "\\UFFFFFFFF"}', "5: the character U+FFFFFFFF is not allowed"),
        ('chat:\n  system_prompt: "\\U00110000"', "6: the character U+110000 is not allowed"),
        ('"\\ud800": 1', "5: the character U+D800 is not allowed"),
        ('"\\0": 1', "5: the character U+0000 is not allowed"),
        ("chat: {system_prompt: a\x07b}", "5: the character U+0007 is not allowed"),
        ("<<: {kv_bits: 8}", "5: <<: is an unknown key; valid here are "),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_what_is_wrong_is_named_by_line_and_key(lines: str, sentence: str) -> None:
    messages = read_beside_the_right_one(preset_with(lines))
    assert any(message.startswith(f"presets/x.yaml:{sentence}") for message in messages), messages
    assert all("\n" not in message and len(message) < 400 for message in messages)


@pytest.mark.parametrize(
    ("source", "valid"),
    [
        ("hf:OpenGVLab/InternVL2-2B", True),
        ("modelscope:Shanghai_AI_Laboratory/internlm2-chat-1_8b", True),
        ("builtin:shapes-internvl2", True),
        ("/models/a", True),
        ("~/models/a", True),
        ("./a", True),
        ("../a", True),
        ("${LAUNCHER_MODELS}/a", True),
        ("$HOME/a", True),
        ("OpenGVLab/InternVL2-2B", False),
        ("huggingface:a/b", False),
        ("hf:only-a-name", False),
        ("hf:a/b/c", False),
        ("hf:../../etc/passwd", False),
        ("hf:../..", False),
        ("modelscope:../..", False),
        ("modelscope:org/.hidden", False),
        ("builtin:../../secrets", False),
        ("https://example.org/a", False),
        ("", False),
    ],
)
def test_the_grammar_of_sources(source: str, valid: bool) -> None:
    messages = read_beside_the_right_one(
        RIGHT.replace("right", "other").replace("[hf:org/other]", f"['{source}']")
    )
    assert (messages == []) is valid
    if not valid and source:
        assert messages[0].startswith(
            f'presets/x.yaml:4: sources[0]: "{source}" is not hf:org/name, modelscope:org/name, '
        )


def test_every_fault_of_a_file_is_named_in_order() -> None:
    messages = read_beside_the_right_one("name: A B\nknd: text\nsources: []\n")
    assert messages == [
        "presets/x.yaml:1: name: \"A B\" is not a name of lower-case letters, digits, '.', '_' and '-' "
        "that begins with a letter or digit",
        "presets/x.yaml:1: title: is missing; it takes a text or keys with values (en, zh)",
        "presets/x.yaml:1: kind: is missing; it takes one of vision, text",
        "presets/x.yaml:2: knd: is an unknown key; did you mean kind?",
        "presets/x.yaml:3: sources: has no value; it takes hf:org/name, modelscope:org/name, builtin:name, "
        "awq:preset (what `launcher quantize` makes of it), or a folder (it begins with /, ~, . or $) or a "
        "list with at least one item",
    ]


def test_of_very_many_faults_the_first_are_named() -> None:
    messages = read_beside_the_right_one(preset_with("\n".join(f"key{n}: 1" for n in range(5000))))
    assert len(messages) == 21
    assert messages[0].startswith("presets/x.yaml:5: key0: is an unknown key; valid here are ")
    assert messages[20] == "presets/x.yaml:24: and more is wrong; these come first"


def test_strange_keys_stay_on_one_line() -> None:
    messages = read_beside_the_right_one(preset_with('"a\\nb": 1\n' + "k" * 1000 + ": 1\n"))
    assert messages[0].startswith('presets/x.yaml:5: "a\\nb": is an unknown key')
    assert messages[1].startswith('presets/x.yaml:6: "' + "k" * 60 + '"…: is an unknown key')


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "1: the file is empty; it must hold a preset, beginning with its name:"),
        (b"# a comment\n\n", "1: the file is empty; it must hold a preset, beginning with its name:"),
        (b"---\n...\n", "1: the file is empty; it must hold a preset, beginning with its name:"),
        (b"- a\n- b\n", "1: the file holds a list, not a preset with keys such as name:"),
        (b"just words\n", '1: the file holds "just words", not a preset with keys such as name:'),
        (b"name: a\ntitle: caf\xe9\n", "2: the file is not UTF-8 text; save it as UTF-8"),
        ("name: a".encode("utf-16"), "1: the file is not UTF-8 text; save it as UTF-8"),
        (b"\0" * 100, "1: the character U+0000 is not allowed"),
        (
            b"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
            "1: anchors and aliases (& and *) are not allowed: write the value out",
        ),
        (
            b"# " + b"x" * MAX_FILE_BYTES,
            f"1: the file has {MAX_FILE_BYTES + 2} bytes; a preset has at most {MAX_FILE_BYTES}",
        ),
    ],
    ids=[
        "empty",
        "comments",
        "no document",
        "list",
        "words",
        "latin-1",
        "utf-16",
        "zeros",
        "alias bomb",
        "too large",
    ],
)
def test_files_that_are_no_presets(content: bytes, sentence: str) -> None:
    assert read_beside_the_right_one(content) == [f"presets/x.yaml:{sentence}"]


def test_a_hundred_megabytes_are_not_read() -> None:
    with Path("presets/x.yaml").open("wb") as file:
        file.truncate(100_000_000)
    assert [error.message for error in read_presets([Path("presets")]).errors] == [
        f"presets/x.yaml:1: the file has 100000000 bytes; a preset has at most {MAX_FILE_BYTES}"
    ]


def test_a_byte_order_mark_and_windows_lines_do_not_matter() -> None:
    assert (
        read_beside_the_right_one(
            b"\xef\xbb\xbf" + RIGHT.replace("right", "other").replace("\n", "\r\n").encode()
        )
        == []
    )


def test_plain_words_mean_what_editors_take_them_for() -> None:
    assert (
        read_beside_the_right_one(
            preset_with("chat: {system_prompt: no, stop: [on, yes, 12:30, 2024-01-01]}\n")
        )
        == []
    )
    chat = read_presets([Path("presets/x.yaml")]).presets[0].chat
    assert (chat.system_prompt, chat.stop) == ("no", ("on", "yes", "12:30", "2024-01-01"))


@pytest.mark.parametrize(
    ("lines", "key", "value"),
    [
        ("memory: {gpu_budget_gib: 8GB}", "gpu_budget_gib", 8 * 10**9 / 2**30),
        ("memory: {gpu_budget_gib: 6144 MiB}", "gpu_budget_gib", 6.0),
        ("memory: {gpu_budget_gib: 7.5gib}", "gpu_budget_gib", 7.5),
        ("memory: {session_tokens: 4k}", "session_tokens", 4096),
        ("memory: {session_tokens: '1M'}", "session_tokens", 1_048_576),
        ("generation: {max_new_tokens: 1.5k}", "max_new_tokens", 1536),
        ("keep_alive_s: 45s", "keep_alive_s", 45),
        ("keep_alive_s: 10m", "keep_alive_s", 600),
        ("keep_alive_s: 1.5 h", "keep_alive_s", 5400),
        ("keep_alive_s: 7d", "keep_alive_s", 604_800),
        ("chat: {stop: the end}", "stop", ("the end",)),
    ],
)
def test_numbers_with_units_and_single_texts(lines: str, key: str, value: object) -> None:
    assert read_beside_the_right_one(preset_with(lines)) == []
    preset = read_presets([Path("presets/x.yaml")]).presets[0]
    parts = (preset, preset.memory, preset.chat, preset.generation)
    home = next(part for part in parts if hasattr(part, key))
    assert (getattr(home, key), type(getattr(home, key))) == (value, type(value))


def test_one_source_needs_no_list() -> None:
    assert read_beside_the_right_one(RIGHT.replace("right", "other").replace("[hf:org/other]", "../m")) == []
    (source,) = read_presets([Path("presets/x.yaml")]).presets[0].sources
    assert source == str(Path.cwd() / "presets" / ".." / "m")
    (message,) = read_beside_the_right_one(RIGHT.replace("right", "other").replace("[hf:org/other]", "a/b"))
    assert message.startswith('presets/x.yaml:4: sources: "a/b" is not hf:org/name, ')


def test_a_plain_text_serves_both_languages() -> None:
    assert (
        read_beside_the_right_one(RIGHT.replace("right", "other").replace("{en: Right, zh: 对的}", "One"))
        == []
    )
    title = read_presets([Path("presets/x.yaml")]).presets[0].title
    assert (title.en, title.zh) == ("One", "One")


@pytest.mark.parametrize("second", ["right", "ri-ght", "ri.ght"])
def test_of_two_presets_of_one_name_the_first_stays(second: str) -> None:
    first = "ri_ght" if second != "right" else "right"
    Path("presets/right.yaml").write_text(RIGHT.replace("name: right", f"name: {first}"), encoding="utf-8")
    Path("presets/second.yaml").write_text(
        "\n" + RIGHT.replace("name: right", f"name: {second}"), encoding="utf-8"
    )
    catalog = read_presets([Path("presets")])
    assert [preset.name for preset in catalog.presets] == [first]
    assert [error.message for error in catalog.errors] == [
        f"presets/second.yaml:2: name: {second} is taken already, in presets/right.yaml:1 "
        "(names that differ only in '-', '_' and '.' count as one)"
    ]


def test_a_file_given_twice_counts_once() -> None:
    catalog = read_presets([Path("presets"), Path("presets/right.yaml"), Path("presets/../presets")])
    assert ([preset.name for preset in catalog.presets], catalog.errors) == (["right"], ())


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    paths = [
        Path("gone.yaml"),
        Path("none"),
        Path("pipe.yaml"),
        Path("/dev/zero"),
        Path("loop.yaml"),
        Path("presets"),
    ]
    catalog = read_presets(paths)
    assert [error.message for error in catalog.errors] == [
        "gone.yaml: there is no such file or folder",
        "none: holds no preset file (*.yaml)",
        "pipe.yaml: is not a file",
        "/dev/zero: is not a file",
        "loop.yaml: cannot be read: Too many levels of symbolic links",
    ]
    assert [preset.name for preset in catalog.presets] == ["right"]


def test_files_elsewhere_are_named_as_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "presets" / "x.yaml").write_text("", encoding="utf-8")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (error,) = read_presets([Path("../presets/x.yaml")]).errors
    assert error.message.startswith("../presets/x.yaml:1: ")


def test_pictures_are_found_beside_the_file_and_must_exist(tmp_path: Path) -> None:
    shutil.copy(PICTURE, "presets/a picture.png")
    lines = (
        "examples:\n  - question: one\n    pictures: [a picture.png]\n"
        "  - question: two\n    pictures:\n      - gone.png\n"
    )
    (message,) = read_beside_the_right_one(preset_with(lines))
    assert (
        message == f"presets/x.yaml:10: examples[1].pictures[0]: there is no file {tmp_path}/presets/gone.png"
    )
    assert read_beside_the_right_one(preset_with(lines.replace("gone", "a picture"))) == []
    examples = read_presets([Path("presets/x.yaml")]).presets[0].examples
    assert examples[1].pictures == (tmp_path / "presets" / "a picture.png",)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("~no.one/x.png", "examples[0].pictures[0]: ~no.one/x.png: there is no user no.one"),
        ("~/gone.png", "examples[0].pictures[0]: there is no file "),
        ("x" * 5000, "examples[0].pictures[0]: there is no file "),
        ("a/" * 3000, "examples[0].pictures[0]: there is no file "),
        ("/root/../dev/zero", "examples[0].pictures[0]: there is no file "),
        (".", "examples[0].pictures[0]: there is no file "),
        (
            "builtin:",
            "examples[0].pictures[0]: builtin: is not built in; these are: 2-shapes.png, 3-shapes.png, ",
        ),
        (
            "builtin:../../secret",
            "examples[0].pictures[0]: builtin:../../secret is not built in; these are: ",
        ),
    ],
    ids=lambda value: value[:30],
)
def test_a_picture_that_cannot_be_is_named(picture: str, words: str) -> None:
    lines = f"examples:\n  - question: one\n    pictures: ['{picture}']\n"
    (message,) = read_beside_the_right_one(preset_with(lines))
    assert message.startswith(f"presets/x.yaml:7: {words}")


def test_a_picture_lies_beside_the_preset_whatever_leads_there(tmp_path: Path) -> None:
    """The page shows examples to whoever opens it."""
    (tmp_path / "secret").mkdir()
    shutil.copy(PICTURE, tmp_path / "secret" / "mine.png")
    Path("presets/linked.png").symlink_to(tmp_path / "secret" / "mine.png")
    Path("presets/there").symlink_to(tmp_path / "secret")
    Path("presets/below").mkdir()
    shutil.copy(PICTURE, "presets/below/right.png")
    Path("presets/other.png").symlink_to("below/right.png")
    refused = (f"{tmp_path}/secret/mine.png", "../secret/mine.png", "linked.png", "there/mine.png")
    for written in refused:
        (message,) = read_beside_the_right_one(preset_with(pictured(written)))
        assert message.startswith("presets/x.yaml:7: examples[0].pictures[0]: ")
        assert message.endswith("does not lie beside the preset's file or below; copy it there")
    for written in ("below/right.png", "other.png", "./below/../other.png"):
        assert read_beside_the_right_one(preset_with(pictured(written))) == []


def pictured(picture: str) -> str:
    return f"examples:\n  - question: one\n    pictures: ['{picture}']\n"


@pytest.mark.parametrize("content", [b"", b"127.0.0.1 localhost\n", b"\x89PNG\r\n\x1a\nand no picture"])
def test_what_is_no_picture_is_no_example(content: bytes) -> None:
    Path("presets/hosts.png").write_bytes(content)
    (message,) = read_beside_the_right_one(preset_with(pictured("hosts.png")))
    assert message.endswith("presets/hosts.png is not a picture that can be shown")


def test_a_picture_whose_name_begins_with_a_tilde(tmp_path: Path) -> None:
    shutil.copy(PICTURE, tmp_path / "presets" / "~tilde.png")
    lines = "examples:\n  - question: one\n    pictures: [./~tilde.png]\n"
    assert read_beside_the_right_one(preset_with(lines)) == []
    (example,) = read_presets([Path("presets/x.yaml")]).presets[0].examples
    assert example.pictures == (tmp_path / "presets" / "~tilde.png",)


@pytest.mark.parametrize("hidden", ["._x.yaml", ".#x.yaml", ".x.yaml.swp", ".c.yaml", ".right.yml"])
def test_hidden_files_in_a_folder_are_no_presets(hidden: str) -> None:
    """macOS leaves ``._x.yaml`` on other file systems, Emacs ``.#x.yaml``, a link to nowhere."""
    file = Path("presets") / hidden
    if hidden.startswith(".#"):
        file.symlink_to("user@host.1234")
    else:
        file.write_text(RIGHT.replace("hf:org/right", "hf:org/shadow"), encoding="utf-8")
    catalog = read_presets([Path("presets")])
    assert (catalog.errors, catalog.presets[0].sources) == ((), ("hf:org/right",))
    if file.is_file() and file.suffix != ".swp":  # named, it is one
        assert read_presets([file]).presets[0].sources == ("hf:org/shadow",)


def test_names_that_no_page_can_show_are_shown_otherwise(tmp_path: Path) -> None:
    file = Path(os.fsdecode(b"presets/\xff\n.yaml"))
    file.write_text("", encoding="utf-8")
    (error,) = read_presets([Path("presets")]).errors
    assert error.message.startswith("presets/\ufffd\ufffd.yaml:1: the file is empty")
    assert error.message.encode()


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b.yaml", "~x.yaml"])
def test_a_path_that_no_file_can_have(path: str) -> None:
    catalog = read_presets([Path(path), Path("presets")])
    assert [preset.name for preset in catalog.presets] == ["right"]
    assert len(catalog.errors) == 1


def test_presets_know_what_a_command_has_to_be_given() -> None:
    (ours,) = read_presets([Path("presets")]).presets
    assert ours.given == (Path("presets"),)
    assert read_presets().presets[0].given == ()


def test_relative_folders_are_taken_from_the_file(tmp_path: Path) -> None:
    assert (
        read_beside_the_right_one(
            RIGHT.replace("right", "other").replace("hf:org/other", "../models/a, /b, ~/c")
        )
        == []
    )
    sources = read_presets([Path("presets/x.yaml")]).presets[0].sources
    assert sources == (f"{tmp_path}/presets/../models/a", "/b", "~/c")


def test_find_names_the_nearest() -> None:
    catalog = read_presets([Path("presets")])
    assert catalog.find("right").name == "right"
    with pytest.raises(PresetError, match="There is no preset rigth\nDid you mean right"):
        catalog.find("rigth")
    with pytest.raises(PresetError, match=r"There is no preset x\{\}\nThese can be used: right"):
        catalog.find("x{}")
    for empty in ("", " "):
        with pytest.raises(PresetError, match="The name of the preset is empty\nThese can be used: right"):
            catalog.find(empty)
    with pytest.raises(PresetError, match="launcher presets --check"):
        Catalog((), ()).find("right")


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 70)
    | st.floats(-2, 3, allow_nan=False)
    | st.sampled_from(["auto", "", "a", "hf:a/b"])
)
keys = st.sampled_from(
    [
        *Preset.model_fields,
        "en",
        "zh",
        "kv_bits",
        "session_tokens",
        "stop",
        "temperature",
        "question",
        "pictures",
    ]
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(keys, trees, max_size=6))
def test_any_tree_gives_a_preset_or_sentences_that_name_lines(tree: dict[str, object]) -> None:
    import json

    file = Path("presets/any.yaml")
    file.write_text(json.dumps(tree, indent=1), encoding="utf-8")
    catalog = read_presets([file])
    assert len(catalog.presets) == (0 if catalog.errors else 1)
    lines = file.read_text(encoding="utf-8").count("\n") + 1
    for error in catalog.errors:
        place, line, sentence = error.message.split(":", 2)
        assert (place, sentence[0]) == ("presets/any.yaml", " ")
        assert 1 <= int(line) <= lines


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=60)
    | st.text(alphabet="ab:-?|>[]{}&*!%@#'\",\n\t \\0\u00e9", max_size=60).map(str.encode)
)
def test_any_bytes_give_one_line_each(content: bytes) -> None:
    file = Path("presets/any.yaml")
    file.write_bytes(content)
    catalog = read_presets([file])
    assert catalog.errors
    assert all(
        "\n" not in error.message and error.message.startswith("presets/any.yaml:")
        for error in catalog.errors
    )


@pytest.mark.parametrize(
    "url",
    [
        *("http://[::1/v1", "http://[zz]/v1", "http://:80/v1", "http://a:/v1", "http://a:b/v1"),
        *("http://a:99999/v1", "http://a:0/v1", "http://a:+1/v1", "http://a:1_0/v1", "http://a:٣/v1"),
        *("http://xn--/v1", "http://\u00ad/v1", "http://１２７.0.0.1/v1", "http://" + "a" * 64 + "é/v1"),
    ],
)
def test_an_address_that_no_client_takes_is_told_with_its_line(tmp_path: Path, url: str) -> None:
    """Not by whoever asks it first: httpx raises errors of several kinds over these."""
    text = f"name: a\ntitle: A\nkind: text\nengine: {{openai: {{url: '{url}', model: b}}}}\n"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    (error,) = read_presets([tmp_path]).errors
    assert "a.yaml:4: engine.openai.url: " in str(error)
    assert "is not an address such as http://127.0.0.1:8000/v1" in str(error)


@pytest.mark.parametrize(
    "url", ["http://[::1]:8000/v1", "http://[fe80::1%eth0]/v1", "https://图.example/v1", "http://a:65535"]
)
def test_an_address_of_any_form_that_clients_take(tmp_path: Path, url: str) -> None:
    text = f"name: a\ntitle: A\nkind: text\nengine: {{openai: {{url: '{url}', model: b}}}}\n"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert not read_presets([tmp_path]).errors
