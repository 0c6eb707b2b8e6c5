"""The routes as the page uses them, and as nobody should."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.documents import Opened
from launcher.errors import RequestError
from launcher.ui.document_pictures import MOST_WAITING, DocumentPictures, told_of
from launcher.ui.guard import waiting_events
from launcher.ui.texts import Language
from tests.documents.made import pdf
from tests.test_settings import ANY_JSON
from tests.ui.asked import OPTIONS, asked, one_tile_of, talking
from tests.ui.scripted_page import Served

SYSTEM = "Be kind."
PAGE = "page567890"


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with talking(tmp_path_factory.mktemp("page"), SYSTEM) as page:
        yield page


def post(served: Served, route: str, language: str = "en", **values: Any) -> httpx.Response:
    return httpx.post(
        f"{served.url}/launcher/{route}",
        content=json.dumps(values).encode("utf-8", "surrogatepass"),
        headers={"content-type": "application/json", "accept-language": language},
        timeout=60,
    )


def question(text: str, *pictures: str, **values: Any) -> dict[str, Any]:
    turn = {"tab": "talker", "page": PAGE, "turn": uuid.uuid4().int >> 96}
    return {**turn, "question": {"text": text, "pictures": pictures}, **values}


def updates(served: Served, *asked: Any, **values: Any) -> list[dict[str, Any]]:
    answer = post(served, "ask", **question(*asked, **values)).raise_for_status()
    return [json.loads(line) for line in answer.text.splitlines()]


def uploaded(served: Served, name: str = "a.png") -> str:
    answer = httpx.post(f"{served.url}/gradio_api/upload", files={"files": (name, PNG)}, timeout=60)
    (path,) = answer.raise_for_status().json()
    return str(path)


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def document(served: Served, path: Path) -> str:
    answer = httpx.post(
        f"{served.url}/gradio_api/upload", files={"files": (path.name, path.read_bytes())}, timeout=60
    )
    (found,) = answer.raise_for_status().json()
    return str(found)


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "a.pdf: 2 of 2 pages, as pictures of one tile each"),
        ("zh", "a.pdf：共 2 页，取 2 页作为图片，每张占一个图块"),
    ],
)
def test_a_documents_pages_are_pictures_that_can_be_asked_about(
    talker: Served, tmp_path: Path, language: str, told: str
) -> None:
    path = document(talker, pdf(tmp_path / "a.pdf", 2))
    found = post(talker, "pages", language, page=PAGE, tab="talker", path=path).raise_for_status().json()
    assert (found["told"], found["tokens_each"]) == (told, None)
    for page in found["pictures"]:
        served = httpx.get(f"{talker.url}/gradio_api/file={page}").raise_for_status()
        assert served.headers["content-type"] == "image/png"
    asked_about = {"text": "/asked", "pictures": found["pictures"], "one_tile": found["pictures"][1:]}
    *_, last = updates(talker, "", question=asked_about)
    assert one_tile_of(last["answer"]) == ["a-2.png"]


@pytest.mark.parametrize(
    ("is_video", "language", "told"),
    [
        (False, "en", "a: its only page, as a picture of one tile"),
        (True, "en", "a: its only frame, as a picture of one tile"),
        (False, "zh", "a：仅有的一页作为图片，占一个图块"),
        (True, "zh", "a：仅有的一帧作为图片，占一个图块"),
    ],
)
def test_one_page_is_no_plural(is_video: bool, language: Language, told: str) -> None:
    assert told_of("a", Opened((Path("a-1.png"),), 1, is_video), None, language)["told"] == told


def test_no_other_file_is_a_document(talker: Served, tmp_path: Path) -> None:
    foreign = pdf(tmp_path / "a.pdf", 1)
    refused = post(talker, "pages", page=PAGE, tab="talker", path=str(foreign))
    assert (refused.status_code, "is not a picture that was uploaded here" in refused.text) == (400, True)
    refused = post(talker, "pages", page=PAGE, tab="talker", path=uploaded(talker))
    assert (refused.status_code, "is not a document or a video" in refused.text) == (400, True)


def test_a_picture_is_shown_as_its_model_sees_it_if_it_says(talker: Served, tmp_path: Path) -> None:
    asked_for = {"page": PAGE, "tab": "talker", "path": uploaded(talker)}
    found = post(talker, "seen", **asked_for).raise_for_status().json()
    assert found == {"picture": None, "told": "This model does not say how it looks at pictures."}
    refused = post(talker, "seen", **{**asked_for, "path": str(pdf(tmp_path / "a.pdf", 1))})
    assert refused.status_code == 400


async def test_only_so_many_documents_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, end = threading.Event(), threading.Event()

    def slow(path: Path, _store: Any) -> Opened:
        begun.set()
        end.wait()
        return Opened((path,), 1, is_video=False)

    monkeypatch.setattr("launcher.ui.document_pictures.open_document", slow)
    documents = DocumentPictures(str(tmp_path), remember=print)
    waiting = [asyncio.create_task(documents.open(tmp_path)) for _ in range(MOST_WAITING)]
    await asyncio.to_thread(begun.wait)
    with pytest.raises(RequestError, match="Too many documents"):
        await documents.open(tmp_path)
    end.set()
    assert len(await asyncio.gather(*waiting)) == MOST_WAITING
    await documents.open(tmp_path)


def test_an_answer_is_lines_that_begin_with_the_question_and_end_with_the_whole(talker: Served) -> None:
    first, *grown, last = updates(talker, "one <two> three")
    assert list(first) == ["question"]
    assert all(list(update) == ["keep", "add"] for update in grown)
    assert list(last) == ["answer", "shown", "boxes", "cost"]
    assert last["answer"] == "one <two> three "


def test_a_conversation_reaches_the_engine(talker: Served) -> None:
    picture = uploaded(talker)
    history = [{"question": {"text": "first \ud83e\udd8a", "pictures": [picture]}, "answer": "yes\n"}]
    [*_, last] = updates(talker, "/asked", history=history, settings={"temperature": 1, "seed": 7})
    found = asked(last["answer"])
    assert found["messages"] == [
        ("system", SYSTEM),
        ("user", "first 🦊", "a.png"),
        ("assistant", "yes\n"),
        ("user", "/asked"),
    ]
    assert found["options"] == {**OPTIONS, "temperature": 1.0, "seed": 7}


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "http://127.0.0.1/a.png", "../a.png", "{folder}/../../etc/passwd", "{folder}", ""]
)
@pytest.mark.parametrize("where", ["question", "history"])
def test_a_picture_that_was_not_uploaded_is_refused(talker: Served, path: str, where: str) -> None:
    forged = path.format(folder=Path(uploaded(talker)).parent.parent)
    if where == "question":
        [last] = updates(talker, "q", forged)
    else:
        history = [{"question": {"text": "q", "pictures": [forged]}, "answer": "a"}]
        [last] = updates(talker, "q", history=history)
    assert "was not uploaded to this page." in last["trouble"]


def test_what_is_wrong_is_told_in_the_readers_language(talker: Served) -> None:
    answer = post(talker, "ask", "zh-CN", **question("q", tab="no such"))
    assert answer.status_code == 400
    assert answer.text.startswith("没有名为 no such 的标签页。")
    answer = post(talker, "ask", **question("q", turn="first"))
    assert answer.status_code == 400
    assert answer.text.startswith("The request cannot be read: body.turn cannot be first.")


@pytest.mark.parametrize("route", ["ask", "stop", "show", "unload", "cover", "leave"])
@pytest.mark.parametrize("page", ["", "short", "a" * 65, "with a space", "../../etc", "line\nfeed", None, 7])
def test_a_page_has_a_name_of_a_known_form(talker: Served, route: str, page: object) -> None:
    values = {**question("q"), "page": page}
    assert post(talker, route, **values).status_code == 400


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from(["ask", "stop", "show", "unload", "cover", "leave"]),
    key=st.sampled_from(["tab", "page", "turn", "question", "history", "settings", "by_itself", "other"]),
    value=ANY_JSON,
)
def test_no_json_value_is_an_error_without_a_word(
    talker: Served, route: str, key: str, value: object
) -> None:
    answer = post(talker, route, **{**question("q"), key: value})
    assert answer.status_code in (200, 204, 400)
    assert answer.status_code != 400 or answer.text


def test_nobody_else_stops_an_answer(talker: Served) -> None:
    asked = question("some words\n/stall")
    stop = {"tab": "talker", "page": PAGE, "turn": asked["turn"]}
    with httpx.stream("POST", f"{talker.url}/launcher/ask", json=asked, timeout=60) as answer:
        lines = answer.iter_lines()
        while not next(lines).startswith('{"keep"'):
            pass
        post(talker, "stop", **{**stop, "page": "somebody01"}).raise_for_status()
        post(talker, "leave", page="somebody01").raise_for_status()
        assert talker.manager._open
        post(talker, "stop", **stop).raise_for_status()
        *_, last = lines
    assert json.loads(last)["answer"] == "some words "
    assert not talker.manager._open


def test_the_reader_of_an_answer_that_is_silent_can_leave(talker: Served) -> None:
    with httpx.stream("POST", f"{talker.url}/launcher/ask", json=question("/stall"), timeout=60) as answer:
        lines = answer.iter_lines()  # kept: httpx closes the answer with it
        next(lines)
        assert talker.manager._open
    version = 0
    while talker.manager._open:
        version = talker.manager.wait_for_change(version, timeout_s=20)


def test_status_lines_follow_the_models(talker: Served) -> None:
    talker.manager.ensure_ready("talker")
    url = f"{talker.url}/launcher/status"
    with httpx.stream(
        "GET", url, params={"page": PAGE}, headers={"accept-language": "zh"}, timeout=60
    ) as said:
        assert said.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in said.iter_lines() if line.startswith("data:"))
        assert "就绪" in next(lines)
        post(talker, "unload", page=PAGE, tab="talker").raise_for_status()
        while "休眠" not in next(lines):
            pass
        post(talker, "show", page=PAGE, tab="talker").raise_for_status()
        while "就绪" not in next(lines):
            pass


def test_a_programs_parameters_by_name(talker: Served) -> None:
    with httpx.Client(base_url=f"{talker.url}/gradio_api/call/v2/chat_talker", timeout=60) as http:
        event = http.post("", json={"message": {"text": "/asked", "files": []}, "seed": 5}).json()["event_id"]
        answer = http.get(f"/{event}").raise_for_status()
        assert answer.headers["content-type"].startswith("text/event-stream")
        refused = http.post("", json={"colour": "red"})
    kind, data = answer.text.strip().split("\n\n")[-1].split("\n")
    assert kind == "event: complete"
    assert asked(json.loads(data.removeprefix("data: "))[0])["options"] == {**OPTIONS, "seed": 5}
    assert refused.status_code == 400
    assert "has no parameter colour" in refused.json()["error"]


def test_programs_questions_that_nobody_reads_are_bounded(
    talker: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And their answers can still be read, which makes room for the next."""
    hello = {"message": {"text": "/asked", "files": []}}
    monkeypatch.setattr(waiting_events, "IN_ALL", 3)
    with httpx.Client(base_url=f"{talker.url}/gradio_api/call/v2/chat_talker", timeout=60) as http:
        said = [http.post("", json=hello) for _ in range(4)]
        assert [each.status_code for each in said] == [200, 200, 200, 429]
        assert said[-1].json()["error"].startswith("Too many questions are being answered: 3")
        for each in said[:3]:
            assert "complete" in http.get(f"/{each.json()['event_id']}").raise_for_status().text
        assert http.post("", json=hello).status_code == 200
