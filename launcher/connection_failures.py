"""What went wrong on the way to a server -> our own words for it, which the page says in the reader's
language, with the HTTP library's behind them as a detail."""

from __future__ import annotations

import httpx

from launcher.errors import Remark

CUT_OFF = "the connection was cut off"
FAILED = "the connection failed"

KINDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ProxyError, "the proxy does not pass the request on"),
    (httpx.ConnectTimeout, "no connection was made in time"),
    (httpx.ConnectError, "no connection can be made"),
    (httpx.TimeoutException, "nothing came for too long"),
    (httpx.NetworkError, CUT_OFF),
    (httpx.RemoteProtocolError, CUT_OFF),
    (httpx.TooManyRedirects, "it leads on too many times"),
    (httpx.InvalidURL, "it is not an address that can be asked"),
    (httpx.UnsupportedProtocol, "it is not an address that can be asked"),
)
"""Kind of error -> what happened; the first that fits. Keys of the page's translations."""

WITH_DETAIL = "{what} ({detail})"
MOST_SAID = 300
"""Characters of a server's own sentence that are shown."""


def what_happened(error: Exception) -> Remark:
    """Never without words of ours; some of httpx's errors say nothing but their names."""
    what = next((words for kind, words in KINDS if isinstance(error, kind)), FAILED)
    detail = one_line(str(error)) or type(error).__name__  # a proxy's own sentence may stand in it
    return Remark(WITH_DETAIL, (("what", what), ("detail", detail)))


def one_line(text: str) -> str:
    """What came from a server as it may be shown: in one line, printable, not too long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= MOST_SAID else f"{line[: MOST_SAID - 1]}…"
