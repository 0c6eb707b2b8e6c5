"""Who is let in: from what ``launcher serve`` is told to the name and password that are asked for."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field

from launcher.commands_here import command
from launcher.errors import RequestError
from launcher.user_folders import typed

VARIABLE = "LAUNCHER_AUTH"
"""The environment variable that holds ``USER:PASSWORD``."""

KEY_VARIABLE = "LAUNCHER_API_KEY"
"""The environment variable that holds the endpoint's key."""

_MOST_SECRET_BYTES = 4096
"""Of a file with a password or key; ``/dev/zero`` has no end."""

OPEN = (
    "Anyone who can reach this address can use this page: no password is asked for. "
    "What you ask is sent unencrypted."
)
"""What an open page says of itself."""


_HOST = re.compile(r"(\[[0-9a-f:.%]+\]|[^\s:/?#@\[\]\\*]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
"""No pattern of names either: ``*`` would be taken for one and mean none."""


@dataclass(frozen=True)
class Credentials:
    """The one name and password that open the page."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Door:
    """What is asked of those who come in.

    Args:
        host: the name or address that the page was told to listen on.
        allow_hosts: more names under which it may be asked for.
        credentials: the name and password; None where none are asked for.
        api_key: what programs have to know that ask the endpoint; None where it answers this machine alone.
        is_left_open: the user has said that nobody is to be asked, wherever they come from.
    """

    host: str = ""
    allow_hosts: Sequence[str] = ()
    credentials: Credentials | None = None
    is_left_open: bool = False
    api_key: str | None = field(default=None, repr=False)

    def is_open(self, sockets: Sequence[socket.socket]) -> bool:
        """Whether anyone on another machine can come in, without a password."""
        return self.credentials is None and not all(map(is_loopback, sockets))

    def lets_download(self, sockets: Sequence[socket.socket]) -> bool:
        """Whether the page may offer to download models: where nobody comes in from another machine, or only
        who knows the password."""
        return not self.is_open(sockets)

    def check(self, sockets: Sequence[socket.socket]) -> None:
        """Sees to it that nobody opens the page to others without having said how.

        Raises:
            RequestError: other machines could come in, and no password would be asked for.
        """
        if self.is_left_open or not self.is_open(sockets):
            return
        raise RequestError(
            "On {host} other machines can reach the page, and nothing is asked of those who come",
            "Put a password into a file and type: {safe}\nOr leave --host out, and let others in by ssh. "
            "To let anyone in all the same, type: {open}",
            host=self.host,
            safe=command("serve", "--host", self.host, "--auth", "me:FILE"),
            open=command("serve", "--host", self.host, "--insecure-no-auth"),
        )


LOCAL_DOOR = Door()
"""For a page on loopback of which nothing more was said."""


def door_of(
    host: str,
    allow_hosts: Sequence[str],
    auth: str,
    *,
    left_open: bool,
    api_key: str = "",
    environment: MutableMapping[str, str] = os.environ,
) -> Door:
    """The door that the options and the environment describe.

    Args:
        host: ``--host``, without brackets.
        allow_hosts: ``--allow-host``.
        auth: ``--auth``, ``USER:FILE``; "" where it is not given.
        left_open: ``--insecure-no-auth``.
        api_key: ``--api-key``, a file's name; "" where it is not given.
        environment: where VARIABLE and KEY_VARIABLE are looked for, and taken out: no process that is started
            later sees them.

    Raises:
        RequestError: they contradict each other, or there is no password.
    """
    in_environment = environment.pop(VARIABLE, "")
    key = environment.pop(KEY_VARIABLE, "") or None
    if (auth or in_environment) and left_open:
        raise RequestError(
            "A password is given, and --insecure-no-auth says that none is asked for",
            "Leave one of them out: --insecure-no-auth, or {given}.",
            given="--auth" if auth else VARIABLE,
        )
    for name in allow_hosts:
        if (named := name_and_port(name)) is None or named[1] is not None:
            raise RequestError(
                "{name} is not a host's name",
                "Type it without a port and without http://, as in: {command}",
                name=name,
                command=command("serve", "--allow-host", "example.org"),
            )
    credentials = _from_file(auth) if auth else _from_variable(in_environment) if in_environment else None
    if api_key:
        key = _line_in(api_key)
    elif key is not None:
        key = _one_line(key, KEY_VARIABLE)
    return Door(host, tuple(name.strip("[]") for name in allow_hosts), credentials, left_open, key)


def is_loopback(listening: socket.socket) -> bool:
    """Whether nobody but this machine can reach the socket."""
    address = str(listening.getsockname()[0]).partition("%")[0]
    return ipaddress.ip_address(address).is_loopback


def name_and_port(host: str | None) -> tuple[str, int | None] | None:
    """The parts of a Host header, ``localhost:6006`` or ``[::1]``; None for what is none."""
    found = _HOST.fullmatch((host or "").strip())
    if not found or int(found[2] or 0) >= 1 << 16:
        return None
    name = found[1].lower().strip("[]").rstrip(".")
    return name, int(found[2]) if found[2] else None


def _from_file(auth: str) -> Credentials:
    user, _, name = auth.partition(":")
    if not user or not name:
        raise RequestError(
            "--auth is USER:FILE, and {value} is not",
            "FILE holds the password. Type: {command}",
            value=auth,
            command=command("serve", "--auth", "me:FILE"),
        )
    return Credentials(user, _line_in(name))


def _line_in(name: str) -> str:
    """The one line of a file that holds a secret."""
    try:
        with typed(name).open("rb") as file:
            text = file.read(_MOST_SECRET_BYTES + 1).decode("utf-8")
    except (OSError, ValueError) as error:
        raise RequestError(
            "The password or key cannot be read from {file}: {reason}",
            "Write it into that file, as its only line.",
            file=name,
            reason=getattr(error, "strerror", None) or "it is not text",
        ) from error
    if len(text) > _MOST_SECRET_BYTES:
        raise RequestError(
            "The password or key cannot be read from {file}: {reason}",
            "Write it into that file, as its only line.",
            file=name,
            reason=f"it has more than {_MOST_SECRET_BYTES} bytes",
        )
    return _one_line(text.removesuffix("\n").removesuffix("\r"), name)


def _from_variable(value: str) -> Credentials:
    user, _, password = value.partition(":")
    if not user:
        raise RequestError(
            "{variable} is USER:PASSWORD, and has no user",
            "Type: export {variable}=me:…",
            variable=VARIABLE,
        )
    return Credentials(user, _one_line(password, VARIABLE))


def _one_line(secret: str, where: str) -> str:
    if not secret or "\n" in secret:
        raise RequestError(
            "The password or key in {where} is empty or has more than one line",
            "Write one line of at least one character.",
            where=where,
        )
    return secret
