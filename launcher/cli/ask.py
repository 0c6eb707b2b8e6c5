"""``launcher ask``: one question, its answer alone on standard output, as it comes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from launcher.cli import render
from launcher.devices import read_devices
from launcher.errors import RequestError
from launcher.images import check_upload
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message
from launcher.presets import Preset, read_presets
from launcher.readiness import assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models


def ask(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="Which model; see: launcher presets")],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to ask.")],
    *,
    image: Annotated[list[Path] | None, typer.Option("--image", metavar="PATH", help="A picture; may be given again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: text, finish_reason, tokens, times.")] = False,
    max_new_tokens: Annotated[int | None, typer.Option(min=1, max=32768, help="Longest answer, in tokens.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, max=2.0, help="0: the likeliest answer; higher: more varied.")
    ] = None,
    presets: Annotated[
        list[Path] | None, typer.Option("--presets", metavar="PATH", help="Preset file or folder instead of the launcher's own.")
    ] = None,
) -> None:
    """Ask one question and print the answer."""
    catalog = read_presets(presets or ())
    render.preset_errors(catalog.errors)
    chosen = catalog.find(preset)
    request = _request(chosen, question, tuple(path.resolve() for path in image or ()))
    request = replace(request, options=_options(request.options, max_new_tokens, temperature))
    _answer(chosen, request, as_json=as_json)


def _request(preset: Preset, question: str, pictures: tuple[Path, ...]) -> ChatRequest:
    if not question.strip():
        raise RequestError("The question is empty", 'Type: launcher ask {name} "…"', name=preset.name)
    if not question.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in question):
        raise RequestError("The question is not UTF-8 text", "Set the terminal to UTF-8, or type it again.")
    if pictures and preset.kind == "text":
        raise RequestError("{name} takes no pictures", "See launcher presets for models that do.", name=preset.name)
    for path in pictures:
        check_upload(path)
    system = (Message("system", preset.chat.system_prompt),) if preset.chat.system_prompt.strip() else ()
    return ChatRequest((*system, Message("user", question, pictures)), preset.generation.options())


def _options(options: GenerationOptions, max_new_tokens: int | None, temperature: float | None) -> GenerationOptions:
    if max_new_tokens is not None:
        options = replace(options, max_new_tokens=max_new_tokens)
    return options if temperature is None else replace(options, temperature=temperature)


def _answer(preset: Preset, request: ChatRequest, *, as_json: bool) -> None:
    readiness = assess(preset, read_devices(), installed_engines())
    if readiness.reason:
        raise readiness.reason
    if readiness.note:
        render.note(readiness.note)
    with Manager(runnable_models([readiness])) as manager:
        if sys.stderr.isatty():
            render.note(f"Loading {preset.name} ({readiness.engine}, {readiness.device}) …")
        manager.ensure_ready(preset.name)
        with manager.ask(preset.name, request) as answer:
            parts, last = [], Chunk("")
            for last in answer:
                parts.append(last.text)
                if not as_json:
                    render.piece(last.text)
    if as_json:
        render.data(render.answer_data(preset.name, "".join(parts), last))
    else:
        render.line("")
