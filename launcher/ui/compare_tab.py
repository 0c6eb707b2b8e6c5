"""The Compare tab: one question with its pictures to several models, their answers side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from launcher.presets import Preset
from launcher.ui.chat_tab import QUIET, Translate, chatbot_for, note_place, question_box
from launcher.ui.gradio_import import gr
from launcher.ui.page_script import COMPARE, call, connect

_CHOSEN_FIRST = 2
"""Models that are chosen when the page opens."""


@dataclass(frozen=True)
class _Column:
    """One model's part."""

    name: str
    part: gr.Column
    chatbot: gr.Chatbot
    status: gr.HTML
    cost: gr.HTML
    news: gr.HTML


def build_compare_tab(
    presets: Sequence[Preset], titles: Sequence[Any], translate: Translate, later: Collection[str] = ()
) -> dict[str, gr.HTML]:
    """Builds the tab's content in the current ``gr.Tab`` and wires it. Where each model's status line stands,
    by its preset's name. Models that come ``later`` are seen once they are here; while fewer than two are,
    the tab says so (``page/places.js``)."""
    names = [preset.name for preset in presets]
    first = [name for name in names if name not in later][:_CHOSEN_FIRST]

    def hidden(name: str) -> list[str]:
        return ["until-here"] if name in later else []

    gr.HTML(translate("few"), padding=False, elem_id="few", elem_classes="facts")
    with gr.Row(elem_classes="choice"):
        choice = [
            gr.Checkbox(
                name in first,
                label=title,
                container=False,
                min_width=120,
                elem_id=f"choice-{name}",
                elem_classes=hidden(name),
            )
            for name, title in zip(names, titles, strict=True)
        ]
    with gr.Row(elem_classes="columns", equal_height=False):
        columns = [
            _column(preset, title, hidden(preset.name), translate)
            for preset, title in zip(presets, titles, strict=True)
        ]
    kind = "vision" if any(preset.kind == "vision" for preset in presets) else "text"
    with gr.Column(elem_classes="asking"):
        gr.HTML(f'<div class="trouble" id="trouble-{COMPARE}" role="alert"></div>', padding=False)
        gr.HTML(note_place(COMPARE), padding=False)
        box = question_box(COMPARE, kind, translate)
    events = ["chosen", "rested", "carried", "added", "stood"]
    news = gr.HTML(visible="hidden", js_on_load=connect(COMPARE, events))

    def in_browser(event: Any, function: str, values: Sequence[Any], inputs: Any, outputs: Any) -> None:
        event(None, inputs, outputs, js=call(function, *values), trigger_mode="multiple", **QUIET)

    for event in (news.chosen, *(each.change for each in choice)):
        in_browser(event, "choose", [names], choice, [column.part for column in columns])
    in_browser(box.submit, "compare", [names], [box, *choice], [box])
    in_browser(box.change, "attached", [COMPARE], [box], [])
    in_browser(box.stop, "stopComparing", [], [], [])
    in_browser(news.rested, "rested", [], [box], [box])
    in_browser(news.added, "addedToCompare", [], [box], [box])
    in_browser(news.carried, "carriedOver", [], [box], [box])
    in_browser(news.stood, "stood", [COMPARE], [box], [box])
    for column in columns:
        key = column.name + COMPARE
        in_browser(column.news.grown, "grown", [key], [], [column.chatbot])
        in_browser(column.news.ended, "columnEnded", [key], [], [column.chatbot, column.cost])
        in_browser(column.chatbot.clear, "clearColumn", [key], [], [column.cost])
    return {column.name: column.status for column in columns}


def _column(preset: Preset, title: Any, hidden: Sequence[str], translate: Translate) -> _Column:
    """The browser builds it when its model is first chosen (``page/compare.js``)."""
    key = preset.name + COMPARE
    with gr.Column(
        min_width=280,
        elem_id=f"column-{preset.name}",
        elem_classes=["model", *hidden],
        visible=False,
    ) as part:
        gr.Markdown(title, elem_classes="name")
        with gr.Row(elem_classes="standing"):
            status, cost = gr.HTML(padding=False), gr.HTML(padding=False)
        chatbot = chatbot_for(translate)
        gr.HTML(f'<div class="trouble" id="trouble-{key}" role="alert"></div>', padding=False)
        news = gr.HTML(visible="hidden", js_on_load=connect(key, ["grown", "ended"]))
    return _Column(preset.name, part, chatbot, status, cost, news)
