"""Which addresses a stranger may have fetched. A request of this machine reaches what its sender may not: the
machine's own services, those of its network, a cloud's service of secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.commands_here import command
from launcher.errors import PictureError
from launcher.linked_pictures.shown import shown_address

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Leave:
    """What may be fetched.

    Args:
        outside: from every host outside this machine and its network.
        hosts: from these, wherever they are: names or addresses in lower case, and the one port, or None for
            any.
    """

    outside: bool = True
    hosts: tuple[tuple[str, int | None], ...] = ()

    def check(self, url: httpx.URL, addresses: Sequence[str]) -> None:
        """Does nothing where the URL may be fetched.

        Args:
            url: what is about to be asked for, be it what was given or where that has led.
            addresses: what its host means, all of them; none where that is not known here.

        Raises:
            PictureError: it may not.
        """
        if self._names(url):
            return
        if not self.outside:
            raise PictureError(
                "{address} is not fetched: pictures come from {hosts} alone",
                "Send the picture itself: data:image/png;base64,…",
                address=shown_address(str(url)),
                hosts=", ".join(_typed(*each) for each in self.hosts),
            )
        if _is_inside(url, addresses):
            raise PictureError(
                "{address} is not fetched: it is in the network of the machine that runs the launcher",
                "Send the picture itself: data:image/png;base64,… Or start the launcher with: {command}",
                address=shown_address(str(url)),
                command=command("serve", "--allow-url-from", url.host),
            )

    def _names(self, url: httpx.URL) -> bool:
        port = url.port or {"http": 80, "https": 443}.get(url.scheme)
        host = url.host.rstrip(".")
        return any(host == name and wanted in (None, port) for name, wanted in self.hosts)


def _is_inside(url: httpx.URL, addresses: Sequence[str]) -> bool:
    """Whether any of what the host means is this machine or in a network that is not public."""
    from launcher.downloads.redirects import is_private  # imports httpx, which serve's start can do without

    if url.host.rstrip(".") == "localhost":
        return True
    return any(map(is_private, addresses or (url.host,)))


def _typed(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"
