"""Documents and videos that were uploaded to the page become pictures, which lie where uploads do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from launcher.documents import Opened, open_document
from launcher.errors import EngineError, RequestError
from launcher.ui.gradio_import import gr
from launcher.ui.texts import Language, say

MOST_WAITING = 8
"""Documents at once, on all pages together: each may take seconds, and one is read at a time."""

_TOLD = {
    False: "{name}: {taken} of {count} pages, as pictures of one tile each",
    True: "{name}: {taken} of {count} frames, as pictures of one tile each",
}
_TOLD_OF_ONE = {
    False: "{name}: its only page, as a picture of one tile",
    True: "{name}: its only frame, as a picture of one tile",
}


class DocumentPages(TypedDict):
    """What the page is told: the pictures' paths, what they are of, and the tokens of each, where the tab's
    model says that."""

    pictures: list[str]
    told: str
    tokens_each: int | None


@dataclass
class DocumentPictures:
    """Opens documents, one at a time.

    Args:
        folder: where uploads lie.
        remember: told of each picture, so that it is deleted as uploads are.
    """

    folder: str
    remember: Callable[[str], object]
    _waiting: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self, path: Path) -> Opened:
        """The pictures of an uploaded document.

        Raises:
            PictureError: it cannot be shown.
            RequestError: too many others wait.
            EngineError: there is no room for its pictures.
        """
        if self._waiting >= MOST_WAITING:
            raise RequestError(
                "Too many documents and videos are being read.", hint="Wait a moment, and add it again."
            )
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(open_document, path, self._store)
        except OSError as error:
            raise EngineError(
                "The server could not store the picture: {reason}",
                "Your question is still here; send the picture again.",
                reason=error.strerror or "",
            ) from error
        finally:
            self._waiting -= 1

    def _store(self, name: str, content: bytes) -> Path:
        path = gr.processing_utils.save_bytes_to_cache(content, name, self.folder)
        self.remember(path)
        return Path(path)


def told_of(name: str, opened: Opened, tokens_each: int | None, language: Language) -> DocumentPages:
    """The answer for the page."""
    template = (_TOLD_OF_ONE if opened.count == 1 else _TOLD)[opened.is_video]
    values = {"name": name, "taken": len(opened.pictures), "count": f"{opened.count:,}"}
    told = say(template, language, values)
    return {"pictures": [str(path) for path in opened.pictures], "told": told, "tokens_each": tokens_each}
