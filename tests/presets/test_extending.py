"""Presets that extend another, and the user's own folder of presets beside the built-in ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from launcher.presets import read_presets, users_folder
from launcher.presets.places import BUILTIN_PICTURES

BASE = """\
name: base
title: {en: Base, zh: 基}
kind: vision
sources: [./weights, hf:org/base]
memory: {kv_bits: 8, session_tokens: 4k}
chat: {system_prompt: Be kind., stop: [one, two]}
examples:
  - question: What is it?
    pictures: [a.png]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One preset in ./presets is there to be extended; the user's own folder is empty."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    Path("presets").mkdir()
    Path("presets/base.yaml").write_text(BASE, encoding="utf-8")
    shutil.copy(BUILTIN_PICTURES / "2-shapes.png", "presets/a.png")
    users_folder().mkdir(parents=True)
    return tmp_path


def write(file: str, *lines: str) -> None:
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def faults(*paths: str) -> list[str]:
    return [error.message for error in read_presets([Path(path) for path in paths]).errors]


@pytest.mark.parametrize("written", ["base", "./base.yaml", "base.yaml", "../presets/base.yaml"])
def test_sections_are_merged_key_by_key_and_all_else_is_replaced(written: str, here: Path) -> None:
    write(
        "presets/mine.yaml",
        "name: mine",
        f"extends: {written}",
        "memory: {session_tokens: 8k}",
        "chat: {stop: end}",
        "title: Mine",
    )
    catalog = read_presets([Path("presets")])
    base, mine = catalog.find("base"), catalog.find("mine")
    assert (mine.memory.kv_bits, mine.memory.session_tokens, mine.memory.kv_cache_ratio) == (8, 8192, 0.1)
    assert (mine.chat.system_prompt, mine.chat.stop) == ("Be kind.", ("end",))
    assert (mine.title.en, mine.kind, mine.extends) == ("Mine", "vision", written)
    assert mine.sources == base.sources == (f"{here}/presets/./weights".replace("/./", "/"), "hf:org/base")
    assert mine.examples == base.examples
    assert base.memory.session_tokens == 4096


def test_what_is_inherited_lies_where_the_other_file_says(here: Path) -> None:
    write("elsewhere/mine.yaml", "name: mine", "extends: ../presets/base.yaml")
    (mine,) = read_presets([Path("elsewhere")]).presets
    assert mine.sources[0] == str(here / "presets" / "weights")
    assert mine.examples[0].pictures == (here / "presets" / "a.png",)


def test_a_fault_of_ones_own_has_its_own_line() -> None:
    write("presets/mine.yaml", "name: mine", "extends: base", "memory:", "  kv_bits: 7", "sources: a/b")
    first, second = faults("presets")
    assert first == 'presets/mine.yaml:4: memory.kv_bits: 7 is not one of 16, 8, 4 or "auto"'
    assert second.startswith('presets/mine.yaml:5: sources: "a/b" is not hf:org/name')


def test_the_name_is_never_inherited() -> None:
    write("presets/mine.yaml", "extends: base")
    assert faults("presets")[0].startswith("presets/mine.yaml:1: name: is missing; it takes a name of ")


def test_a_built_in_one_can_be_extended_from_anywhere() -> None:
    write("presets/mine.yaml", "name: mine", "extends: tiny-chat", "generation: {max_new_tokens: 4}")
    mine = read_presets([Path("presets/mine.yaml")]).find("mine")
    assert (mine.sources, mine.generation.max_new_tokens) == (("builtin:tiny-chat",), 4)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"a": "b", "b": "a"},
            "presets/a.yaml:2: extends: presets/b.yaml cannot be used: presets/b.yaml:2: extends: leads in a"
            " circle: presets/a.yaml → presets/b.yaml → presets/a.yaml",
        ),
        (
            {"a": "./a.yaml"},
            "presets/a.yaml:2: extends: leads in a circle: presets/a.yaml → presets/a.yaml",
        ),
        (
            {"a": "bsae"},
            "presets/a.yaml:2: extends: there is no preset bsae; there is base (a file is written as"
            " ./base.yaml)",
        ),
        (
            {"a": "./gone.yaml"},
            "presets/a.yaml:2: extends: presets/gone.yaml cannot be used: presets/gone.yaml: there is no such"
            " file or folder",
        ),
        (
            {"a": "~nobody.here/x.yaml"},
            "presets/a.yaml:2: extends: ~nobody.here/x.yaml: there is no user nobody.here",
        ),
        (
            {"a": "[base]"},
            "presets/a.yaml:2: extends: takes the name of a preset, or its file such as ./base.yaml",
        ),
        ({"a": ""}, "presets/a.yaml:2: extends: takes the name of a preset, or its file such as ./base.yaml"),
    ],
    ids=str,
)
def test_what_cannot_be_extended_is_told(files: dict[str, str], message: str) -> None:
    for name, extended in files.items():
        write(f"presets/{name}.yaml", f"name: {name}", f"extends: {extended}")
    assert faults("presets")[0] == message


def test_too_many_that_extend_one_another() -> None:
    for number in range(10):
        extended = f"n{number - 1}" if number else "base"
        write(f"presets/n{number}.yaml", f"name: n{number}", f"extends: {extended}")
    catalog = read_presets([Path("presets")])
    assert {"n0", "n6"} <= {preset.name for preset in catalog.presets}
    assert catalog.errors[-1].message.endswith("extends: more than 8 presets extend one another")


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        ("name: broken\nkind: sound\n", "presets/broken.yaml:1: title: is missing; it takes a text or "),
        ("[", "presets/broken.yaml:"),
        ("", "presets/broken.yaml:1: the file is empty; "),
    ],
)
def test_one_that_is_wrong_itself_cannot_be_extended(base: str, reason: str) -> None:
    Path("presets/broken.yaml").write_text(base, encoding="utf-8")
    write("presets/mine.yaml", "name: mine", "extends: broken")
    start = f"presets/mine.yaml:2: extends: presets/broken.yaml cannot be used: {reason}"
    assert any(message.startswith(start) for message in faults("presets"))


def test_the_users_own_presets_stand_beside_the_built_in_ones() -> None:
    write(str(users_folder() / "zebra.yaml"), "name: zebra", "extends: tiny-chat")
    catalog = read_presets()
    assert (catalog.errors, catalog.replacing) == ((), ())
    assert catalog.presets[-1].name == "zebra"
    assert catalog.find("zebra").given == ()
    assert "zebra" not in [preset.name for preset in read_presets([Path("presets")]).presets]


def test_one_of_a_built_in_one_s_name_takes_its_place() -> None:
    """Also where it extends that very one."""
    before = [preset.name for preset in read_presets().presets]
    file = users_folder() / "mine.yaml"
    write(str(file), "name: internvl2-2b", "extends: internvl2-2b", "memory: {gpu_budget_gib: 6GiB}")
    catalog = read_presets()
    assert [preset.name for preset in catalog.presets] == before
    assert catalog.find("internvl2-2b").memory.gpu_budget_gib == 6
    assert (catalog.errors, catalog.replacing) == ((), (("internvl2-2b", file),))


def test_a_wrong_one_spoils_nothing() -> None:
    write(str(users_folder() / "x.yaml"), "name: internvl2-2b", "colour: red")
    catalog = read_presets()
    assert catalog.find("internvl2-2b").memory.gpu_budget_gib == 8
    assert catalog.errors[0].message.startswith("config/launcher/presets/x.yaml:1: title: is missing")


def test_an_empty_folder_or_none_is_no_fault() -> None:
    assert read_presets().errors == ()
    users_folder().rmdir()
    assert read_presets().errors == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_told() -> None:
    users_folder().chmod(0)
    try:
        (error,) = read_presets().errors
    finally:
        users_folder().chmod(0o700)
    assert error.message == "config/launcher/presets: cannot be read: Permission denied"
