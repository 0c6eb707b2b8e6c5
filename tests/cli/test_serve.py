"""``launcher serve`` as a process of its own: what it prints, what it refuses, and that it leaves nothing
behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import typer

from launcher.cli.serve_options import leave_of, right_root_path
from launcher.linked_pictures.leave import Leave
from tests.cli.conftest import ROOT, children_of, eventually
from tests.cli.terminal import Terminal
from tests.launched import command_line
from tests.process_files import process_file
from tests.ui.test_gradio_variables import read_by_gradio
from tests.workers.stage import alive

PRESET = """\
name: one
title: {{en: One, zh: 一}}
kind: text
sources: ["{folder}"]
engine: scripted
"""

HARD_VARIABLES = {
    "ALL_PROXY": "socks5://user:pass@127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "HTTPS_PROXY": " nonsense://:x ",
    "no_proxy": "[::1]:x, fe80::%eth0, 10.0.0.0/8",
}
"""Proxies that nobody answers at, or that httpx does not understand. The page is served all the same."""

END_S = 120.0
"""For a page to end: a bound, not a measure."""


@pytest.fixture
def presets(tmp_path: Path) -> Path:
    (tmp_path / "one.yaml").write_text(PRESET.format(folder=tmp_path))
    return tmp_path


def command(presets: Path, *options: str) -> list[str]:
    return command_line("serve", "--presets", str(presets), *options)


@contextmanager
def serving(
    presets: Path, *options: str, prefix: tuple[str, ...] = (), **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """A launcher on a free port, unless the options say which."""
    port = () if "--port" in options else ("--port", "0")
    with subprocess.Popen(
        [*prefix, *command(presets, *port, *options)],
        env={**os.environ, "TMPDIR": str(presets), **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def printed(process: subprocess.Popen[str]) -> str:
    """What it prints up to the tunnel's line, the last."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or "ssh -CNg" not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], process.communicate()
    return "".join(lines)


def address_in(said: str) -> str:
    found = re.search(r"The (?:page|endpoint) is at (\S+)", said)
    assert found
    return found[1]


def upload(url: str, prefix: str = "") -> Path:
    """Uploads a picture; where it lies."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        answer = client.post(f"{url}{prefix}/gradio_api/upload", files={"files": ("a.png", b"a picture")})
    assert answer.status_code == 200
    return Path(answer.json()[0])


def fetch(url: str, name: str, auth: tuple[str, str] | None = None) -> httpx.Response:
    """The page's button that downloads a model."""
    with httpx.Client(trust_env=False, timeout=60, auth=auth) as client:
        return client.post(f"{url}/launcher/fetch", json={"page": "some0page", "tab": name})


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], ids=lambda number: number.name
)
def test_serving_and_stopping(presets: Path, number: signal.Signals) -> None:
    """With every variable of Gradio's, and proxies, set to what would hinder the page."""
    hostile = {name: "1" for name in read_by_gradio() if name.startswith("GRADIO_")} | {
        "GRADIO_ROOT_PATH": ""
    }
    with serving(presets, **HARD_VARIABLES, **hostile) as process:
        said = printed(process)
        url = address_in(said)
        port = url.rpartition(":")[2]
        assert url == f"http://127.0.0.1:{port}"
        assert f"页面地址：{url}" in said
        assert f"ssh -CNg -L {port}:127.0.0.1:{port} user@host -p port" in said
        uploaded = upload(url)
        assert uploaded.is_relative_to(presets)
        assert uploaded.is_file()
        with (
            httpx.Client(trust_env=False) as client,
            client.stream("GET", f"{url}/gradio_api/heartbeat/someone") as open_page,
        ):
            assert open_page.status_code == 200
            eventually(lambda: children_of(process.pid))
            workers = children_of(process.pid)
            process.send_signal(number)
            assert process.wait(timeout=END_S) == 0
        assert not [pid for pid in workers if alive(pid)]
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert not uploaded.exists()
    assert not list(presets.glob("launcher-*"))


def test_the_end_of_its_terminal_ends_it(presets: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The terminal is gone: whatever is printed fails."""
    terminal = Terminal(
        tmp_path_factory.mktemp("t"),
        command(presets, "--port", "0"),
        {**os.environ, "TMPDIR": str(presets), "PYTHONPATH": str(ROOT)},
    )
    lines = terminal.wait_for(lambda lines: any("ssh -CNg" in line for line in lines))
    uploaded = upload(address_in("\n".join(lines)))
    program = terminal.process()
    workers = children_of(program)
    terminal.close()
    eventually(lambda: not alive(program), seconds=END_S)
    assert not [pid for pid in workers if alive(pid)]
    assert not uploaded.exists()


def test_started_with_nohup_it_outlives_its_terminal(presets: Path) -> None:
    with serving(presets, "--no-page", prefix=("nohup",)) as process:
        url = address_in(printed(process))
        process.send_signal(signal.SIGHUP)
        assert httpx.get(f"{url}/models", trust_env=False, timeout=60).status_code == 200
        process.terminate()
        assert process.wait(timeout=END_S) == 0


def test_what_a_killed_launcher_left_is_gone_with_the_next_start(presets: Path) -> None:
    with serving(presets) as process:
        left = upload(address_in(printed(process)))
        workers = children_of(process.pid)
        process.kill()
        process.wait()
        eventually(lambda: not [pid for pid in workers if alive(pid)], seconds=END_S)
    assert left.is_file()
    with serving(presets) as process:
        printed(process)
        assert not left.exists()
        process.terminate()
        process.wait(timeout=END_S)


def test_a_second_launcher_on_the_port_says_where_the_first_is(presets: Path) -> None:
    with serving(presets) as process:
        url = address_in(printed(process))
        code, said = refused(presets, "--port", url.rpartition(":")[2])
        process.terminate()
        assert process.wait(timeout=END_S) == 0
    assert code == 10
    assert f"A launcher already serves its page at {url}" in said


def test_the_page_is_where_it_is_said_to_be(presets: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with serving(presets, "--host", "::1") as process:
        assert_is_where_it_is_said_to_be(printed(process))
        process.terminate()
        assert process.wait(timeout=END_S) == 0


def assert_is_where_it_is_said_to_be(said: str) -> None:
    tunnel = re.search(r"-L (\d+):(\S+):(\d+) ", said)
    assert tunnel
    for url in (address_in(said), f"http://{tunnel[2]}:{tunnel[3]}"):
        assert httpx.get(url, trust_env=False, timeout=60).status_code == 200


def test_the_page_is_not_opened_to_others_without_a_word(presets: Path) -> None:
    code, said = refused(presets, "--host", "0.0.0.0", "--port", "0")
    assert code == 7
    assert "On 0.0.0.0 other machines can reach the page" in said
    assert "serve --host 0.0.0.0 --auth me:FILE" in said


def test_a_page_that_is_open_to_anyone_says_so_and_is_where_it_is_said_to_be(presets: Path) -> None:
    with serving(presets, "--host", "0.0.0.0", "--insecure-no-auth") as process:
        said = printed(process)
        assert_is_where_it_is_said_to_be(said)
        page = httpx.get(address_in(said), trust_env=False, timeout=60).text
        assert "Anyone who can reach this address can use this page" in page
        assert "任何能访问此地址的人都可以使用本页面" in page
        assert fetch(address_in(said), "one").text.startswith("This page downloads no models.")
        process.terminate()
        assert process.wait(timeout=END_S) == 0
        assert process.stderr is not None
        assert process.stderr.read().startswith("Anyone who can reach this address")


def environments(pid: int) -> list[bytes]:
    """Of the processes that a process has started."""
    return [process_file(child, "environ") for child in children_of(pid)]


@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_password_opens_the_page(presets: Path, way: str) -> None:
    file = presets / "password"
    file.write_text("geheim\n")
    options = ["--auth", f"ada:{file}"] if way == "option" else []
    variables = {} if way == "option" else {"LAUNCHER_AUTH": "ada:geheim"}
    with serving(presets, "--host", "0.0.0.0", *options, **variables) as process:
        url = address_in(printed(process))
        with httpx.Client(trust_env=False, timeout=60) as client:
            assert client.get(url).status_code == 401
            assert client.get(url, auth=("ada", "wrong")).status_code == 401
            page = client.get(url, auth=("ada", "geheim"))
        assert fetch(url, "one").status_code == 401
        offered = fetch(url, "one", auth=("ada", "geheim"))
        assert offered.text.startswith("There is nothing to download for one.")
        assert page.status_code == 200
        assert '<div class=\\"note open' not in page.text
        eventually(lambda: any(environments(process.pid)))
        assert b"geheim" not in b"".join(environments(process.pid))
        process.terminate()
        assert process.wait(timeout=END_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_other_names_for_the_page_and_a_root_path_in_the_environment(presets: Path) -> None:
    names = ("--allow-host", "box.example", "--allow-host", "Hub.example")
    with serving(presets, *names, GRADIO_ROOT_PATH="vl/") as process:
        url = address_in(printed(process))
        with httpx.Client(trust_env=False, timeout=60) as client:
            assert client.get(f"{url}/config").json()["root"] == f"{url}/vl"
            assert client.get(f"{url}/vl/config").json()["root"] == f"{url}/vl"
            for host, status in (("box.example", 200), ("hub.example:8443", 200), ("other.example", 421)):
                assert client.get(f"{url}/config", headers={"host": host}).status_code == status
        process.terminate()
        assert process.wait(timeout=END_S) == 0


def test_output_that_is_full_or_closed_does_not_end_the_page(presets: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    shell = ("bash", "-c", 'exec "$@" >&-', "bash")
    with serving(presets, "--port", port, prefix=shell) as process:
        assert process.stderr is not None
        assert "Standard output cannot be written" in process.stderr.readline()
        assert upload(f"http://127.0.0.1:{port}").is_file()
        process.terminate()
        assert process.wait(timeout=END_S) == 0


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("", ""),
        ("/", ""),
        ("vl", "/vl"),
        (" /a/vl/ ", "/a/vl"),
        ("https://host:1/vl/", "https://host:1/vl"),
        ("/a b", None),
        ("?x", None),
        ("ftp://host/x", None),
        ("http://", None),
        ("http://[::1", None),
        ("http://host:99999/", None),
        ("https://*/vl", None),
        ("/x#y", None),
    ],
)
def test_root_paths(given: str, path: str | None) -> None:
    if path is not None:
        assert right_root_path(given) == path
    else:
        with pytest.raises(typer.BadParameter, match="such as /vl"):
            right_root_path(given)


def test_whose_pictures_may_be_fetched() -> None:
    assert leave_of([], outside=False) is None
    assert leave_of([], outside=True) == Leave(True, ())
    named = Leave(False, (("nas.lan", None), ("10.0.0.5", 8080), ("::1", None)))
    assert leave_of(["NAS.lan", "10.0.0.5:8080", "[::1]"], outside=False) == named
    with pytest.raises(typer.BadParameter, match=r"'http://nas' is no host such as"):
        leave_of(["http://nas"], outside=True)
    for none in ("*", "*.nas.lan", "nas:99999", "nas:"):
        with pytest.raises(typer.BadParameter, match="is no host such as"):
            leave_of([none], outside=True)


def test_a_wrong_preset_file_leaves_the_others(presets: Path) -> None:
    (presets / "wrong.yaml").write_text("name: 7\n")
    with serving(presets, "--no-page") as process:
        printed(process)
        process.terminate()
        assert process.wait(timeout=END_S) == 0
        assert process.stderr is not None
        assert "wrong.yaml:1: name" in process.stderr.read()


def refused(presets: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        command(presets, *options), capture_output=True, text=True, check=False, timeout=240
    )
    return done.returncode, done.stderr


def test_models_named_to_preload_load_at_the_start(presets: Path) -> None:
    second = PRESET.format(folder=presets).replace("name: one", "name: two")
    (presets / "two.yaml").write_text(second)
    with serving(presets, "--no-page", "--preload", "two", "--preload", "one") as process:
        printed(process)
        eventually(lambda: len(children_of(process.pid)) == 2)
        process.terminate()
        assert process.wait(timeout=END_S) == 0


def test_a_name_to_preload_that_is_not_offered(presets: Path) -> None:
    code, said = refused(presets, "--port", "0", "--preload", "won")
    assert code == 7
    assert "There is no model named won" in said
    assert "These are offered: one" in said


def test_a_model_to_preload_that_cannot_run_here(presets: Path) -> None:
    (presets / "one.yaml").write_text(
        PRESET.format(folder=presets / "absent").replace("scripted", "transformers")
    )
    code, said = refused(presets, "--port", "0", "--preload", "one")
    assert code == 3
    assert "absent" in said


def test_a_busy_port(presets: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused(presets, "--port", str(port))
    assert code == 10
    assert f"Port {port} on 127.0.0.1 is used by another program" in said
    proposed = re.search(r"launcher serve --port (\d+)", said)
    assert proposed
    assert int(proposed[1]) != port


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("203.0.113.7", "This machine has no address 203.0.113.7"),
        ("no-such-host.invalid", "No address is known for the host no-such-host.invalid"),
    ],
)
def test_an_address_that_is_not_this_machines(presets: Path, host: str, words: str) -> None:
    code, said = refused(presets, "--host", host)
    assert code == 7
    assert words in said


def test_no_usable_preset_at_all(tmp_path: Path) -> None:
    code, said = refused(tmp_path)
    assert code == 2
    assert "holds no preset file" in said
