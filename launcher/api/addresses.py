"""The pictures that a request gives by their address, fetched where that is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from launcher.api.pictures import MOST_PICTURES
from launcher.api.requests import ChatBody, ImagePart, picture_field
from launcher.errors import PictureError
from launcher.linked_pictures.leave import Leave
from launcher.linked_pictures.shown import is_web_address
from launcher.presets import Preset

MOST_BYTES = 48_000_000
"""Of all pictures that are fetched for one request: as many as it may bring along itself."""

AT_ONCE = 8
"""Requests whose pictures are fetched at the same time; the others wait."""


class PictureAddresses:
    """Fetches for all requests of an endpoint; ``leave`` says what, None: nothing."""

    def __init__(self, leave: Leave | None) -> None:
        self._leave = leave
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def fetched(self, body: ChatBody, preset: Preset) -> Mapping[str, bytes]:
        """Address -> what lies there, each asked once and one after another; none where nothing may be
        fetched, or the model has no eyes.

        Raises:
            PictureError: one may not or cannot be fetched, or they are too many bytes; ``values["field"]``
                names the place.
            LauncherError: the environment's proxy cannot be used.
        """
        named = {address: field for field, address in _named(body)}
        is_refused = preset.kind == "text" or len(named) > MOST_PICTURES  # without a look at any of them
        if self._leave is None or not named or is_refused:
            return {}
        from launcher.linked_pictures.fetching import fetched

        found: dict[str, bytes] = {}
        async with self._turn:
            for address, field in named.items():
                try:
                    found[address] = await fetched(address, self._leave)
                except PictureError as error:
                    error.values["field"] = field
                    raise
                if sum(map(len, found.values())) > MOST_BYTES:
                    raise PictureError(
                        "The pictures at this request's addresses are larger than {limit_mb:g} MB together",
                        "Begin a new conversation, or send fewer pictures.",
                        limit_mb=MOST_BYTES / 1e6,
                        field=field,
                    )
        return found


def _named(body: ChatBody) -> Iterator[tuple[str, str]]:
    """Where addresses stand, and the addresses."""
    for number, message in enumerate(body.messages):
        for place, part in enumerate(message.content):
            if isinstance(part, ImagePart) and is_web_address(part.image_url.url):
                yield picture_field(number, place), part.image_url.url
