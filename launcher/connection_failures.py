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
_MOST_DETAIL = 300
"""Characters: a proxy's own sentence may stand in the detail."""


def what_happened(error: Exception) -> Remark:
    """Never without words of ours; some of httpx's errors say nothing but their names."""
    what = next((words for kind, words in KINDS if isinstance(error, kind)), FAILED)
    detail = " ".join(str(error).split())[:_MOST_DETAIL] or type(error).__name__
    return Remark(WITH_DETAIL, (("what", what), ("detail", detail)))
