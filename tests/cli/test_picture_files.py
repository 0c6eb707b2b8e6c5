"""Pictures by path and by address: a real server on this machine plays well-meaning and hostile hosts."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from launcher.cli.picture_files import PictureFiles, picture_files
from launcher.errors import PictureError, RequestError
from launcher.images import DEFAULT_LIMITS
from launcher.presets.places import BUILTIN_PICTURES
from tests.cli.conftest import Launch

PICTURE = (BUILTIN_PICTURES / "2-shapes.png").read_bytes()


class _Host(BaseHTTPRequestHandler):
    """What each path of the server does."""

    asked: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.asked.append(self.path)
        match self.path.partition("?")[0]:
            case "/a.png" | "/plain/..%2F%2Fpasswd":
                self._send(PICTURE)
            case "/text.png":
                self._send(b"no picture")
            case "/moved":
                self._send(b"", 302, Location="/a.png")
            case "/to-a-file":
                self._send(b"", 302, Location=f"file://{BUILTIN_PICTURES / '2-shapes.png'}")
            case "/round":
                self._send(b"", 302, Location="/round")
            case "/squeezed.png":
                self._send(gzip.compress(PICTURE), **{"Content-Encoding": "gzip"})
            case "/endless.png":
                self._send_endlessly()
            case "/cut.png":
                self._send(PICTURE[:100], length=len(PICTURE))
            case _:
                self._send(b"not here", 404)

    def _send(self, content: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(content) if length is None else length),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _send_endlessly(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1 << 20))
        except OSError:  # the reader has left, as it should
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Host) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def files() -> Iterator[PictureFiles]:
    with picture_files(allow_url=True) as found:
        yield found


def test_paths_are_absolute_in_order_and_not_copied(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PICTURE)
    (tmp_path / "link.png").symlink_to("a.png")
    names = ["link.png", str(BUILTIN_PICTURES / "3-shapes.png")]
    assert PictureFiles().find(names, tmp_path) == (tmp_path / "a.png", BUILTIN_PICTURES / "3-shapes.png")


@pytest.mark.parametrize("name", ["none.png", "a\0b.png", "~nobody-here/a.png", "loop.png"])
def test_what_is_no_picture_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    with pytest.raises(PictureError):
        PictureFiles().find([name], tmp_path)


def test_an_empty_name_is_no_picture_s(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is empty"):
        PictureFiles().find([""], tmp_path)


def test_an_address_is_fetched_once_and_deleted_at_the_end(host: str) -> None:
    _Host.asked.clear()
    with picture_files(allow_url=True) as files:
        first, again = files.find([f"{host}/a.png?size=1", f"{host}/a.png?size=1"], Path())
        assert first == again
        assert (first.name, first.read_bytes()) == ("a.png", PICTURE)
    assert not first.exists()
    assert _Host.asked == ["/a.png?size=1"]


def test_a_redirection_within_http_is_followed(host: str, files: PictureFiles) -> None:
    assert files.find([f"{host}/moved"], Path())[0].read_bytes() == PICTURE


def test_a_name_from_the_network_stays_in_its_folder(host: str, files: PictureFiles) -> None:
    (file,) = files.find([f"{host}/plain/..%2F%2Fpasswd"], Path())
    assert files.folder is not None
    assert (file.parent.parent, file.name) == (files.folder(), "passwd")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/none.png", "could not be fetched: the server said 404"),
        ("/round", "could not be fetched: it leads on too many times"),
        ("/to-a-file", "could not be fetched: "),
        ("/endless.png", f"is larger than the {DEFAULT_LIMITS.max_bytes / 1e6:g} MB"),
        ("/cut.png", "could not be fetched: "),
        ("/text.png", "text.png is not a picture that can be read"),
        ("/squeezed.png", "squeezed.png is not a picture that can be read"),
    ],
)
def test_what_a_host_may_do_wrong(host: str, files: PictureFiles, path: str, words: str) -> None:
    with pytest.raises(PictureError) as refused:
        files.find([host + path], Path())
    assert words in refused.value.message


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://a.invalid/b.png", "gopher://a.invalid/", "http://[::1/a.png"]
)
def test_only_http_is_fetched(files: PictureFiles, address: str) -> None:
    with pytest.raises(PictureError, match="only http and https addresses can"):
        files.find([address], Path())


def test_a_host_that_is_not_there(files: PictureFiles) -> None:
    with pytest.raises(PictureError, match=r"^http://no-such-host.invalid/a.png could not be fetched: "):
        files.find(["http://no-such-host.invalid/a.png"], Path())


@pytest.mark.parametrize("allow_url", [False, True])
def test_what_is_told_has_no_password(allow_url: bool) -> None:
    with picture_files(allow_url=allow_url) as files, pytest.raises(PictureError) as refused:
        files.find(["ftp://me:secret@a.invalid/b.png?token=secret#secret"], Path())
    assert "ftp://a.invalid/b.png" in refused.value.message
    assert "secret" not in str(refused.value)


def test_the_command_asks_before_it_fetches(launch: Launch, host: str) -> None:
    _Host.asked.clear()
    question = ("ask", "shapes-xcomposer2", "What colour is the star?", "--image", f"{host}/a.png")
    refused = launch(*question)
    assert (refused.returncode, refused.stdout) == (6, "")
    assert "nothing is fetched from the network unasked" in refused.stderr
    assert "--allow-url" in refused.stderr
    assert not _Host.asked
    assert launch(*question, "--allow-url").stdout == "Red.\n"


@pytest.mark.parametrize("name", ["./~tilde.png", "~tilde.png", "~/at home.png"])
def test_a_tilde_is_home_or_a_part_of_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for file in ("~tilde.png", "at home.png"):
        (tmp_path / file).write_bytes(PICTURE)
    (found,) = PictureFiles().find([name], tmp_path)
    assert found == tmp_path / name.removeprefix("./").removeprefix("~/")


def test_a_file_that_is_missing_is_told_with_the_folder_it_was_looked_for_in(tmp_path: Path) -> None:
    for name, folder in (("a.png", tmp_path), ("sub/a.png", tmp_path / "sub"), ("../a.png", tmp_path.parent)):
        with pytest.raises(PictureError) as caught:
            PictureFiles().find([name], tmp_path)
        assert caught.value.message == f"There is no file a.png in {folder}"
