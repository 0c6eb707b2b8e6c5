"""The whole of the guard around the app, in its order."""

from __future__ import annotations

from collections.abc import Callable

from gradio.queueing import Queue

from launcher.door import Credentials
from launcher.ui.guard.bodies import Bodies
from launcher.ui.guard.crowds import Crowds
from launcher.ui.guard.ended_sessions import EndedSessions
from launcher.ui.guard.file_data import FileData, UploadedFiles
from launcher.ui.guard.hosts import AllowedHosts, HostCheck
from launcher.ui.guard.lean_sessions import LeanSessions
from launcher.ui.guard.login import Login
from launcher.ui.guard.origins import OriginCheck
from launcher.ui.guard.rates import address_of
from launcher.ui.guard.routes import Routes
from launcher.ui.guard.served_files import ServedFiles
from launcher.ui.guard.upload_rates import UploadRates
from launcher.ui.guard.upload_tracks import UploadTracks
from launcher.ui.guard.waiting_events import UnderWay, WaitingEvents
from launcher.ui.headers import App, SafeHeaders
from launcher.ui.root_path import WithRootPath


def guarded(
    app: App,
    *,
    hosts: AllowedHosts,
    root_path: str,
    credentials: Credentials | None,
    uploads: str,
    queue: Queue,
    sessions: LeanSessions,
    left: Callable[[str], None],
) -> App:
    """The app behind all of the guard, the first to be asked last.

    Args:
        app: Gradio's routes and ours.
        hosts: the page's names.
        root_path: the path below which a proxy shows the page, or its whole address there.
        credentials: what those who come in must know; None lets everyone in.
        uploads: Gradio's folder of uploads.
        queue: Gradio's queue of events.
        sessions: Gradio's sessions.
        left: is told of each session that went away before it had all that it asked for.
    """

    def under_way() -> list[UnderWay]:
        events = list(queue.event_ids_to_events.values())
        return [(event.session_hash, address_of(event.request.scope)) for event in events]

    files = UploadedFiles(uploads)
    app = UploadTracks(app)
    app = EndedSessions(app, queue, sessions, left)
    app = WaitingEvents(app, under_way)
    app = FileData(app, files)
    app = ServedFiles(app, files)
    app = UploadRates(app)
    app = Bodies(app)
    app = Routes(app)
    app = WithRootPath(app, root_path)
    if credentials is not None:
        app = Login(app, credentials)
    app = OriginCheck(app, root_path)
    app = HostCheck(app, hosts)
    app = Crowds(app)
    return SafeHeaders(app)
