"""Where ``launcher chat`` gets its lines: a terminal with line editing and a history that outlives the
program, or a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.cli.chat_commands import HELP
from launcher.cli.questions import unreadable
from launcher.errors import RequestError
from launcher.settings import OPTION_NAMES
from launcher.user_folders import state_folder

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer, Completion
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

_PATH_COMMANDS = ("/image ", "/save ")


def history_file() -> Path:
    """Where what was typed is kept: ``$XDG_STATE_HOME/launcher/chat_history``
    (``~/.local/state/launcher/chat_history``)."""
    return state_folder() / "chat_history"


def piped_lines() -> Iterator[str | RequestError]:
    """Each line of standard input without its end; one that is no UTF-8 or cannot be read is an error in its
    place."""
    try:
        for number, line in enumerate(sys.stdin.buffer, 1):
            yield _decoded(number, line)
    except OSError as error:
        yield unreadable("Standard input", error)


def _decoded(number: int, line: bytes) -> str | RequestError:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        return RequestError("Line {line} is not UTF-8 text", "Save it as UTF-8.", line=number)


class Keyboard:
    """A prompt in a terminal: line editing, history, completion of commands and paths; pasted text keeps its
    lines.

    Args:
        label: what stands before the prompt's mark, asked at each prompt.
        interrupted: called when Ctrl-C empties the prompt.
    """

    def __init__(self, label: Callable[[], str], interrupted: Callable[[], None]) -> None:
        self._label = label
        self._interrupted = interrupted
        self._session = _prompt_session()

    def lines(self) -> Iterator[str]:
        """What is typed, until Ctrl-D."""
        while True:
            try:
                yield self._session.prompt([("ansibrightblack", self._label()), ("bold", "> ")])
            except KeyboardInterrupt:
                self._interrupted()
            except EOFError:
                return


def _prompt_session() -> PromptSession[str]:
    from prompt_toolkit import PromptSession

    return PromptSession(
        history=_history(history_file()),
        completer=_completer(),
        complete_while_typing=False,
        key_bindings=_bindings(),
        prompt_continuation="  ",
    )


def _bindings() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()

    @bindings.add("escape", "enter")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    return bindings


def _history(file: Path) -> History:
    """Kept in the file where that can be written, readable by its user alone; else for this run."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    class _KeptHistory(FileHistory):
        def store_string(self, string: str) -> None:
            with contextlib.suppress(OSError, UnicodeError):  # a full disk must not end the chat
                super().store_string(string)

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return InMemoryHistory()
    return _KeptHistory(str(file))


def _completer() -> Completer:
    from prompt_toolkit.completion import CompleteEvent, Completer, PathCompleter, WordCompleter
    from prompt_toolkit.document import Document

    commands = WordCompleter([usage.split()[0] for usage in HELP if usage.startswith("/")], sentence=True)
    options = WordCompleter([f"/set {name}" for name in OPTION_NAMES], sentence=True)
    paths = PathCompleter(expanduser=True)

    class _CommandCompleter(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            text = document.text_before_cursor
            for command in _PATH_COMMANDS:
                if text.startswith(command):
                    path = Document(text.removeprefix(command))
                    return paths.get_completions(path, complete_event)
            return (options if text.startswith("/set ") else commands).get_completions(
                document, complete_event
            )

    return _CommandCompleter()
