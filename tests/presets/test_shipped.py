"""The presets that come with the launcher, and the schema that editors check them with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from launcher.presets import default_folder, json_schema, read_presets

FOLDER = Path(__file__).resolve().parents[2] / "presets"
FILES = sorted(FOLDER.glob("*.yaml"))
SCHEMA = FOLDER / "preset.schema.json"
ON_A_SERVER: dict[str, Any] = {
    "name": "a",
    "title": "A",
    "kind": "text",
    "engine": {"openai": {"url": "http://b/v1", "model": "c"}},
}


def test_the_default_is_the_clone_s_folder_and_all_of_it_is_right() -> None:
    assert default_folder() == FOLDER
    catalog = read_presets()
    assert [error.message for error in catalog.errors] == []
    assert {
        "internvl2-2b",
        "internvl2-2b-awq",
        "internlm-xcomposer2-vl-1_8b",
        "internlm2-chat-1_8b",
        "shapes-internvl2",
    } <= {preset.name for preset in catalog.presets}


def test_the_checked_in_schema_is_generated() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json_schema(), (
        "Type: python -m launcher presets --schema > presets/preset.schema.json"
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_editors_find_the_schema_and_agree_with_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=preset.schema.json\n")
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.check_schema(json_schema())
    validator.validate(yaml.safe_load(text))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_file_is_called_like_its_preset(file: Path) -> None:
    assert read_presets([file]).presets[0].name == file.stem


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_key_is_explained_by_a_comment(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    found = yaml.compose("\n".join(lines))
    for key, value in found.value:
        assert lines[key.start_mark.line - 1].lstrip().startswith("#"), f"{file.name}: {key.value}"
        if key.value in ("memory", "chat", "generation"):
            for inner, _ in value.value:
                assert lines[inner.start_mark.line - 1].startswith("  #"), (
                    f"{file.name}: {key.value}.{inner.value}"
                )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_key_of_the_schema_is_shown(file: Path) -> None:
    """But ``extends``: whoever reads one of these files is to read all of it."""
    data, schema = yaml.safe_load(file.read_text(encoding="utf-8")), json_schema()
    assert list(data) == [key for key in schema["properties"] if key != "extends"]
    for part, name in (
        ("memory", "MemorySettings"),
        ("chat", "ChatSettings"),
        ("generation", "GenerationSettings"),
    ):
        assert list(data[part]) == list(schema["$defs"][name]["properties"])


@pytest.mark.parametrize(
    ("change", "agreed"),
    [
        ({"title": "One text"}, True),
        ({"title": ""}, False),
        ({"title": {"en": "a"}}, False),
        ({"memory": {"kv_cache_ratio": 1}}, False),
        ({"memory": {"max_tiles": "auto"}}, True),
        ({"memory": {"max_tiles": 0}}, False),
        ({"sources": ["a/b"]}, False),
        ({"sources": "hf:a/b"}, True),
        ({"sources": "a/b"}, False),
        ({"memory": {"gpu_budget_gib": "8GB"}}, True),
        ({"memory": {"gpu_budget_gib": "8 gib"}}, True),
        ({"memory": {"gpu_budget_gib": "8G"}}, False),
        ({"memory": {"session_tokens": "4k"}}, True),
        ({"memory": {"session_tokens": "4kb"}}, False),
        ({"keep_alive_s": "10m"}, True),
        ({"keep_alive_s": "10 minutes"}, False),
        ({"chat": {"stop": "end"}}, True),
        ({"chat": {"stop": ""}}, False),
        ({"name": "A"}, False),
        ({"colour": "red"}, False),
    ],
    ids=str,
)
def test_the_editors_schema_and_the_launcher_agree(
    tmp_path: Path, change: dict[str, Any], agreed: bool
) -> None:
    check_agreement(
        tmp_path, {"name": "a", "title": "A", "kind": "text", "sources": ["hf:a/b"], **change}, agreed
    )


def test_answers_are_drawn_as_the_models_makers_have_it() -> None:
    """As their generation_config.json and model cards say: InternLM2 draws from 50 tokens; the picture models
    take the likeliest, 1,024 tokens at most."""
    drawn = {each.name: each.generation for each in read_presets().presets}
    assert (drawn["internlm2-chat-1_8b"].top_k, drawn["internlm2-chat-1_8b"].top_p) == (50, 0.8)
    for name in ("internvl2-2b", "internlm-xcomposer2-vl-1_8b"):
        for preset in (name, f"{name}-awq"):
            assert (drawn[preset].max_new_tokens, drawn[preset].temperature) == (1024, 0)


@pytest.mark.parametrize(
    ("data", "agreed"),
    [
        ({"name": "a", "extends": "tiny-chat"}, True),
        ({"name": "a", "extends": "tiny-chat", "kind": "picture"}, False),
        ({"name": "a", "extends": ""}, False),
        ({"extends": "tiny-chat"}, False),
        (
            {"name": "a", "extends": "tiny-chat", "engine": {"openai": {"url": "http://b/v1", "model": "c"}}},
            True,
        ),
        ({**ON_A_SERVER}, True),
        ({**ON_A_SERVER, "sources": "hf:a/b"}, True),
        ({**ON_A_SERVER, "sources": []}, False),
        ({**ON_A_SERVER, "engine": "auto"}, False),
        ({**ON_A_SERVER, "engine": {"openai": {"url": "http://b/v1"}}}, False),
        ({"name": "a"}, False),
    ],
    ids=str,
)
def test_they_agree_on_what_an_extending_preset_may_leave_out(
    tmp_path: Path, data: dict[str, Any], agreed: bool
) -> None:
    check_agreement(tmp_path, data, agreed)


def check_agreement(tmp_path: Path, data: dict[str, Any], agreed: bool) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(json.dumps(data), encoding="utf-8")
    assert jsonschema.Draft202012Validator(json_schema()).is_valid(data) is agreed
    assert (not read_presets([file]).errors) is agreed
