"""``launcher chat``: a conversation in the terminal, or line by line through a pipe. Owns the loop; the rest
is beside it:

``chat_commands`` reads a line, ``chat_session`` keeps the conversation, ``chat_keyboard`` gets the lines.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

import typer

from launcher.cli import render
from launcher.cli.chat_attached import Attached
from launcher.cli.chat_commands import (
    HELP,
    AddPicture,
    Ask,
    Clear,
    Command,
    End,
    Save,
    SetOption,
    SetSystem,
    ShowHelp,
    ShowStats,
    changed,
    parse,
)
from launcher.cli.chat_keyboard import Keyboard, piped_lines
from launcher.cli.chat_session import ChatSession
from launcher.cli.completion import preset_names
from launcher.cli.loaded_model import loaded, ready
from launcher.cli.picture_files import picture_files
from launcher.cli.preset_paths import PresetPaths, read_catalog
from launcher.cli.questions import cut_off
from launcher.commands_here import command as typed_here
from launcher.devices import read_devices
from launcher.errors import LauncherError, PresetError, RequestError
from launcher.messages import Chunk
from launcher.presets import Catalog
from launcher.readiness import Readiness, ReadyState, assess, installed_engines
from launcher.user_folders import typed
from launcher.workers.answers import Answer
from launcher.workers.manager import Manager

_NAME_COLUMN = 18


def chat(
    preset: Annotated[
        str | None,
        typer.Argument(
            metavar="[PRESET]",
            help="Which model; see: launcher presets. Without: the first that can run here.",
            autocompletion=preset_names,
        ),
    ] = None,
    *,
    image: Annotated[
        list[str] | None,
        typer.Option(
            "--image",
            metavar="PATH",
            help="A picture, a PDF or a short video for the first question; may be given again.",
        ),
    ] = None,
    presets: PresetPaths = None,
) -> None:
    """Chat in the terminal; /help there lists its commands, exit or Ctrl-D ends it."""
    catalog = read_catalog(presets)
    readiness = (
        ready(catalog.find(preset)) if preset else _first_ready(catalog, "vision" if image else "text")
    )
    chosen = readiness.preset
    session = ChatSession(chosen, chosen.generation.options(), chosen.chat.system_prompt)
    with picture_files() as pictures:
        attached = Attached(readiness, session, pictures)
        for path in image or ():
            attached.add(path)
        with loaded(readiness) as manager:
            talk = _Chat(session, manager, attached, in_terminal=sys.stdin.isatty() and sys.stdout.isatty())
            failed = talk.run()
    if failed is not None and not talk.in_terminal:
        raise typer.Exit(failed.exit_code)


def _first_ready(catalog: Catalog, kind: Literal["text", "vision"]) -> Readiness:
    """The first preset of this kind that can run here.

    Raises:
        LauncherError: there is none; why the first cannot.
    """
    devices, installed = read_devices(), installed_engines()
    assessed = [assess(each, devices, installed) for each in catalog.presets if each.kind == kind]
    for each in assessed:
        if each.state is ReadyState.READY:
            return each
    if assessed and assessed[0].reason:
        raise assessed[0].reason
    raise PresetError(
        "There is no preset of kind {kind}",
        "Name one: {command} PRESET",
        kind=kind,
        command=typed_here("chat"),
    )


@dataclass
class _Chat:
    """The loop: a line, what it asks for, what is shown."""

    session: ChatSession
    manager: Manager
    attached: Attached
    in_terminal: bool

    def run(self) -> LauncherError | None:
        """Until ``exit`` or the end of input; what fails is told, and the chat goes on. Returns the first
        failure.

        In a terminal Ctrl-C ends an answer or empties the prompt. Through a pipe every line is a question or
        a command, answers alone are on standard output, and Ctrl-C ends the program.
        """
        first: LauncherError | None = None
        for line in self._lines():
            try:
                if self._follow(line):
                    break
            except LauncherError as error:
                render.error(error)
                first = first or error
            except KeyboardInterrupt:  # as the answer began or ended
                if not self.in_terminal:
                    raise
                render.note("(stopped)")
        return first

    def _lines(self) -> Iterator[str | RequestError]:
        if not self.in_terminal:
            return piped_lines()
        render.line(f"{self.session.preset.name}: /help lists the commands, exit or Ctrl-D ends.")
        return Keyboard(self._label, interrupted=lambda: render.line("exit or Ctrl-D ends.")).lines()

    def _follow(self, line: str | RequestError) -> bool:
        """Does what a line asks for; True when that is to end."""
        if isinstance(line, RequestError):
            raise line
        command = parse(line)
        if command is not None:
            self._do(command)
        return isinstance(command, End)

    def _label(self) -> str:
        return "".join(f"[{path.name}] " for path in self.session.pictures)

    def _do(self, command: Command) -> None:
        session = self.session
        match command:
            case Ask(text):
                self._ask(text)
            case AddPicture(path):
                self.attached.add(path)
            case Clear():
                session.clear()
            case SetSystem(text):
                session.system_prompt = text
            case SetOption(name=""):
                _tell(session.settings())
            case SetOption():
                session.options = changed(session.options, command)
            case Save(path):
                session.save(typed(path))
            case ShowStats():
                _tell(session.stats())
            case ShowHelp():
                _tell(f"{usage:<{_NAME_COLUMN}}{meaning}" for usage, meaning in HELP.items())

    def _ask(self, question: str) -> None:
        request = self.session.request(question)
        with self.manager.ask(self.session.preset.name, request, retry=True) as answer:
            text, last = _show(answer, stoppable=self.in_terminal)
        self.session.answered(request, text, last)


def _show(answer: Answer, *, stoppable: bool) -> tuple[str, Chunk]:
    """Shows an answer as it comes; with ``stoppable`` Ctrl-C ends it, and nothing else. Returns its text and
    its last chunk.

    Raises:
        LauncherError: why there is no more of it; what came before has been shown.
    """
    shown = _Shown()
    try:
        if stoppable:
            asyncio.run(_show_stoppable(answer, shown))
        else:
            for chunk in answer:
                shown.add(chunk)
    finally:
        shown.end_line()
    if shown.last.finish == "cancelled":
        render.note("(stopped)")
    elif remark := cut_off(shown.last, "/set max_new_tokens", "/clear begins anew"):
        render.note(remark)
    elif not shown.text.strip():
        render.note("(no answer: ask again in other words)")
    return shown.text, shown.last


@dataclass
class _Shown:
    """What has been shown of an answer."""

    text: str = ""
    last: Chunk = field(default_factory=lambda: Chunk(""))

    def add(self, chunk: Chunk) -> None:
        render.piece(chunk.text)
        self.text += chunk.text
        self.last = chunk

    def end_line(self) -> None:
        """What follows begins a line; before the first word of a stopped answer stands the terminal's own
        ^C."""
        if not self.text.endswith("\n") and (self.text or self.last.finish == "cancelled"):
            render.line("")


async def _show_stoppable(answer: Answer, shown: _Shown) -> None:
    # In the loop and not in a signal handler proper, which may run anywhere: cancelling takes locks.
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, answer.cancel)
    try:
        async for chunk in answer:
            shown.add(chunk)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        render.note(line)
