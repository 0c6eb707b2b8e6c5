"""A hub that wants something else than to give a model: it is led nowhere, written nowhere and believed
nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from launcher.downloads import Source, find_repository, names, new_client
from launcher.downloads.hubs import RemoteFile, Repository
from launcher.downloads.selection import needed_files
from launcher.errors import CheckpointError

SOURCE = Source("modelscope", "org/model", again="launcher pull model")
PUBLIC = "https://9.9.9.9"
"""Nobody is asked there: the transport is played."""

Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler, str], list[str]]:
    """Asks a hub at the address whose every answer is the handler's; returns the addresses that were
    asked."""

    def play(handler: Handler, endpoint: str) -> list[str]:
        asked: list[str] = []

        def record(request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return handler(request)

        monkeypatch.setattr(
            "launcher.downloads.client._ThroughProxies", lambda _names: httpx.MockTransport(record)
        )
        monkeypatch.setenv("MODELSCOPE_DOMAIN", endpoint)
        for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(variable, raising=False)
        with new_client() as client, pytest.raises(CheckpointError) as told:
            find_repository(client, SOURCE)
        return [*asked, str(told.value)]

    return play


def answer(status: int, content: bytes, **headers: str) -> httpx.Response:
    """As it comes over a connection: not read yet."""
    return httpx.Response(status, stream=httpx.ByteStream(content), headers=headers)


def leading_to(target: str) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/api"):
            return httpx.Response(302, headers={"Location": target})
        return answer(404, b"")

    return handler


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:6006/x",
        "http://localhost./x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://169.254.169.254/latest/meta-data",
        "http://192.168.1.1/reboot",
        "http://10.0.0.1/x",
        "http://100.64.0.1/x",
        "http://0.0.0.0/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "https://user:secret@127.0.0.1/x?token=secret",
        "file:///etc/passwd",
        "ftp://9.9.9.9/x",
        "gopher://127.0.0.1/x",
    ],
)
def test_a_public_hub_leads_nowhere_inside(played: Any, target: str) -> None:
    *asked, told = played(leading_to(target), PUBLIC)
    assert asked == [f"{PUBLIC}/api/v1/models/org/model/repo/files?Revision=master&Recursive=true"]
    assert "where no download is: that is not followed" in told
    assert "secret" not in told


def test_a_name_that_means_an_address_inside(played: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"evil.example": ("8.8.8.8", "10.1.2.3"), "9.9.9.9": ("9.9.9.9",)}
    monkeypatch.setattr(names, "_looked_up", known.get)
    *asked, told = played(leading_to("https://evil.example/x"), PUBLIC)
    assert len(asked) == 1
    assert "leads to https://evil.example/x" in told


def test_a_hub_that_says_it_is_inside_and_outside_is_outside(
    played: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"evil.example": ("8.8.8.8", "10.1.2.3"), "10.1.2.3": ("10.1.2.3",)}
    monkeypatch.setattr(names, "_looked_up", known.get)
    *asked, told = played(leading_to("https://10.1.2.3/x"), "https://evil.example")
    assert len(asked) == 1
    assert "leads to https://10.1.2.3/x" in told


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        (PUBLIC, "https://8.8.8.8/x"),
        ("http://192.168.1.5", "http://192.168.1.6/x"),
        ("http://127.0.0.1:9", "/x"),
    ],
)
def test_hubs_lead_on_to_their_stores(played: Any, endpoint: str, target: str) -> None:
    *asked, told = played(leading_to(target), endpoint)
    assert asked[1].endswith("/x")
    assert "knows no model org/model" in told


def test_a_circle_of_addresses_ends(played: Any) -> None:
    *asked, told = played(lambda request: httpx.Response(302, headers={"Location": "/api/more"}), PUBLIC)
    assert len(asked) < 30
    assert "is not reached" in told


def listing(size: Any) -> bytes:
    return json.dumps({"Data": {"Files": [{"Path": "config.json", "Type": "blob", "Size": size}]}}).encode()


@pytest.mark.parametrize("size", [-1, 2**50 + 1, 10**400, 1e300, "x", None], ids=range(6))
def test_a_size_that_no_file_has_is_no_answer(played: Any, size: Any) -> None:
    *_, told = played(lambda request: answer(200, listing(size)), PUBLIC)
    assert "does not answer as a hub does" in told


def test_a_listing_that_was_packed_though_nobody_asked_for_it_is_not_unpacked(played: Any) -> None:
    packed = gzip.compress(listing(5) + b" " * (64 << 20))
    *_, told = played(lambda request: answer(200, packed, **{"Content-Encoding": "gzip"}), PUBLIC)
    assert "does not answer as a hub does" in told


def test_a_listing_without_an_end_is_left(played: Any) -> None:
    class Endless(httpx.SyncByteStream):
        sent = 0

        def __iter__(self) -> Any:
            while True:
                self.sent += 1 << 20
                yield b" " * (1 << 20)

    endless = Endless()
    *_, told = played(lambda request: httpx.Response(200, stream=endless), PUBLIC)
    assert endless.sent <= 18 << 20
    assert "does not answer as a hub does" in told


def repository(*names: str) -> Repository:
    known = ("config.json", "tokenizer.model", "model.safetensors")
    files = tuple(RemoteFile(name, 1, "https://9.9.9.9/x", "0" * 64) for name in (*known, *names))
    return Repository(SOURCE, "master", files)


@pytest.mark.parametrize(
    "name",
    [
        "model\0.safetensors",
        "model\x1b[2J.safetensors",
        "model\n.safetensors",
        "model-\u202esrotcart.safetensors",
    ],
)
def test_names_with_letters_that_cannot_be_seen_are_refused_and_written_out(name: str) -> None:
    with pytest.raises(CheckpointError) as told:
        needed_files(repository(name))
    assert told.value.message.isprintable()
    assert ascii(name) in told.value.message


@pytest.mark.parametrize(
    "name",
    [
        "../model.safetensors",
        "/etc/model.safetensors",
        "a/../../model.safetensors",
        "..\\model.safetensors",
        "C:\\model.safetensors",
        "additional_chat_templates/../../x.jinja",
        "additional_chat_templates/..jinja",
        "model\0/../config.json",
    ],
)
def test_names_that_lead_out_of_the_folder_are_not_taken(name: str) -> None:
    assert {file.name for file in needed_files(repository(name))} == {
        "config.json",
        "tokenizer.model",
        "model.safetensors",
    }
