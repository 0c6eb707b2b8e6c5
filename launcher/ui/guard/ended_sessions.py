"""Notices that a session has ended: stops what it had asked for, and lets go of what Gradio keeps for it.

Gradio notices that a reader of events is gone only when an answer's next update comes; a model that loads,
or thinks, sends none. Of a session that has ended it keeps the queue of messages, read or not, the list of
events and the state: the first for the last 2,000 sessions, the second for all.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from gradio.queueing import Queue
from starlette.requests import Request

from launcher.ui.guard.lean_sessions import LeanSessions
from launcher.ui.headers import App, Message, Receive, Scope, Send

_HEARTBEAT = "/gradio_api/heartbeat/"
_EVENTS = "/gradio_api/queue/data"
_CALLS = "/gradio_api/call/"

UNREAD_S = 60.0
"""An answer that nobody has begun to read so long after its end is forgotten."""

_SWEEP_EVERY_S = 10.0


class EndedSessions:
    """Watches the streams that sessions read: a page's heartbeat, and events. ``left`` is told of each
    session that went away before the end of its events; requests pass through untouched."""

    def __init__(
        self,
        app: App,
        queue: Queue,
        sessions: LeanSessions,
        left: Callable[[str], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._queue, self._sessions, self._clock_s = app, queue, sessions, clock_s
        self._left = left
        self._reading: Counter[str] = Counter()
        self._idle_since_s: dict[str, float] = {}
        self._swept_at_s = clock_s()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        session = self._session_of(scope) if scope["type"] == "http" and scope["method"] == "GET" else ""
        is_whole = False

        async def send_watched(message: Message) -> None:
            nonlocal is_whole
            is_whole = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        self._reading[session] += 1
        try:
            await self._app(scope, receive, send_watched)
        finally:
            if session and scope["path"] == _EVENTS and not is_whole:
                self._left(session)
            self._reading[session] -= 1
            if not self._reading[session]:
                del self._reading[session]
                self._forget_if_done(session)
            self._sweep()

    def _session_of(self, scope: Scope) -> str:
        path = scope["path"]
        if path.startswith(_HEARTBEAT):
            return str(path.removeprefix(_HEARTBEAT))
        if path == _EVENTS:
            return str(Request(scope).query_params.get("session_hash", ""))
        if path.startswith(_CALLS):
            return self._session_of_event(path.rpartition("/")[2])
        return ""

    def _session_of_event(self, event: str) -> str:
        if known := self._queue.event_ids_to_events.get(event):
            return str(known.session_hash)
        pending = self._queue.pending_event_ids_session.items()
        return next((session for session, events in pending if event in events), "")

    def _forget_if_done(self, session: str) -> None:
        """Where it reads nothing any more, and nothing is on its way to it."""
        if session and not self._queue.pending_event_ids_session.get(session):
            self._forget(session)

    def _forget(self, session: str) -> None:
        self._queue.pending_event_ids_session.pop(session, None)
        self._queue.pending_messages_per_session.pop(session, None)
        self._sessions.forget(session)
        self._idle_since_s.pop(session, None)

    def _sweep(self) -> None:
        """Forgets sessions whose events have ended, and which nobody has come to read."""
        now_s = self._clock_s()
        if now_s < self._swept_at_s + _SWEEP_EVERY_S:
            return
        self._swept_at_s = now_s
        under_way = {event.session_hash for event in self._queue.event_ids_to_events.values()}
        idle = set(self._queue.pending_event_ids_session) - under_way - set(self._reading)
        self._idle_since_s = {session: self._idle_since_s.get(session, now_s) for session in idle}
        for session, since_s in list(self._idle_since_s.items()):
            if now_s >= since_s + UNREAD_S:
                self._forget(session)
