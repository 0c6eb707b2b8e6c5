"""How long a worker has been silent, as its supervisor counts it."""

from __future__ import annotations

from launcher.engines.base import EngineFacts
from launcher.messages import Chunk
from launcher.workers.limits import STEP_S
from launcher.workers.protocol import Heartbeat, Progressed, Ready, Said, Words
from launcher.workers.silences import Silences


def test_a_launcher_that_was_suspended_for_an_hour_has_heard_nothing_meanwhile() -> None:
    silences = Silences(now_s=0.0)
    silences.step(3600.0, expecting=True, stopping=True)
    assert (silences.no_beat_s, silences.no_news_s, silences.stopping_s) == (STEP_S, STEP_S, STEP_S)


def test_a_heartbeat_is_a_sign_of_life_but_no_news() -> None:
    silences = Silences(now_s=0.0)
    silences.step(0.5, expecting=True, stopping=False)
    silences.heard(Heartbeat())
    assert (silences.no_beat_s, silences.no_news_s) == (0.0, 0.5)
    silences.heard(Progressed("weights", 0.5))
    assert silences.no_news_s == 0.0


def test_once_loaded_there_is_news_to_give_only_while_there_are_answers() -> None:
    silences = Silences(now_s=0.0)
    silences.heard(Ready(EngineFacts("scripted", "cpu", 1024, None, 0.0)))
    silences.step(0.5, expecting=False, stopping=False)
    assert silences.no_news_s == 0.0
    silences.step(1.0, expecting=True, stopping=False)
    assert silences.no_news_s == 0.5
    silences.heard(Words(((1, "word"),)))
    assert silences.no_news_s == 0.0
    silences.step(2.0, expecting=True, stopping=False)
    silences.heard(Said(1, Chunk("", finish="stop")))
    assert silences.no_news_s == 0.0
