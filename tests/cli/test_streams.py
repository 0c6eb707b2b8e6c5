"""Commands with standard streams, a locale and a folder as nobody wants them: in words, or quietly, and with
an exit code of the table; never a traceback, never "a defect"."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Launch
from tests.launched import command_line

COMMANDS = {
    "help": "serve --help",
    "presets": "presets",
    "ask": "ask scripted --presets scripted.yaml hello",
    "json": "ask scripted --presets scripted.yaml --json hello",
    "input": "ask scripted --presets scripted.yaml -",
    "batch": "ask scripted --presets scripted.yaml --batch -",
    "chat": "chat scripted --presets scripted.yaml",
    "wrong name": "ask none hello",
    "wrong option": "presets --none",
}
FULL, CLOSED, NO_INPUT, NO_ERROR, FULL_ERROR = "> /dev/full", ">&-", "<&-", "2>&-", "2> /dev/full"
ALL_CLOSED, NO_READER = "<&- >&- 2>&-", "| :"
CASES = [  # command, its streams, its exit code
    ("help", FULL, 1),
    ("help", NO_READER, 1),
    ("presets", FULL, 1),
    ("presets", CLOSED, 1),
    ("presets", NO_READER, 1),
    ("presets", ALL_CLOSED, 1),
    ("ask", FULL, 1),
    ("ask", CLOSED, 1),
    ("ask", NO_READER, 1),
    ("ask", ALL_CLOSED, 1),
    ("ask", NO_INPUT, 0),
    ("ask", NO_ERROR, 0),
    ("json", FULL, 1),
    ("input", NO_INPUT, 7),
    ("batch", NO_INPUT, 7),
    ("batch", ALL_CLOSED, 1),
    ("chat", NO_INPUT, 7),
    ("chat", ALL_CLOSED, 7),
    ("wrong name", FULL_ERROR, 2),
    ("wrong name", ALL_CLOSED, 2),
    ("wrong option", NO_ERROR, 2),
    ("wrong option", FULL_ERROR, 2),
]
CODES = {*range(11), 129, 130, 131, 143}


def typed(line: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A line of a shell, which says the launcher's own exit code last, on a stream that stays open."""
    return subprocess.run(
        ["bash", "-c", f"exec 9>&1; {line}"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def launcher(words: str) -> str:
    return f"{shlex.join(command_line())} {words}"


def said_well(text: str) -> None:
    for sign in ("Traceback", "a defect", "Exception ignored", "Fatal Python error"):
        assert sign not in text


@pytest.mark.parametrize(("name", "streams", "code"), CASES)
def test_streams(
    tmp_path: Path, environment: dict[str, str], scripted: Path, name: str, streams: str, code: int
) -> None:
    redirected, _, pipe = streams.partition("|")
    line = f"{{ {launcher(COMMANDS[name])} {redirected}; echo $? >&9; }} {'| :' if pipe else ''}"
    done = typed(line, tmp_path, environment | {"TERM": ""})
    said_well(done.stderr + done.stdout)
    codes = re.findall(r"^\d+$", done.stdout, re.MULTILINE)
    assert int(codes[-1]) in ({code, 0} if pipe else {code})  # a reader may leave after the last word


def test_what_cannot_be_written_is_told(tmp_path: Path, environment: dict[str, str]) -> None:
    done = typed(launcher("presets") + " > /dev/full", tmp_path, environment)
    assert done.returncode == 1
    assert "Standard output cannot be written: No space left on device" in done.stderr


@pytest.mark.parametrize("name", ["help", "presets", "ask"])
def test_a_folder_that_is_gone(
    tmp_path: Path, environment: dict[str, str], scripted: Path, name: str
) -> None:
    (tmp_path / "gone").mkdir()
    line = f"cd gone && rmdir ../gone && {launcher(COMMANDS[name])}"
    done = typed(line, tmp_path, environment)
    said_well(done.stderr + done.stdout)
    assert done.returncode == (0 if name == "help" else 1)
    if name != "help":
        assert "launcher: The folder that this terminal is in cannot be found any more" in done.stderr


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C"},
        {"LC_ALL": "xx_YY.ISO-8859-1"},
        {"PYTHONIOENCODING": "ascii"},
    ],
    ids=["ascii", "C", "unknown", "ascii streams"],
)
def test_letters_that_the_locale_lacks(launch: Launch, scripted: Path, locale: dict[str, str]) -> None:
    """A question in Chinese is asked whatever the locale, and JSON is exact in all of them."""
    ask = ("ask", "scripted", "--presets", str(scripted), "红色 red")
    done = launch(*ask, **locale)
    assert done.returncode == 0
    assert done.stdout in ("红色 red \n", "?? red \n")
    assert json.loads(launch(*ask, "--json", **locale).stdout)["text"] == "红色 red "


def test_files_that_are_opened_never_take_a_closed_streams_place(
    tmp_path: Path, environment: dict[str, str], scripted: Path
) -> None:
    """With standard output closed, the next file opened would get its number, and the answer."""
    done = typed(launcher("ask scripted --presets scripted.yaml hello") + " >&-", tmp_path, environment)
    assert done.returncode == 1
    assert "Standard output cannot be written: Bad file descriptor" in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"hello" in path.read_bytes()]


def test_too_many_open_files(tmp_path: Path, environment: dict[str, str], scripted: Path) -> None:
    done = typed(f"ulimit -n 9; {launcher(COMMANDS['ask'])}", tmp_path, environment)
    said_well(done.stderr)
    assert done.returncode in CODES - {0}


def test_a_home_that_cannot_be_written(launch: Launch, scripted: Path) -> None:
    done = launch(
        "ask", "scripted", "--presets", str(scripted), "hello", HOME="/proc/none", XDG_STATE_HOME=""
    )
    said_well(done.stderr)
    assert done.returncode in CODES
