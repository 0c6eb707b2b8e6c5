"""The advanced settings of a tab: their components, and what comes back from them, or from a program, as
``Settings``.

Gradio would refuse a number outside a component's bounds in English, and what is no number without a word, so
these components hand over what they are given, and ``launcher.settings`` checks it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from gradio.components import Component

from launcher.errors import RequestError
from launcher.presets import Preset
from launcher.settings import CANNOT_BE, NO_SEED, OPTION_NAMES, read_options, shown
from launcher.ui.conversation import Settings
from launcher.ui.gradio_import import gr

Translate = Callable[[str], Any]
Part = TypeVar("Part", bound=Component)

_LONGEST, _MOST_CANDIDATES = 4096, 200
"""Where the sliders end, unless the preset itself goes further; a program may go as far as a preset may."""


def _as_given(component: Part) -> Part:
    """The component, whose value arrives as the browser or a program sent it."""
    # Not a subclass: Gradio writes a file of types beside the code of each.
    component.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return component


SETTING_NAMES = ("system_prompt", *OPTION_NAMES)


def settings_inputs(preset: Preset, translate: Translate) -> list[Any]:
    """Builds the components where they are to stand, in the order of ``SETTING_NAMES``, and the button that
    sets them back."""
    own = preset.generation
    system_prompt = _as_given(
        gr.Textbox(preset.chat.system_prompt, label=translate("system_prompt"), lines=2, max_lines=8)
    )
    with gr.Row():
        most = max(_LONGEST, own.max_new_tokens)
        longest = _slider(1, most, own.max_new_tokens, step=1, label=translate("max_new_tokens"))
        info = translate("temperature_info")
        heat = _slider(0, 2, own.temperature, step=0.05, label=translate("temperature"), info=info)
    with gr.Row():
        top_p = _slider(0.01, 1, own.top_p, step=0.01, label=translate("top_p"))
        most, info = max(_MOST_CANDIDATES, own.top_k), translate("top_k_info")
        top_k = _slider(0, most, own.top_k, step=1, label=translate("top_k"), info=info)
    with gr.Row():
        penalty = _slider(0.5, 2, own.repetition_penalty, step=0.01, label=translate("repetition_penalty"))
        shown_seed = NO_SEED if own.seed == "none" else own.seed
        seed = _as_given(
            gr.Number(shown_seed, precision=0, label=translate("seed"), info=translate("seed_info"))
        )
    inputs = [system_prompt, longest, heat, top_p, top_k, penalty, seed]
    _wire_reset(gr.Button(translate("reset"), size="sm", elem_classes="reset"), inputs)
    return inputs


def _wire_reset(button: gr.Button, inputs: list[Any]) -> None:
    """Pressed, it gives each input the value that it was built with, which is the preset's."""
    own = json.dumps([each.value for each in inputs])
    button.click(None, None, inputs, js=f"() => {own}", show_progress="hidden", api_visibility="private")


def _slider(low: float, high: float, value: float, *, step: float, label: Any, info: Any = None) -> gr.Slider:
    """A slider whose number box, when it is emptied and left, shows the preset's value again: the browser's
    part would take the lowest."""
    slider = _as_given(gr.Slider(low, high, value, step=step, label=label, info=info))
    slider.release(
        None,
        [slider],
        [slider],
        js=f"(value) => value ?? {json.dumps(value)}",
        show_progress="hidden",
        api_visibility="private",
    )
    return slider


def to_settings(given: Mapping[str, Any], preset: Preset) -> Settings:
    """What the components, or a program in their place, say, by the names of ``SETTING_NAMES``. What is not
    given, or None, is as the preset has it.

    What cannot be used is told when it is to be used: see ``Settings.refusal``.
    """
    defaults = Settings(preset.chat.system_prompt, preset.generation.options())
    system_prompt = given.get("system_prompt")
    if system_prompt is None:
        system_prompt = defaults.system_prompt
    try:
        if not isinstance(system_prompt, str):
            raise RequestError(CANNOT_BE, "It is a text.", name="system_prompt", value=shown(system_prompt))
        numbers = {name: given.get(name) for name in OPTION_NAMES}
        return Settings(system_prompt, read_options(numbers, defaults.options))
    except RequestError as error:
        return Settings(defaults.system_prompt, defaults.options, refusal=error)
