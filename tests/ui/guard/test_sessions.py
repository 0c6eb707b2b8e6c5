"""What is kept of sessions that have ended, counted in live objects: nothing of a program's question, next to
nothing of a page. (Before there was a guard, each of them left 0.2 MB.)"""

from __future__ import annotations

import asyncio
import gc
import uuid
from collections import Counter
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.queueing import Event, Queue
from gradio.state_holder import SessionState

from launcher.ui.guard import ended_sessions
from launcher.ui.guard.ended_sessions import EndedSessions
from launcher.ui.guard.lean_sessions import SESSIONS_KEPT, LeanSessions
from launcher.ui.headers import Receive, Scope, Send
from tests.ui.guard.asgi import exchange, scope_of
from tests.ui.scripted_page import Served

QUESTIONS, PAGES = 100, 50
"""docs/measurements.md has 1,000 and 500."""

NOISE = 1000
"""More objects, whatever happens between two looks: logs, caches, threads."""

OF_A_PAGE = 300
"""Objects that a page leaves: of its session, of which the last few hundred are kept, and of an event that
has not noticed yet that the page is gone. It was 640."""

API = "/gradio_api"


def live() -> Counter[type]:
    """How many objects there are, and how many of those that a session is made of."""
    gc.collect()
    found: Counter[type] = Counter()
    for each in gc.get_objects():
        found[object] += 1
        for kind in (SessionState, Event, asyncio.Queue):
            found[kind] += issubclass(type(each), kind)  # asks the object itself nothing: some warn
    return found


def question(http: httpx.Client) -> None:
    body = {"data": [{"text": "seen", "files": []}, "", 16, 0, 1, 0, 1, -1]}
    event = http.post(f"{API}/call/chat_two", json=body).json()["event_id"]
    assert "seen" in http.get(f"{API}/call/chat_two/{event}").text


def visit(http: httpx.Client, loading: list[dict[str, Any]]) -> None:
    """The events that a page begins with, and its end before theirs."""
    session, has_stream = uuid.uuid4().hex, False
    for event in loading:
        body = {"data": [None] * len(event["inputs"]), "fn_index": event["id"], "session_hash": session}
        queued = event["queue"] is not False
        answer = http.post(f"{API}/queue/join" if queued else f"{API}/run/predict", json=body)
        assert answer.status_code == 200, answer.text
        has_stream |= queued
    if has_stream:
        with http.stream("GET", f"{API}/queue/data", params={"session_hash": session}) as stream:
            next(stream.iter_lines())


@pytest.mark.parametrize("what", ["questions", "pages"])
def test_what_ended_leaves_nothing(page: Served, what: str) -> None:
    with httpx.Client(base_url=page.url, timeout=60, trust_env=False) as http:
        config = http.get("/config").json()
        loading = [
            event
            for event in config["dependencies"]
            if any(name == "load" for _, name in event["targets"]) and event["backend_fn"]
        ]
        assert loading or what == "questions"

        def repeat(times: int) -> None:
            for _ in range(times):
                question(http) if what == "questions" else visit(http, loading)

        repeat(20)
        before = live()
        repeat(QUESTIONS if what == "questions" else PAGES)
        after = live()
    grown = {kind.__name__: after[kind] - before[kind] for kind in after}
    if what == "pages":
        assert grown["object"] < NOISE + OF_A_PAGE * PAGES, grown
        return
    assert grown["object"] < NOISE, grown
    assert max(grown["SessionState"], grown["Event"], grown["Queue"]) <= 2, grown


@pytest.fixture
def blocks() -> gr.Blocks:
    async def built() -> gr.Blocks:
        with gr.Blocks(analytics_enabled=False) as blocks:
            box = gr.Textbox()
            box.submit(lambda text: text, box, box)
        return blocks

    return asyncio.run(built())


def test_sessions_have_components_of_their_own(blocks: gr.Blocks) -> None:
    sessions = LeanSessions(blocks)
    [box] = [number for number, block in blocks.blocks.items() if isinstance(block, gr.Textbox)]
    changed = gr.Textbox("theirs", render=False)
    sessions["a"][box] = changed
    assert sessions["a"][box] is changed
    assert sessions["b"][box] is blocks.blocks[box]
    assert not sessions["a"].config_values


def test_the_oldest_sessions_go_and_a_forgotten_one_is_a_new_one(blocks: gr.Blocks) -> None:
    sessions = LeanSessions(blocks)
    for number in range(SESSIONS_KEPT + 10):
        assert sessions[str(number)] is sessions[str(number)]
    assert len(sessions.session_data) == len(sessions.time_last_used) == SESSIONS_KEPT
    assert "9" not in sessions
    sessions.forget("20")
    sessions.forget("never seen")
    assert "20" not in sessions


def test_no_component_of_the_page_has_a_state_to_lose(page: Served) -> None:
    config = httpx.get(f"{page.url}/config").json()
    assert "state" not in {component["type"] for component in config["components"]}


class Pending:
    """As much of a queue as keeps something for a session."""

    def __init__(self) -> None:
        self.event_ids_to_events: dict[str, Any] = {}
        self.pending_event_ids_session: dict[str, set[str]] = {}
        self.pending_messages_per_session: dict[str, str] = {}

    def ask(self, session: str, event: str) -> None:
        self.event_ids_to_events[event] = type("Asked", (), {"session_hash": session})
        self.pending_event_ids_session.setdefault(session, set()).add(event)
        self.pending_messages_per_session[session] = "messages"

    def sessions(self) -> set[str]:
        assert self.pending_event_ids_session.keys() == self.pending_messages_per_session.keys()
        return set(self.pending_event_ids_session)


def nobody_is_told(session: str) -> None:
    pytest.fail(f"{session} has not left")


async def test_an_answer_that_nobody_reads_is_forgotten_after_a_while(blocks: gr.Blocks) -> None:
    now_s, queue, sessions = 0.0, Pending(), LeanSessions(blocks)

    async def app(*_: object) -> None:
        pass

    guard = EndedSessions(app, queue, sessions, nobody_is_told, lambda: now_s)  # type: ignore[arg-type]
    for session in ("unread", "running"):
        queue.ask(session, f"{session}'s")
        assert sessions[session]
    del queue.event_ids_to_events["unread's"]  # it has ended
    for _ in range(2):
        assert queue.sessions() == {"unread", "running"}
        now_s += ended_sessions.UNREAD_S
        await exchange(guard, scope_of())
    assert queue.sessions() == {"running"}
    assert "unread" not in sessions
    assert "running" in sessions


@pytest.mark.parametrize(
    "path", [f"{API}/queue/data", f"{API}/call/chat_two/event", f"{API}/call/v2/chat_two/event"]
)
async def test_what_was_read_to_its_end_is_forgotten_at_once(blocks: gr.Blocks, path: str) -> None:
    queue, sessions = Pending(), LeanSessions(blocks)
    queue.ask("one", "event")
    assert sessions["one"]

    async def app(*_: object) -> None:
        queue.pending_event_ids_session["one"].discard("event")

    guard = EndedSessions(app, queue, sessions, [].append)  # type: ignore[arg-type]
    scope = {**scope_of(path), "query_string": b"session_hash=one"}
    queue.ask("one", "another")
    await exchange(guard, scope)
    assert queue.sessions() == {"one"}
    queue.pending_event_ids_session["one"].discard("another")
    queue.pending_event_ids_session["one"].add("event")
    await exchange(guard, scope)
    assert not queue.sessions()
    assert "one" not in sessions


async def test_a_page_whose_heartbeat_ends_is_forgotten(blocks: gr.Blocks) -> None:
    sessions = LeanSessions(blocks)
    assert sessions["one"]

    async def app(*_: object) -> None:
        pass

    queue: Queue = Pending()  # type: ignore[assignment]
    await exchange(EndedSessions(app, queue, sessions, nobody_is_told), scope_of(f"{API}/heartbeat/one"))
    assert "one" not in sessions


@pytest.mark.parametrize("is_cut", [True, False])
async def test_who_leaves_before_the_end_of_the_events_is_told_of(blocks: gr.Blocks, is_cut: bool) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"an event", "more_body": True})
        if not is_cut:
            await send({"type": "http.response.body", "body": b""})

    left: list[str] = []
    queue: Queue = Pending()  # type: ignore[assignment]
    guard = EndedSessions(app, queue, LeanSessions(blocks), left.append)
    await exchange(guard, {**scope_of(f"{API}/queue/data"), "query_string": b"session_hash=one"})
    assert left == (["one"] if is_cut else [])
    await exchange(guard, scope_of("/launcher/status"))
    assert left == (["one"] if is_cut else [])


def test_a_program_that_leaves_the_queue_frees_a_silent_model(page: Served) -> None:
    def running(wanted: int) -> None:
        version = 0
        while sum(status.running for status in page.manager.statuses()) != wanted:
            version = page.manager.wait_for_change(version, timeout_s=60)

    with httpx.Client(base_url=page.url, timeout=60, trust_env=False) as http:
        calls = http.get("/config").json()["dependencies"]
        number = next(each["id"] for each in calls if each["api_name"] == "chat_two")
        data = [{"text": "/stall", "files": []}, "", 16, 0, 1, 0, 1, -1]
        asked = {"data": data, "fn_index": number, "session_hash": "leaver"}
        http.post(f"{API}/queue/join", json=asked).raise_for_status()
        with http.stream("GET", f"{API}/queue/data", params={"session_hash": "leaver"}):
            running(1)
        running(0)
