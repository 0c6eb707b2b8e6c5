"""Every command of the two READMEs, run as a newcomer types it, as ``tests/test_tutorial.py`` does."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_tutorial import (
    NO_HUB,
    ROOT,
    Newcomer,
    Step,
    assert_printed,
    assert_same_steps,
    check_tunnel,
    repository,  # noqa: F401 - a fixture
    set_up,
    steps_of,
)

READMES = ["README.md", "README.zh-CN.md"]
PROSE = [*READMES, "docs/tutorial.md", "docs/tutorial.zh-CN.md"]


def steps(document: str) -> Iterator[Step]:
    """Of its blocks, those within a list, too."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^( *)```console\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    for _, block in blocks:
        yield from steps_of(textwrap.dedent(block))


@pytest.mark.parametrize("document", READMES)
@pytest.mark.timeout(1800)  # a dozen programs, three of which load a model
def test_every_command_does_what_the_readme_says(
    document: str,
    repository: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    newcomer = Newcomer(tmp_path / "home")
    # What is the same to the letter, and changes nothing, is run once.
    seen_in_english = [] if document == READMES[0] else list(steps(READMES[0]))
    for step in steps(document):
        words = step.command.split()
        if step in seen_in_english:
            continue
        if words[0] == "ssh":
            check_tunnel(step)
        elif words == ["make", "serve-vl"]:
            newcomer.serve(step.command)
        elif words[0] == "make":  # the tests themselves: that make knows what to do
            assert newcomer.run(step, step.command.replace("make", "make --dry-run")).returncode == 0
        elif "pull" in words:
            assert f"{NO_HUB} is not reached" in newcomer.run(step, step.command).stderr
        else:
            done = newcomer.run(step, re.sub(r"<.*?>", str(repository), step.command))
            assert done.returncode == 0, (step.command, done.stdout, done.stderr)
            assert_printed(step, done.stdout)
        if words[0] == "git":
            set_up(newcomer.folder)


def test_both_languages_have_the_same_steps() -> None:
    assert_same_steps(*map(steps, READMES), least=9)


@pytest.mark.parametrize("document", PROSE)
def test_prose_fits_80_columns(document: str) -> None:
    text = re.sub(
        r"^ *```.*?^ *```$", "", (ROOT / document).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    wide = [line for line in text.splitlines() if _columns(line) > 80 and not line.startswith(("|", "!["))]
    assert wide == []


def _columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)
