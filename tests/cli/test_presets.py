"""``launcher presets``: the list, the check, the schema."""

from __future__ import annotations

import json
from pathlib import Path

from launcher.presets import json_schema
from tests.cli.conftest import ROOT, Launch


def test_the_list_says_where_each_stands_and_what_to_type(launch: Launch) -> None:
    done = launch("presets", CUDA_VISIBLE_DEVICES="")
    assert (done.returncode, done.stderr) == (0, "")
    table = done.stdout.split("\n\n")[0]
    rows = {line.split()[0]: line for line in table.splitlines()}
    assert "needs download" in rows["internvl2-2b"]
    assert "needs download" in rows["internvl2-2b-awq"]
    assert "launcher pull internvl2-2b\n" in done.stdout
    assert rows["tiny-chat"].split() == ["tiny-chat", "1.8", "MB", "-", "transformers", "ready"]
    assert max(len(line.rstrip()) for line in table.splitlines()) <= 80


def test_json_has_the_same_for_programs(launch: Launch) -> None:
    done = launch("presets", "--json", CUDA_VISIBLE_DEVICES="")
    found = {each["name"]: each for each in json.loads(done.stdout)}
    model = found["internvl2-2b"]
    assert (model["state"], model["kind"], model["engine"], model["folder"]) == (
        "needs_download",
        "vision",
        None,
        None,
    )
    assert model["command"].endswith("launcher pull internvl2-2b")
    assert "internvl2-2b is not on this machine" in model["reason"]
    assert model["title"]["zh"]


def test_a_ready_one_names_its_engine(launch: Launch, scripted: Path) -> None:
    done = launch("presets", str(scripted), COLUMNS="20")
    assert done.stdout.splitlines()[1].split() == ["scripted", "-", "-", "scripted", "ready"]
    assert json.loads(launch("presets", "--json", str(scripted)).stdout)[0]["state"] == "ready"


def test_check_passes_the_shipped_files(launch: Launch) -> None:
    done = launch("presets", "--check", str(ROOT / "presets"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "internvl2-2b: right" in done.stdout.splitlines()
    assert launch("presets", "--check").stdout == done.stdout


def test_check_names_each_fault_on_one_line_and_exits_with_2(
    launch: Launch, tmp_path: Path, scripted: Path
) -> None:
    (tmp_path / "x.yaml").write_text(
        "name: x\ntitle: X\nkind: text\nsources: [/x]\nmemory:\n  kv_cache_ratio: 1.7\n  kv_bit: 8\n",
        encoding="utf-8",
    )
    done = launch("presets", "--check", ".")
    assert done.returncode == 2
    assert done.stdout == "scripted: right\n"
    assert done.stderr.splitlines() == [
        "x.yaml:6: memory.kv_cache_ratio: 1.7 is not between 0 and 1",
        "x.yaml:7: memory.kv_bit: is an unknown key; did you mean kv_bits?",
    ]


def test_the_list_shows_the_others_beside_a_wrong_one(launch: Launch, tmp_path: Path, scripted: Path) -> None:
    (tmp_path / "x.yaml").write_text("", encoding="utf-8")
    done = launch("presets", ".")
    assert done.returncode == 2
    assert "scripted  -        -       scripted  ready" in done.stdout
    assert done.stderr.startswith("x.yaml:1: the file is empty")


def test_the_users_own_are_listed_and_what_they_replace_is_said(launch: Launch, tmp_path: Path) -> None:
    own = tmp_path / "home" / ".config" / "launcher" / "presets"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("name: mine\nextends: tiny-chat\n", encoding="utf-8")
    (own / "other.yaml").write_text("name: tiny-chat\nextends: tiny-chat\n", encoding="utf-8")
    done = launch("presets")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nmine " in done.stdout
    assert (
        f"\ntiny-chat: your own, {own / 'other.yaml'}, takes the place of the built-in one\n" in done.stdout
    )
    assert launch("presets", "--check").stdout.splitlines()[-1] == "mine: right"


def test_the_schema(launch: Launch) -> None:
    assert json.loads(launch("presets", "--schema").stdout) == json_schema()
    assert launch("presets", "--schema").stdout == (ROOT / "presets" / "preset.schema.json").read_text(
        encoding="utf-8"
    )
