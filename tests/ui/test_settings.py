"""The settings of a tab begin as the preset has them."""

from __future__ import annotations

import asyncio
from typing import Literal

import gradio as gr
import pytest

from launcher.presets import BilingualText, GenerationSettings, Preset
from launcher.ui.settings import SETTING_NAMES, settings_inputs, to_settings


@pytest.mark.parametrize(("seed", "shown", "asked"), [("none", -1, None), (0, 0, 0), (7, 7, 7)])
def test_the_preset_s_seed_stands_in_the_box_and_is_asked_for(
    seed: int | Literal["none"], shown: int, asked: int | None
) -> None:
    preset = Preset(
        name="one",
        title=BilingualText(en="One", zh="一"),
        kind="text",
        sources=("/somewhere",),
        generation=GenerationSettings(seed=seed),
    )
    assert asyncio.run(seed_box(preset)).value == shown
    assert to_settings({}, preset).options.seed == asked
    assert to_settings({"seed": shown}, preset).options.seed == asked
    assert to_settings({"seed": -1}, preset).options.seed is None


async def seed_box(preset: Preset) -> gr.Number:
    """Inside a running loop, Gradio makes none of its own, which it would never close."""
    with gr.Blocks():
        inputs = dict(zip(SETTING_NAMES, settings_inputs(preset, str), strict=True))
    box = inputs["seed"]
    assert isinstance(box, gr.Number)
    return box
