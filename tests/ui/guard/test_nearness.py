"""Who may begin a download where no password is asked for: this machine alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from launcher.door import Credentials, Door
from launcher.ui.guard.nearness import Nearness
from tests.ui.guard.asgi import Inner, exchange, scope_of
from tests.ui.scripted_page import Served, scripted, served

FETCHES = ("/launcher/fetch", "/launcher/fetch/cancel", "/launcher/fetch/")


@pytest.mark.parametrize("path", FETCHES)
@pytest.mark.parametrize("far", ["address", b"forwarded", b"x-forwarded-for", b"x-forwarded-host"])
async def test_nobody_far_away(path: str, far: str | bytes) -> None:
    inner, scope = Inner(), scope_of(path, "POST")
    if isinstance(far, bytes):
        scope["headers"] = [*scope["headers"], (far, b"127.0.0.1")]
    else:
        scope["client"] = ("192.0.2.1", 4000)
    [start, body] = await exchange(Nearness(inner), scope)
    assert start["status"] == 403
    assert body["body"].startswith(b"Without a password models are downloaded from this machine alone")
    assert not inner.seen


async def test_this_machine_and_whatever_else_there_is() -> None:
    inner, far = Inner(), scope_of("/launcher/fetched", "POST")
    far["client"] = ("192.0.2.1", 4000)
    await exchange(Nearness(inner), far)
    await exchange(Nearness(inner), scope_of(FETCHES[0], "POST"))
    assert len(inner.seen) == 2


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        door = Door(credentials=Credentials("ada", "geheim"))
        with served([scripted("one", folder)], folder, door=door, downloads=True) as page:
            yield page


@pytest.mark.parametrize("path", FETCHES[:2])
def test_behind_every_check_of_the_others(locked: Served, path: str) -> None:
    asked = {"page": "some0page", "tab": "one"}
    with httpx.Client(base_url=locked.url, trust_env=False, timeout=60) as http:
        assert http.post(path, json=asked).status_code == 401
        http.auth = ("ada", "geheim")
        for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert http.post(path, json=asked, headers=headers).status_code == 403
        assert http.post(path, json=asked, headers={"Host": "rebound.example"}).status_code == 421
        assert http.post(path, json={**asked, "hub": "elsewhere.example"}).status_code == 400
        refused = http.post(path, json=asked, headers={"X-Forwarded-For": "192.0.2.1"})
        assert (refused.status_code, refused.text.splitlines()[0]) == (
            400,
            "There is nothing to download for one.",
        )


def test_a_page_that_offers_none_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    with served([scripted("one", tmp_path)], tmp_path) as page:
        asked = {"page": "some0page", "tab": "one"}
        refused = httpx.post(f"{page.url}/launcher/fetch", json=asked, trust_env=False, timeout=60)
    assert (refused.status_code, refused.text.splitlines()[0]) == (400, "This page downloads no models.")
