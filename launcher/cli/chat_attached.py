"""Pictures, documents and videos that go with the next question of a chat in the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from launcher.cli.chat_session import ChatSession
from launcher.cli.document_notes import tell_of_documents
from launcher.cli.picture_files import PictureFiles
from launcher.cli.questions import check_takes_pictures
from launcher.readiness import Readiness


@dataclass(frozen=True, slots=True)
class Attached:
    """Adds what a person names to the session."""

    model: Readiness
    session: ChatSession
    files: PictureFiles

    def add(self, name: str) -> None:
        """Says what became of a document.

        Raises:
            RequestError: the model reads text alone.
            PictureError: it cannot be shown.
        """
        check_takes_pictures(self.session.preset)
        known = set(self.files.opened)
        self.session.pictures += self.files.find([name], Path.cwd())
        self.session.one_tile = self.files.one_tile
        new = {path: opened for path, opened in self.files.opened.items() if path not in known}
        tell_of_documents(new, self.model)
