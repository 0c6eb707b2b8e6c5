"""What some options of ``launcher serve`` mean; whatever is wrong with one is told as Typer tells it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import typer

from launcher.door import name_and_port
from launcher.linked_pictures.leave import Leave

_ROOT_PATH = re.compile(r"(https?://(?P<host>[^/\s?#]+))?(/[^\s?#]*)?")


def leave_of(hosts: Sequence[str], *, outside: bool) -> Leave | None:
    """What ``--allow-url`` and ``--allow-url-from`` let programs have fetched; None: nothing."""
    named = [(host, name_and_port(host)) for host in hosts]
    for host, found in named:
        if found is None:
            raise typer.BadParameter(
                f"{host!r} is no host such as pictures.example.org or 10.0.0.5:8080.",
                param_hint="--allow-url-from",
            )
    known = tuple(found for _, found in named if found is not None)
    return Leave(outside, known) if outside or known else None


def right_root_path(given: str) -> str:
    """``/x`` for ``x``, ``/x`` and ``/x/``; a whole address without a slash at its end; "" for the root."""
    path, is_address = given.strip().rstrip("/"), "://" in given
    if path and not is_address:
        path = f"/{path.lstrip('/')}"
    found = _ROOT_PATH.fullmatch(path)
    if found is None or (is_address and name_and_port(found["host"]) is None):
        raise typer.BadParameter(
            f"{given!r} is neither a path such as /vl nor an address such as https://example.org/vl.",
            param_hint="--root-path",
        )
    return path
