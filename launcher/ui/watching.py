"""Follows all models of a page while something happens: which status lines changed, when they did. Knows no
Gradio.

A page that nothing happens to costs one waiting coroutine: no thread, no request, and an empty update each
HEARTBEAT_S. After QUIET_LIMIT_S it ends: a page that is seen begins again, one that is not must not keep one
of the six connections that a browser has to a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from launcher.ui import status_line
from launcher.ui.texts import Language
from launcher.workers.manager import Manager
from launcher.workers.states import ModelState

HEARTBEAT_S = 15.0
"""A page that was closed is noticed at the next update, so there is one now and then, though nothing
changed."""

QUIET_LIMIT_S = 60.0
"""Without a change for that long, the watch ends."""

REST_S = 0.5
"""Between two looks: many questions change something many times a second, and a reader sees no more than
this."""

_TICK_S = 0.5
"""After the rest, while a line counts seconds."""

_COUNTING = (ModelState.WAITING, ModelState.LOADING)


async def watch(
    manager: Manager, language: Language, quiet_limit_s: float = QUIET_LIMIT_S
) -> AsyncGenerator[dict[str, str], None]:
    """Model -> status line as HTML: all at first, then those that changed; ends ``quiet_limit_s`` after the
    last change."""
    shown: dict[str, str] = {}
    version, heartbeat_at_s = -1, 0.0
    clock_s = asyncio.get_running_loop().time
    quiet_at_s = clock_s() + quiet_limit_s
    counting = False
    while clock_s() < quiet_at_s:
        version = await manager.changed(version, _TICK_S if counting else min(HEARTBEAT_S, quiet_limit_s))
        statuses, uses = manager.statuses(), manager.device_uses()
        counting = any(status.state in _COUNTING for status in statuses)
        lines = {status.name: status_line.render(status, language, uses) for status in statuses}
        changed = {name: line for name, line in lines.items() if shown.get(name) != line}
        if changed:
            quiet_at_s = clock_s() + quiet_limit_s
        if changed or clock_s() >= heartbeat_at_s:
            shown, heartbeat_at_s = lines, clock_s() + HEARTBEAT_S
            yield changed
        await asyncio.sleep(REST_S)
