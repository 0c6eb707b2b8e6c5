"""What the page's streamed events send, each of them, read from the wire.

Gradio sends the first update of an event whole and each later one as a difference, which its browser side
applies in place, to an object that a slow page may not have read yet. So no update may take a key back that
an earlier one sent, and no streamed event may have an output that a person changes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.ui.scripted_page import Served

ONLY_SHOWN = {"chatbot", "html", "textbox"}
"""Outputs of streamed events; the textbox is that of the endpoint for programs, which no page shows."""

SCRIPTS = ["/say 2000", "some words\n/fail broken", " ", "/kill"]
"""Of answers: one of many updates, one that begins and fails, one that is refused, one whose model dies."""


def config(page: Served) -> dict[str, Any]:
    return dict(httpx.get(f"{page.url}/config").json())


def streamed(page: Served) -> list[dict[str, Any]]:
    return [event for event in config(page)["dependencies"] if event["types"]["generator"]]


def payload(page: Served, event: dict[str, Any], script: str) -> list[Any]:
    components = {component["id"]: component for component in config(page)["components"]}
    inputs = [components[number] for number in event["inputs"]]
    return [
        {"text": script, "files": []} if each["type"] == "multimodaltextbox" else each["props"].get("value")
        for each in inputs
    ]


def updates(page: Served, event: dict[str, Any], script: str) -> Iterator[list[Any]]:
    """The outputs' values at first, then what changes of them: operation, path, value."""
    session = uuid.uuid4().hex
    body = {"data": payload(page, event, script), "fn_index": event["id"], "session_hash": session}
    with httpx.Client(base_url=f"{page.url}/gradio_api", timeout=60) as http:
        http.post("/queue/join", json=body).raise_for_status()
        with http.stream("GET", "/queue/data", params={"session_hash": session}) as lines:
            for line in lines.iter_lines():
                message = json.loads(line.removeprefix("data: ") or "{}")
                if message.get("msg") == "process_generating":
                    yield message["output"]["data"]
                elif message.get("msg") in ("process_completed", "unexpected_error"):
                    return


def check(first: list[Any], later: list[list[Any]]) -> None:
    for value in first:
        assert not (isinstance(value, dict) and "__type__" in value), "an output is only changed in part"
    for changes in later:
        for operation, path, value in [change for output in changes for change in output]:
            assert not (operation == "delete" and isinstance(path[-1], str)), f"{path} is taken back"
            assert not (isinstance(value, dict) and "__type__" in value), f"{path} is only changed in part"


def test_streamed_events_have_no_output_that_a_person_changes(page: Served) -> None:
    types = {component["id"]: component["type"] for component in config(page)["components"]}
    for event in streamed(page):
        assert {types[number] for number in event["outputs"]} <= ONLY_SHOWN


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_update_of_an_answer_takes_anything_back(page: Served, script: str) -> None:
    events = [event for event in streamed(page) if event["inputs"]]
    assert len(events) == 4  # on the page and for programs, in two tabs
    for event in events:
        seen = list(updates(page, event, script))
        if seen:
            check(seen[0], seen[1:])
        assert seen or event["api_visibility"] == "public"  # which is told of a failure as an error


def test_no_update_of_the_status_lines_takes_anything_back(page: Served) -> None:
    [event] = [event for event in streamed(page) if not event["inputs"]]
    following = updates(page, event, "")
    first = next(following)
    assert len(first) == 2
    page.manager.unload("two")
    page.manager.wake("one-1.5b")
    later = [next(following)]
    page.manager.unload("one-1.5b")
    later.append(next(following))
    check(first, later)
    following.close()
