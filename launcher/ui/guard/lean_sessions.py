"""What Gradio keeps of each session, cut down to what the page needs.

Gradio makes a copy of every component's configuration for each session, some 0.23 MB, keeps 10,000 of them,
and every question of a program is a session of its own: 2 GB. The copies serve links to a stored state, which
are closed here (``guard.routes``). What is left of a session are the components that an event has changed for
it; losing them costs nothing, since the page has them and no event reads them.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from gradio.blocks import Blocks
from gradio.state_holder import SessionState, StateHolder

SESSIONS_KEPT = 500
"""The last that were heard of."""


class LeanSession(SessionState):
    """A session without copies of the configuration."""

    def __init__(self, blocks: Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.config_values: dict[int, Any] = {}
        self.state_data: dict[int, Any] = {}
        self._state_ttl: dict[int, Any] = {}
        self.is_closed = False

    def __setitem__(self, key: int, value: Any) -> None:
        """A component that an event has changed. (The page has no ``gr.State``; a test sees to that.)"""
        self.blocks_config.blocks[key] = value

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class LeanSessions(StateHolder):
    """The sessions of one page, SESSIONS_KEPT at most."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        blocks.state_session_capacity = SESSIONS_KEPT
        self.set_blocks(blocks)

    def __getitem__(self, session_id: str) -> SessionState:
        """The session of that name, a new one where it is not known any more."""
        if session_id not in self.session_data:
            self.session_data[session_id] = LeanSession(self.blocks)
        return super().__getitem__(session_id)

    def forget(self, session_id: str) -> None:
        """Lets go of a session that has ended."""
        with self.lock:
            self.session_data.pop(session_id, None)
            self.time_last_used.pop(session_id, None)
