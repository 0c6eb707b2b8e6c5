"""One conversation in the terminal: its messages, pictures, options and counts. It asks no model and reads no
keyboard."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from launcher.cli.questions import to_message
from launcher.errors import RequestError
from launcher.messages import ChatRequest, Chunk, GenerationOptions, Message, Usage, system_turn
from launcher.presets import Preset

_NEW_FILE_HINT = "Give another name."


@dataclass
class Totals:
    """What the answers of this chat have cost together."""

    answers: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0
    total_s: float = 0.0

    def add(self, usage: Usage) -> None:
        """Counts one more answer."""
        self.answers += 1
        self.prompt_tokens += usage.prompt_tokens
        self.new_tokens += usage.new_tokens
        self.total_s += usage.total_s


@dataclass
class ChatSession:
    """The conversation so far; ``pictures`` go with the next question. ``one_tile``: see ``ChatRequest``."""

    preset: Preset
    options: GenerationOptions
    system_prompt: str
    turns: tuple[Message, ...] = ()
    pictures: tuple[Path, ...] = ()
    one_tile: frozenset[Path] = frozenset()
    last: Usage | None = None
    totals: Totals = field(default_factory=Totals)
    _written: set[Path] = field(default_factory=set)

    def request(self, question: str) -> ChatRequest:
        """The conversation with a question at its end. It becomes a part of it once it is `answered`.

        Raises:
            RequestError: the question cannot be asked of any model.
        """
        message = to_message(self.preset, question, self.pictures)
        messages = (*system_turn(self.system_prompt), *self.turns, message)
        return ChatRequest(messages, self.options, one_tile=self.one_tile)

    def answered(self, request: ChatRequest, text: str, last: Chunk) -> None:
        """Keeps a question and its answer, whole or stopped; one that has no word is not kept, and its
        pictures wait for the next question."""
        if last.usage is not None:
            self.last = last.usage
            self.totals.add(last.usage)
        if text.strip():
            self.turns = (*self.turns, request.messages[-1], Message("assistant", text))
            self.pictures = ()

    def clear(self) -> None:
        """Forgets the conversation and the pictures that wait; options and system prompt stay."""
        self.turns, self.pictures = (), ()

    def settings(self) -> list[str]:
        """The options as ``/set`` takes them, and the system prompt."""
        options = [
            f"{name} {'none' if value is None else value}" for name, value in asdict(self.options).items()
        ]
        return [*options, f"system prompt: {self.system_prompt or 'none'}"]

    def stats(self) -> list[str]:
        """The last answer's figures, and all answers'."""
        if self.last is None:
            return ["No answer has been completed yet."]
        last, all_of = self.last, self.totals
        return [
            f"last answer: {last.prompt_tokens} tokens in ({last.picture_tokens} of pictures),"
            f" {last.new_tokens} out, "
            f"first after {last.first_token_s:.2f} s, all after {last.total_s:.2f} s{_speed(last)}",
            f"this chat: {all_of.answers} answers, {all_of.prompt_tokens} tokens in, {all_of.new_tokens}"
            f" out, "
            f"{all_of.total_s:.2f} s",
        ]

    def save(self, path: Path) -> None:
        """Writes the conversation as Markdown; a file that was there before this chat is left alone.

        Raises:
            RequestError: there is such a file, or it cannot be written.
        """
        try:
            with path.open("w" if path in self._written else "x", encoding="utf-8", newline="\n") as file:
                self._written.add(path)
                file.write(self._as_markdown())
        except FileExistsError as error:
            raise RequestError("There is a file {file} already", _NEW_FILE_HINT, file=path) from error
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise RequestError(
                "{file} cannot be written: {reason}", _NEW_FILE_HINT, file=path, reason=reason
            ) from error

    def _as_markdown(self) -> str:
        system = system_turn(self.system_prompt)
        parts = [f"# {self.preset.name}", *(_as_markdown(message) for message in (*system, *self.turns))]
        return "\n\n".join(parts) + "\n"


def _speed(usage: Usage) -> str:
    decoding_s = usage.total_s - usage.first_token_s
    return (
        f", {(usage.new_tokens - 1) / decoding_s:.0f} tokens/s"
        if usage.new_tokens > 1 and decoding_s > 0
        else ""
    )


def _as_markdown(message: Message) -> str:
    pictures = [f"![{path.name}](<{path}>)" for path in message.pictures]
    return "\n\n".join([f"## {message.role}", *pictures, message.text])
