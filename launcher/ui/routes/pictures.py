"""Routes about pictures: those of an uploaded document, and one as a model sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, Request

from launcher.picture_budgets import tokens_of_one_tile
from launcher.ui.document_pictures import DocumentPages, DocumentPictures, told_of
from launcher.ui.handlers import ChatHandlers
from launcher.ui.routes.requests import LookedAt, UploadedDocument
from launcher.ui.seen_pictures import Seen, SeenPictures
from launcher.ui.texts import Language, language_of


def add_picture_routes(
    router: APIRouter, tab_of: Callable[[str | None], ChatHandlers], documents: DocumentPictures
) -> None:
    """Adds them; ``tab_of`` finds a tab by its name, or any, and raises RequestError where there is none."""
    drawn = SeenPictures()

    @router.post("/pages", response_model=None)
    async def pages_of(request: Request, asked: UploadedDocument) -> DocumentPages:
        """The pictures of an uploaded document or video."""
        chat = tab_of(asked.tab)
        path = chat.uploaded(Path(asked.path))
        tokens_each = tokens_of_one_tile(chat.budget) if asked.tab else None
        return told_of(path.name, await documents.open(path), tokens_each, language_in(request))

    @router.post("/seen", response_model=None)
    async def seen(request: Request, asked: LookedAt) -> Seen:
        """A picture as the tab's model sees it."""
        chat = tab_of(asked.tab)
        path = chat.uploaded(Path(asked.path))
        return await drawn.draw(path, chat.budget, one_tile=asked.one_tile, language=language_in(request))


def language_in(request: Request) -> Language:
    """The reader's."""
    return language_of(request.headers.get("accept-language"))
