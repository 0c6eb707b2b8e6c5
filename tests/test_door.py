from __future__ import annotations

import socket
from pathlib import Path

import pytest

from launcher.door import LOCAL_DOOR, VARIABLE, Credentials, Door, door_of
from launcher.errors import RequestError


def opened(auth: str = "", *, left_open: bool = False, names: tuple[str, ...] = (), **variables: str) -> Door:
    return door_of("0.0.0.0", names, auth, left_open=left_open, environment=variables)


@pytest.mark.parametrize("content", ["geheim: wört", "geheim: wört\n", "geheim: wört\r\n"])
def test_a_password_from_a_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "C:password"
    file.write_bytes(content.encode())
    assert opened(f"ada:{file}").credentials == Credentials("ada", "geheim: wört")


def test_a_password_from_the_environment_is_taken_out_of_it() -> None:
    variables = {VARIABLE: "ada:a:b ", "other": "1"}
    door = door_of("", (), "", left_open=False, environment=variables)
    assert door.credentials == Credentials("ada", "a:b ")
    assert variables == {"other": "1"}


def test_the_option_goes_before_the_environment(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("from the file")
    door = opened(f"ada:{tmp_path / 'p'}", LAUNCHER_AUTH="bob:x")
    assert door.credentials == Credentials("ada", "from the file")


@pytest.mark.parametrize(
    ("auth", "content", "said"),
    [
        ("ada", None, "--auth is USER:FILE, and ada is not"),
        (":FILE", "x", "--auth is USER:FILE"),
        ("ada:", None, "--auth is USER:FILE"),
        ("ada:FILE", None, "No such file or directory"),
        ("ada:FILE", "", "is empty or has more than one line"),
        ("ada:FILE", "\n", "is empty or has more than one line"),
        ("ada:FILE", "a\nb\n", "is empty or has more than one line"),
        ("ada:FILE", b"\xff\xfe", "it is not text"),
        ("ada:\0", None, "it is not text"),
        ("ada:FILE", "a" * 5000, "it has more than 4096 bytes"),
        ("ada:/dev/zero", None, "it has more than 4096 bytes"),
        ("ada:~no.one/x", None, "No such file or directory"),
    ],
)
def test_what_is_no_password(tmp_path: Path, auth: str, content: str | bytes | None, said: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(RequestError) as refused:
        opened(auth.replace("FILE", str(file)))
    assert said in str(refused.value)


@pytest.mark.parametrize("value", ["ada", "ada:", ":x", ":"])
def test_a_variable_without_both_parts(value: str) -> None:
    with pytest.raises(RequestError, match=r"has no user|is empty"):
        opened(LAUNCHER_AUTH=value)


@pytest.mark.parametrize("variables", [{}, {VARIABLE: "ada:x"}])
def test_a_password_and_none(tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / "p").write_text("x")
    auth = "" if variables else f"ada:{tmp_path / 'p'}"
    with pytest.raises(RequestError, match="Leave one of them out"):
        opened(auth, left_open=True, **variables)


@pytest.mark.parametrize(
    "name", ["http://box.example", "box.example:80", "", "a b", "box.example/vl", "*", "*.example"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(RequestError, match="is not a host's name"):
        opened(names=(name,))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_who_opens_the_page_to_others_says_how(host: str) -> None:
    is_open = host != "127.0.0.1"
    with socket.create_server((host, 0)) as listener:
        assert LOCAL_DOOR.is_open([listener]) == is_open
        for door in (Door(host, credentials=Credentials("ada", "x")), Door(host, is_left_open=True)):
            door.check([listener])
        if is_open:
            with pytest.raises(RequestError) as refused:
                Door(host).check([listener])
            assert f"serve --host {host} --auth me:FILE" in str(refused.value)
            assert f"serve --host {host} --insecure-no-auth" in str(refused.value)
        else:
            Door(host).check([listener])
