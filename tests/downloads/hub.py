"""A server on 127.0.0.1 that plays both hubs: Hugging Face (with the redirect to a store of its own) and
ModelScope.

Faults are set as attributes; ``fetched`` records what was asked for, with the ``Range`` of each request.
"""

from __future__ import annotations

import hashlib
import io
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from safetensors.numpy import save

from launcher.checkpoints import locating
from tests.layer_names import EMPTY_LAYERS
from tests.published import KNOWN_CONFIGS

COMMIT = "0123456789abcdef0123456789abcdef01234567"
VOCABULARY = locating.BUILTIN / "tiny-chat" / "tokenizer.model"
LFS_SUFFIXES = (".safetensors", ".model", ".bin")


def checkpoint_files(weight_bytes: int = 300_000) -> dict[str, bytes]:
    """A repository as they are published: a model in two shards, the same weights as .bin, code, papers,
    other folders."""
    config = {**KNOWN_CONFIGS["internlm2-chat-1_8b"], "model_type": "internlm2"}
    rng = np.random.default_rng(7)
    layers = {name: np.zeros(0, np.uint8) for name in EMPTY_LAYERS}
    shards = [
        save({name: rng.integers(0, 255, weight_bytes // 2, np.uint8), **more})
        for name, more in (("a", layers), ("b", {}))
    ]
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = {"weight_map": dict(zip("ab", names, strict=True))}
    return {
        "config.json": json.dumps(config).encode(),
        "generation_config.json": b'{"do_sample": false}',
        "tokenizer.model": VOCABULARY.read_bytes(),
        "tokenizer_config.json": b'{"a": 1}',
        "special_tokens_map.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        **dict(zip(names, shards, strict=True)),
        "pytorch_model.bin": rng.bytes(weight_bytes),
        "modeling_internlm2.py": b"raise SystemExit('code from a hub was run')",
        "tokenization_internlm2.py": b"raise SystemExit('code from a hub was run')",
        "README.md": b"# a model",
        ".gitattributes": b"*.safetensors filter=lfs",
        "onnx/model.safetensors": rng.bytes(1_000),
        "examples/config.json": b"[]",
    }


NEEDED = {
    "config.json",
    "generation_config.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
}


@dataclass
class PlayedHub:
    """What the server holds, and how it misbehaves."""

    endpoint: str = ""
    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    fetched: list[tuple[str, str]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Paths and Authorization headers of all requests."""

    cuts: dict[str, list[int]] = field(default_factory=dict)
    """Of these files the next answers end after so many bytes, without having said so."""
    spoilt: set[str] = field(default_factory=set)
    """These files come with one bit turned."""
    status: dict[str, int] = field(default_factory=dict)
    """These files (or "listing") are answered with this status."""
    without_hash: set[str] = field(default_factory=set)
    """Of these files ModelScope's listing tells no hash."""
    ranges: bool = True
    page: bytes | None = None
    """A web page that answers everything, as a network with a login has it."""
    held: str = ""
    """Of this file half is sent; then ``half_sent`` is set, ``on_half`` called, and ``go_on`` waited for."""
    half_sent: Event = field(default_factory=Event)
    go_on: Event = field(default_factory=Event)
    on_half: Callable[[], None] | None = None
    store: str = ""
    """Where Hugging Face's redirects lead; "" for this server."""

    @property
    def fetched_to_keep(self) -> list[tuple[str, str]]:
        """What was asked for but config.json, which is looked at before anything is kept."""
        return [asked for asked in self.fetched if asked[0] != "config.json"]

    def ranges_of(self, name: str) -> list[str]:
        return [asked for file, asked in self.fetched if file == name]


@contextmanager
def played_hub(*models: str, files: dict[str, bytes] | None = None) -> Iterator[PlayedHub]:
    hub = PlayedHub(models={name: files or checkpoint_files() for name in models})

    class Handler(_Handler):
        played = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


def asking(hub: PlayedHub, environment: dict[str, str]) -> dict[str, str]:
    """The environment of a program for which both hubs are this one, and no proxy stands between."""
    proxies = {name for name in environment if name.lower().endswith("_proxy")}
    kept = {name: value for name, value in environment.items() if name not in proxies}
    return {**kept, "HF_ENDPOINT": hub.endpoint, "MODELSCOPE_DOMAIN": hub.endpoint}


class _Handler(BaseHTTPRequestHandler):
    played: PlayedHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        hub, parts = self.played, urlsplit(self.path)
        hub.asked.append((self.path, self.headers.get("Authorization", "")))
        words, query = [unquote(word) for word in parts.path.strip("/").split("/")], parse_qs(parts.query)
        if hub.page is not None:
            self._answer(200, hub.page, "text/html")
        elif words[:2] == ["api", "models"]:
            self._hugging_face_listing("/".join(words[2:]))
        elif words[:3] == ["api", "v1", "models"] and words[-1] == "files":
            self._modelscope_listing("/".join(words[3:5]))
        elif words[:3] == ["api", "v1", "models"]:
            self._file("/".join(words[3:5]), query["FilePath"][0])
        elif words[2:4] == ["resolve", COMMIT]:
            self._redirect("/".join(words[:2]), "/".join(words[4:]))
        elif words[0] == "store":
            self._file("/".join(words[1:3]), "/".join(words[3:]))
        else:
            self._answer(404, b"")

    def _hugging_face_listing(self, name: str) -> None:
        if status := self.played.status.get("listing"):
            self._answer(status, b"{}", error="GatedRepo" if status == 401 else "")
        elif name not in self.played.models:
            self._answer(401, b'{"error": "Invalid username or password."}', error="RepoNotFound")
        else:
            siblings = [
                _hugging_face_facts(file, content) for file, content in self.played.models[name].items()
            ]
            self._answer(200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode())

    def _modelscope_listing(self, name: str) -> None:
        if status := self.played.status.get("listing"):
            self._answer(status, b"{}")
        elif name not in self.played.models:
            self._answer(404, b'{"Code": 10010205001, "Message": "not found", "Success": false}')
        else:
            files = [_modelscope_facts(file, content) for file, content in self.played.models[name].items()]
            for each in files:
                if each["Path"] in self.played.without_hash:
                    each["Sha256"] = ""
            files.append({"Name": "onnx", "Path": "onnx", "Type": "tree", "Size": 0, "Sha256": ""})
            self._answer(200, json.dumps({"Code": 200, "Data": {"Files": files}, "Success": True}).encode())

    def _redirect(self, model: str, name: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"{self.played.store or self.played.endpoint}/store/{model}/{name}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, model: str, name: str) -> None:
        hub = self.played
        asked = self.headers.get("Range", "")
        hub.fetched.append((name, asked))
        if name in hub.status:
            self._answer(hub.status[name], b"")
            return
        content = hub.models[model][name]
        if name in hub.spoilt:
            content = bytes([content[0] ^ 1]) + content[1:]
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and hub.ranges else 0
        if first and first >= len(content):
            self._answer(416, b"")
            return
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        self._body(name, content[first:])

    def _body(self, name: str, content: bytes) -> None:
        hub = self.played
        if cuts := hub.cuts.get(name):
            self.wfile.write(content[: cuts.pop(0)])
            self._hang_up()
        elif name == hub.held:
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            if hub.on_half:
                hub.on_half()
            hub.half_sent.set()
            hub.go_on.wait(60)
            self._write(content[len(content) // 2 :])
        else:
            self._write(content)

    def _write(self, content: bytes) -> None:
        try:
            self.wfile.write(content)
        except OSError:  # the other side was stopped, as the test wanted
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile = io.BytesIO()
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, content: bytes, kind: str = "application/json", error: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        self.wfile.write(content)


def _hugging_face_facts(name: str, content: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    facts: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
    if name.endswith(LFS_SUFFIXES):
        facts["lfs"] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "pointerSize": 134,
        }
    return facts


def _modelscope_facts(name: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {
        "Name": name.rpartition("/")[2],
        "Path": name,
        "Type": "blob",
        "Size": len(content),
        "Sha256": digest,
    }
