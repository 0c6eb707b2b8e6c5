"""What twenty people do, drawn at random: each thing has one right outcome, known beforehand."""

from __future__ import annotations

import io
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps

import httpx
import openai
from PIL import Image

from tests.mutated_pictures import mutated, originals
from tests.soak import programs
from tests.soak.client import Page, Refused, Turn, program_answer
from tests.soak.server import MODELS

Deed = Callable[[Page, random.Random], None]


@dataclass
class Tally:
    """What all of them saw; each adds to it under the lock."""

    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


def expect(found: object, right: object) -> None:
    if found != right:
        raise AssertionError(f"{found!r:.200} instead of {right!r:.200}")


def numbers(count: int) -> str:
    return "".join(f"{number} " for number in range(count))


def a_question(page: Page, source: random.Random) -> None:
    tab, count, mark = source.choice(MODELS), source.randrange(200), source.randrange(10**9)
    expect(page.answer(tab, f"/name\n/say {count}\nend {mark}"), f"{tab}{numbers(count)}end {mark} ")


def a_conversation(page: Page, source: random.Random) -> None:
    tab, history = source.choice(MODELS), list[Turn]()
    for number in range(source.randrange(2, 8)):
        answer = page.answer(tab, f"turn {number}", history=history)
        expect(answer, f"turn {number} ")
        history.append(Turn(f"turn {number}", answer))


def a_picture(page: Page, source: random.Random) -> None:
    size = (source.randrange(8, 900), source.randrange(8, 900))
    content = io.BytesIO()
    Image.new("RGB", size, tuple(source.randbytes(3))).save(content, "PNG")  # type: ignore[arg-type]
    path = page.upload(content.getvalue(), "pic.png")
    expect(page.answer(source.choice(MODELS), "see", [path]), "[pic.png] see ")


def a_damaged_picture(page: Page, source: random.Random) -> None:
    """It is shown or refused; nothing else."""
    kind = source.choice(("PNG", "JPEG", "WebP", "GIF"))
    try:
        path = page.upload(mutated(originals(kind), source), f"x.{kind}")
        expect(page.answer(source.choice(MODELS), "see", [path]), f"[x.{kind}] see ")
    except Refused as refusal:
        expect(bool(str(refusal)), True)


def a_stop(page: Page, source: random.Random) -> None:
    tab = source.choice(MODELS)
    with page.route.asked(tab, "begun\n/endless") as (number, updates):
        while "begun" not in next(updates).get("add", ""):
            pass
        page.route.stop(tab, number)
        *_, last = updates
    expect(last["answer"].startswith("begun "), True)


def a_closed_page(page: Page, source: random.Random) -> None:
    """Leaves in the middle of an answer without a word."""
    with page.route.asked(source.choice(MODELS), "begun\n/endless") as (_, updates):
        while "begun" not in next(updates).get("add", ""):
            pass


def a_program(page: Page, source: random.Random) -> None:
    tab, count = source.choice(MODELS), source.randrange(100)
    expect(program_answer(page, tab, f"/name\n/say {count}"), f"{tab}{numbers(count)}")


def a_refusal(page: Page, source: random.Random) -> None:
    """Too long, empty, or a tab that is not there."""
    tab, text = source.choice([("first", "a" * 600_000), ("second", " "), ("nowhere", "hello")])
    try:
        page.answer(tab, text)
    except Refused as refusal:
        expect(bool(str(refusal)), True)
    else:
        raise AssertionError("it was answered")


def a_failure(page: Page, source: random.Random) -> None:
    """The engine says no; the next question is answered."""
    tab = source.choice(MODELS)
    try:
        page.answer(tab, "/fail as it should")
    except Refused as refusal:
        expect("as it should" in str(refusal), True)
    expect(page.answer(tab, "next"), "next ")


def a_look(page: Page, source: random.Random) -> None:
    page.open()
    page.show(source.choice(MODELS))


def an_unloading(page: Page, source: random.Random) -> None:
    tab = source.choice(MODELS)
    page.unload(tab)
    expect(page.answer(tab, "again"), "again ")


def at_the_endpoint(said: Callable[[Page, random.Random], tuple[str, str]]) -> Deed:
    """A deed of a program's: what it finds has to be what is right."""

    @wraps(said)
    def deed(page: Page, source: random.Random) -> None:
        expect(*said(page, source))

    return deed


DEEDS: dict[Deed, int] = {
    a_question: 40,
    a_conversation: 10,
    a_picture: 10,
    a_damaged_picture: 5,
    a_stop: 8,
    a_closed_page: 8,
    a_program: 10,
    a_refusal: 4,
    a_failure: 4,
    a_look: 10,
    an_unloading: 1,
    at_the_endpoint(programs.a_streamed_answer): 40,
    at_the_endpoint(programs.a_whole_answer): 30,
    at_the_endpoint(programs.a_picture_by_data_url): 15,
    at_the_endpoint(programs.a_program_that_leaves): 10,
    at_the_endpoint(programs.a_wrong_request): 5,
}
"""How often each is done, of two hundred and ten; a hundred of them at the endpoint."""


def person(url: str, seed: str, until_s: float, tally: Tally) -> None:
    """Opens a page, does some of the deeds, closes it, and so on."""
    source = random.Random(seed)
    while time.monotonic() < until_s:
        page = Page(url)
        try:
            for deed in source.choices(list(DEEDS), list(DEEDS.values()), k=source.randrange(1, 12)):
                _do(deed, page, source, tally)
        finally:
            page.close()


_WRONG = (
    AssertionError,
    Refused,
    httpx.HTTPError,
    openai.OpenAIError,
    LookupError,
    ValueError,
    StopIteration,
)


def _do(deed: Deed, page: Page, source: random.Random, tally: Tally) -> None:
    begun_s, wrong = time.monotonic(), ""
    try:
        deed(page, source)
    except _WRONG as error:
        wrong = f"{deed.__name__}: {type(error).__name__}: {error}"
    with tally.lock:
        tally.done[deed.__name__] += 1
        tally.slowest_s = max(tally.slowest_s, round(time.monotonic() - begun_s, 2))
        if wrong:
            tally.wrong.append(wrong)
