"""Whose pages may ask: only the page's own.

A page elsewhere can make a visitor's browser send requests here, with the visitor's login. The browser says
from where: in Origin, wherever something is sent or read across origins, and in Sec-Fetch-Site. Programs send
neither.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from launcher.commands_here import command
from launcher.door import name_and_port
from launcher.errors import RequestError
from launcher.settings import shown
from launcher.ui.guard.refusals import Refusal, is_request
from launcher.ui.headers import App, Receive, Scope, Send

_PORTS = {"http": 80, "https": 443}
_OURS = ("same-origin", "none")
"""Values of Sec-Fetch-Site: asked by our own page, or by a person who typed the address."""

_Origin = tuple[str, int]


class OriginCheck:
    """Refuses what a page of another origin asks for. A link to the page may be followed from anywhere."""

    def __init__(self, app: App, root_path: str = "") -> None:
        """``root_path`` is the page's whole address at a proxy, which may hide the host from us."""
        self._app = app
        self._public = _origin_of(root_path)
        self._path = urlsplit(root_path).path.rstrip("/") if "://" in root_path else root_path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if is_request(scope) and not self._is_ours(scope, Headers(scope=scope)):
            origin = Headers(scope=scope).get("origin")
            error = RequestError(
                "Another page asks for this: {origin}",
                "Open the launcher's own page and ask there. Behind a proxy that hides the page's address, "
                "start it with that: {command}",
                origin=shown(origin or "?"),
                command=command("serve", "--root-path", "https://example.org/vl"),
            )
            await Refusal(HTTPStatus.FORBIDDEN, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope, headers: Headers) -> bool:
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None and site not in _OURS:
            return self._follows_a_link(scope, headers)
        if origin is None:
            return True
        if origin == "null":  # what a page without referrers sends for a form of its own, and others' too
            return site == "same-origin"
        known = _origin_of(origin)
        return known is not None and (
            known == self._public or _is_at(known, urlsplit(origin).scheme, headers)
        )

    def _follows_a_link(self, scope: Scope, headers: Headers) -> bool:
        return (
            scope["type"] == "http"
            and scope["method"] in ("GET", "HEAD")
            and scope["path"].rstrip("/") in ("", self._path)
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document"
        )


def _origin_of(address: str) -> _Origin | None:
    parts = urlsplit(address)
    if parts.scheme not in _PORTS:
        return None
    named = name_and_port(parts.netloc)
    return (named[0], named[1] or _PORTS[parts.scheme]) if named else None


def _is_at(origin: _Origin, scheme: str, headers: Headers) -> bool:
    """Whether the origin is the host that was asked, as we see it or as a proxy says it. (A page elsewhere
    cannot set X-Forwarded-Host without being asked for leave first, which it does not get.)"""
    for value in (headers.get("host"), headers.get("x-forwarded-host", "").partition(",")[0]):
        named = name_and_port(value)
        if named and origin == (named[0], named[1] or _PORTS[scheme]):
            return True
    return False
