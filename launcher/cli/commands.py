"""The commands by name. Each is imported when it is asked for: the list of them needs none, and ``launcher
--help`` is there at once."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.completion import install_callback, show_callback
from typer.core import TyperCommand, TyperGroup

from launcher.commands_here import command

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter  # typer's own names for what it hands over

SUMMARIES = {
    "serve": "Serve the page: a tab for each preset; beside it the endpoint /v1 for programs.",
    "presets": "List the presets and whether they can run here.",
    "plan": "Show what models would take on each GPU, and what the plan changes to make them fit.",
    "ask": "Ask one question, or a file of them, and print the answer.",
    "chat": "Chat in the terminal; /help there lists its commands, exit or Ctrl-D ends it.",
    "add": "Make a preset of a model on a hub or in a folder, having looked whether it can run here.",
    "pull": "Download a model that can run here: only what it needs, never code; goes on where it was cut.",
    "quantize": "Make a model whose language model has four bits (AWQ), and compare it with the original.",
    "doctor": "Check this machine: exit code 0 says that the page would work here; each fault comes with what"
    " mends it.",
    "bench": "Measure what the page, a switch and a start cost on this machine.",
}
"""Each command is what ``launcher.cli.NAME`` calls NAME. The list of commands shows this of it: the first
paragraph of its own help."""

_COMPLETION = {"--install-completion": install_callback, "--show-completion": show_callback}
_SHELLS = "bash, zsh, fish, powershell and pwsh"


class Commands(TyperGroup):
    """The root's commands."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Options of completion take a shell's name, too: Typer takes that of the shell that started the
        launcher, and in a container or in CI there may be none."""
        if not ctx.resilient_parsing and args and args[0] in _COMPLETION:
            _complete(ctx, *args[:2])
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - typer's signature
        """Their names, in the order in which they are shown."""
        return list(SUMMARIES)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002 - typer's signature
        """The command; None where there is none of that name."""
        if cmd_name in SUMMARIES and cmd_name not in self.commands:
            self.commands[cmd_name] = _imported(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Writes the list, from their summaries alone."""
        told: dict[str, Command] = {
            name: TyperCommand(name, help=summary) for name, summary in SUMMARIES.items()
        }
        TyperGroup(name="told", commands=told).format_commands(ctx, formatter)


class _OneCommand(TyperCommand):
    """A command whose refusals of an option show the value: typer says of it what pydantic says, which
    is only what would be right."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """What is left over; as in typer's own."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            # Pydantic's, which is not imported for this.
            faults: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
            if faults and faults[0]["type"] != "value_error":  # that is typer's own, and shows the value
                error.message = f"{faults[0]['input']!r}: {error.message}"
            raise


def _complete(ctx: Context, option: str, shell: str | bool = True) -> NoReturn:
    """Does what an option of completion says, and ends the program; True: for the shell that started it."""
    try:
        _COMPLETION[option](ctx, ctx.command.params[0], shell)
    except typer.Exit as no_such_shell:
        raise typer.BadParameter(
            f"Name your shell, one of {_SHELLS}. For bash, type: {command(option, 'bash')}", ctx
        ) from no_such_shell
    raise AssertionError("the callback ends the program")


def _imported(name: str) -> Command:
    found = getattr(import_module(f"launcher.cli.{name}"), name)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.callback()(lambda: None)  # makes a group of it, though it has one command
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name, cls=_OneCommand)(found)
    group = typer.main.get_command(alone)
    assert isinstance(group, TyperGroup)
    return group.commands[name]
