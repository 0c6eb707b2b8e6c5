"""The guard around the page, in its order, behind what ``outside`` puts around all that is served."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gradio.queueing import Queue

from launcher.door import Credentials
from launcher.ui.guard.bodies import Bodies
from launcher.ui.guard.ended_sessions import EndedSessions
from launcher.ui.guard.file_data import FileData, UploadedFiles
from launcher.ui.guard.lean_sessions import LeanSessions
from launcher.ui.guard.login import Login
from launcher.ui.guard.nearness import Nearness
from launcher.ui.guard.rates import address_of
from launcher.ui.guard.routes import Routes
from launcher.ui.guard.served_files import ServedFiles
from launcher.ui.guard.upload_rates import UploadRates
from launcher.ui.guard.upload_tracks import UploadTracks
from launcher.ui.guard.waiting_events import UnderWay, WaitingEvents
from launcher.ui.headers import App


def guarded(
    app: App,
    *,
    credentials: Credentials | None,
    uploads: str,
    queue: Queue,
    sessions: LeanSessions,
    asking: Callable[[], Iterable[str]],
    left: Callable[[str], None],
) -> App:
    """The app behind the page's guard, the first to be asked last.

    Args:
        app: Gradio's routes and ours.
        credentials: what those who come in must know; None lets everyone in.
        uploads: Gradio's folder of uploads.
        queue: Gradio's queue of events.
        sessions: Gradio's sessions.
        asking: the addresses of the programs whose questions have not ended, as often as they have one.
        left: is told of each session that went away before it had all that it asked for.
    """

    def under_way() -> list[UnderWay]:
        events = list(queue.event_ids_to_events.values())
        gradios = [(event.session_hash, address_of(event.request.scope)) for event in events]
        return [*gradios, *(("", address) for address in asking())]

    files = UploadedFiles(uploads)
    app = UploadTracks(app)
    app = EndedSessions(app, queue, sessions, left)
    app = WaitingEvents(app, under_way)
    app = FileData(app, files)
    app = ServedFiles(app, files)
    app = UploadRates(app)
    app = Bodies(app)
    app = Routes(app)
    return Nearness(app) if credentials is None else Login(app, credentials)
