"""What hubs, checkpoints and presets call things is printed without steering the terminal."""

from __future__ import annotations

import pytest

from launcher.cli import presets_view, render
from launcher.cli.preset_standing import Standing
from launcher.errors import CheckpointError
from launcher.presets import read_presets
from launcher.readiness import Readiness, ReadyState

EVIL = "\x1b]0;taken over\x07\x9b2J\rgone\u202eesrever\u2066\x7f"
WRITTEN_OUT = r"\x1b]0;taken over\x07\x9b2J\x0dgone\u202eesrever\u2066\x7f"


def test_letters_of_all_languages_stay() -> None:
    text = "猫\u3000и ñ 👩‍👩‍👧 a\u00a0b\tc\nd"
    assert render.visible(text) == text
    assert render.visible(EVIL) == WRITTEN_OUT


def test_errors_and_their_hints(capsys: pytest.CaptureFixture[str]) -> None:
    render.error(CheckpointError("{name} is no model", "Leave {name} out.", name=EVIL))
    said = capsys.readouterr().err
    assert f"{WRITTEN_OUT} is no model\nLeave {WRITTEN_OUT} out." in said.replace("launcher: ", "")


def test_defects(capsys: pytest.CaptureFixture[str]) -> None:
    render.defect(ValueError(EVIL), debug=False)
    assert f"ValueError: {WRITTEN_OUT}\n" in capsys.readouterr().err


def test_reasons_in_the_list_of_presets(capsys: pytest.CaptureFixture[str]) -> None:
    preset = read_presets().presets[0]
    reason = CheckpointError("{name} is not an architecture", name=EVIL)
    presets_view.standing_table([Standing(Readiness(preset, ReadyState.BROKEN, reason=reason))])
    assert f"{WRITTEN_OUT} is not an architecture" in capsys.readouterr().out
