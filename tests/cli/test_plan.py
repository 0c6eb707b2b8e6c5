"""``launcher plan``: a table for people, JSON for programs, without a GPU or weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.conftest import ROOT, Launch


def test_the_table_shows_every_part_what_follows_and_what_changed(launch: Launch) -> None:
    done = launch("plan", "internvl2-2b", "--gpu-gib", "8")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "internvl2-2b on TurboMind, bfloat16: 8 GiB free on the card, budget 8 GiB"
    for part in (
        "language model",
        "picture tower",
        "projector",
        "CUDA context",
        "activations",
        "KV cache",
        "together",
    ):
        assert any(line.startswith(part) and "|" in line for line in lines)
    assert "12 tiles and a thumbnail: 3,328 tokens" in done.stdout
    assert "KV cache: 8 bits" in done.stdout
    assert "changed" not in done.stdout
    assert {len(line[line.index("|") :]) for line in lines if "|" in line} == {42}


def test_the_bars_are_scaled_to_the_card_and_the_budget_is_marked(launch: Launch) -> None:
    lines = launch("plan", "internvl2-2b", "--gpu-gib", "32").stdout.splitlines()
    bars = {line[: line.index("  ")].strip(): line[line.index("|") + 1 : -1] for line in lines if "|" in line}
    assert "of the card's 32 GiB" in lines[1]
    assert bars["budget"] == "." * 9 + "^" + "." * 30  # a quarter of 40 cells
    assert bars["together"] == "=" * 10 + "." * 30  # the budget is used up
    larger = launch("plan", "internvl2-2b", "--gpu-gib", "6.5").stdout.splitlines()
    assert next(line for line in larger if line.startswith("budget")).endswith(">|")


def test_what_a_person_wrote_and_the_plan_changed_is_said(launch: Launch, tmp_path: Path) -> None:
    text = (ROOT / "presets" / "internvl2-2b.yaml").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.replace("kv_bits: auto", "kv_bits: 16"), encoding="utf-8")
    done = launch("plan", "internvl2-2b", "--gpu-gib", "8", "--presets", "mine.yaml")
    assert "changed: KV cache bits 16 -> 8" in done.stdout


def test_json_has_the_figures(launch: Launch) -> None:
    done = launch("plan", "internvl2-2b", "internvl2-2b-awq", "--gpu-gib", "8", "--json")
    first, awq = json.loads(done.stdout)
    assert (first["name"], first["plan"]["engine"], first["plan"]["kv_bits"]) == (
        "internvl2-2b",
        "turbomind",
        8,
    )
    assert sum(first["plan"]["parts"].values()) == first["plan"]["total_bytes"] <= 8 * 2**30
    assert awq["plan"]["parts"]["language_model"] < 0.6 * first["plan"]["parts"]["language_model"]


def test_models_in_four_bits_are_awake_together_on_8_gib(launch: Launch) -> None:
    """As the presets come with the launcher."""
    names = ["internvl2-2b-awq", "internlm-xcomposer2-vl-1_8b-awq"]
    done = launch("plan", *names, "--gpu-gib", "8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "awake together: internvl2-2b-awq, internlm-xcomposer2-vl-1_8b-awq take 7." in done.stdout
    data = json.loads(launch("plan", *names, "--gpu-gib", "8", "--json").stdout)
    assert [each["together"]["names"] for each in data] == [names, names]
    assert all(each["together"]["fits"] for each in data)
    assert data[0]["together"]["needed_bytes"] <= 8 * 2**30


def test_models_that_do_not_fit_together_say_what_would_have_to_change(launch: Launch) -> None:
    said = launch("plan", "internvl2-2b", "internlm2-chat-1_8b", "--gpu-gib", "8").stdout
    assert "not awake together: internvl2-2b, internlm2-chat-1_8b would take 11.29 GiB" in said
    assert "launcher quantize internvl2-2b\n" in said
    assert "launcher quantize internlm2-chat-1_8b\n" in said
    said = launch("plan", "internvl2-2b-awq", "internlm-xcomposer2-vl-1_8b-awq", "--gpu-gib", "7").stdout
    assert "They take a card with about 8.0 GiB free, or smaller models" in said
    assert "together:" not in launch("plan", "internvl2-2b", "--gpu-gib", "8").stdout


def test_the_budgets_that_are_proposed_do(launch: Launch, tmp_path: Path) -> None:
    """Typed into the presets, they make both fit."""
    names = ["internvl2-2b-awq", "internlm-xcomposer2-vl-1_8b-awq"]
    files = [word for name in names for word in ("--presets", f"{name}.yaml")]

    def said_with(budgets: dict[str, str]) -> str:
        for name, gib in budgets.items():
            text = (ROOT / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
            changed = re.sub(r"gpu_budget_gib: [0-9.]+", f"gpu_budget_gib: {gib}", text)
            changed = re.sub(r"kv_cache_ratio: [0-9.]+", "kv_cache_ratio: 0.1", changed)
            (tmp_path / f"{name}.yaml").write_text(changed, encoding="utf-8")
        return launch("plan", *names, *files, "--gpu-gib", "8").stdout

    said = said_with(dict.fromkeys(names, "8"))
    assert "not awake together" in said
    proposed = dict(re.findall(r"(internvl2\S+|internlm\S+) memory\.gpu_budget_gib: ([0-9]\.[0-9])", said))
    assert list(proposed) == names
    assert "\nawake together: " in said_with(proposed)


def test_what_cannot_fit_says_why_and_exits_with_5(launch: Launch) -> None:
    done = launch("plan", "internvl2-2b", "--gpu-gib", "4")
    assert done.returncode == 5
    assert "internvl2-2b: The model does not fit 4.00 GiB" in done.stderr
    assert "It takes a card with 6.2 GiB free" in done.stderr
    found = json.loads(launch("plan", "internvl2-2b", "--gpu-gib", "4", "--json").stdout)[0]
    assert found["plan"] is None
    assert "4.11" in found["reason"]


def test_an_unknown_preset_is_named(launch: Launch) -> None:
    done = launch("plan", "internvl2-2c", "--gpu-gib", "8")
    assert done.returncode == 2
    assert "internvl2-2b" in done.stderr


def test_a_wrong_file_among_all_is_named_and_exits_with_2(launch: Launch) -> None:
    done = launch("plan", "--presets", "nope")
    assert (done.returncode, done.stderr) == (2, "nope: there is no such file or folder\n")
