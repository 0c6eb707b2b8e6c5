"""``launcher ask``: one question, its answer alone on standard output, as it comes; or many, as
``launcher.cli.batch`` has it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from launcher.cli import render
from launcher.cli.batch import Batch, read_whole
from launcher.cli.batch_lines import lines_of
from launcher.cli.document_notes import tell_of_documents
from launcher.cli.loaded_model import loaded, ready
from launcher.cli.picture_files import PictureFiles, picture_files
from launcher.cli.preset_paths import OnePreset, PresetPaths, read_catalog
from launcher.cli.questions import (
    as_typed,
    check_takes_pictures,
    cut_off,
    options_of,
    single,
    to_message,
    unreadable,
)
from launcher.errors import LauncherError, RequestError
from launcher.messages import ChatRequest, Chunk, GenerationOptions
from launcher.presets import Preset
from launcher.user_folders import typed
from launcher.workers.manager import Manager

STANDARD_INPUT = "-"
_STANDARD_INPUT_SHOWN = "Standard input"


def ask(
    preset: OnePreset,
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="What to ask; -: read standard input.")
    ] = None,
    *,
    image: Annotated[
        list[str] | None,
        typer.Option(
            "--image", metavar="PATH", help="A picture, a PDF or a short video; may be given again."
        ),
    ] = None,
    allow_url: Annotated[
        bool, typer.Option("--allow-url", help="Let pictures be http and https addresses, and fetch them.")
    ] = False,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Ask every line of a file (-: of standard input),"
            ' {"question": "…", "images": ["a.png"], "id": 1}; '
            "pictures lie beside the file. Prints a JSON line each, in order, as soon as it is there.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: text, finish_reason, tokens, times.")
    ] = False,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=1, max=32768, help="Longest answer, in tokens.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, max=2.0, help="0: the likeliest answer; higher: more varied.")
    ] = None,
    presets: PresetPaths = None,
) -> None:
    """Ask one question, or a file of them, and print the answer."""
    if (question is None) == (batch is None):
        raise typer.BadParameter(
            "Give a question, or a file of questions with --batch.", param_hint="QUESTION"
        )
    if batch is not None and image:
        raise typer.BadParameter("With --batch, pictures stand in the file.", param_hint="--image")
    catalog = read_catalog(presets)
    chosen = catalog.find(preset)
    options = options_of(chosen, max_new_tokens, temperature)
    with picture_files(allow_url=allow_url) as pictures:
        if batch is not None:
            _answer_batch(chosen, options, pictures, batch)
        else:
            request = _request(chosen, question or "", image or [], pictures, options)
            _answer(chosen, request, pictures, as_json=as_json)


def _request(
    preset: Preset, question: str, images: list[str], pictures: PictureFiles, options: GenerationOptions
) -> ChatRequest:
    text = _standard_input() if question == STANDARD_INPUT else as_typed(question)
    if images:
        check_takes_pictures(preset)
    question_asked = to_message(preset, text, pictures.find(images, Path.cwd()))
    return single(preset, question_asked, options, pictures.one_tile)


def _standard_input() -> str:
    """All of it, less the end of its last line.

    Raises:
        RequestError: it cannot be read, or is not UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise RequestError("Standard input is not UTF-8 text", "Save it as UTF-8.") from error
    except OSError as error:
        raise unreadable(_STANDARD_INPUT_SHOWN, error) from error


def _answer(preset: Preset, request: ChatRequest, pictures: PictureFiles, *, as_json: bool) -> None:
    model = ready(preset)
    tell_of_documents(pictures.opened, model)
    with loaded(model) as manager, manager.ask(preset.name, request) as answer:
        if as_json:
            render.data(render.answer_data(preset.name, *read_whole(answer)))
            return
        last = Chunk("")
        for last in answer:
            render.piece(last.text)
    render.line("")
    if remark := cut_off(last, "--max-new-tokens", "shorten the question"):
        render.note(remark)


def _answer_batch(preset: Preset, options: GenerationOptions, pictures: PictureFiles, name: str) -> None:
    base = Path.cwd() if name == STANDARD_INPUT else typed(name).resolve().parent
    batch = Batch(preset, options, pictures, base)
    lines, model = _lines(name), ready(preset)
    with loaded(model) if _is_worth_loading(batch, name) else Manager([]) as manager:
        failed = batch.run(manager, lines)
    if failed is not None:
        raise typer.Exit(failed.exit_code)


def _is_worth_loading(batch: Batch, name: str) -> bool:
    """False where no line of a file can be asked; a person is told before the model loads how many cannot.
    What comes through a pipe is not waited for."""
    if name == STANDARD_INPUT or not typed(name).is_file():
        return True
    judged = batch.judged(_lines(name))
    if judged.remark and sys.stderr.isatty():
        render.note(judged.remark)
    return judged.right > 0


def _lines(name: str) -> Iterator[bytes | LauncherError]:
    """Standard input gets a reader of its own: a thread that waits for a line could not leave
    ``sys.stdin``."""
    if name == STANDARD_INPUT:
        return lines_of(open(sys.stdin.fileno(), "rb", closefd=False), _STANDARD_INPUT_SHOWN)
    try:
        return lines_of(typed(name).open("rb"), name)
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error
