"""What is said of an answer's cost and of how it ended."""

from __future__ import annotations

import pytest

from launcher.errors import EngineError
from launcher.messages import Chunk, FinishReason, Usage
from launcher.ui.status_line import error_html, render, render_cost, without_seconds
from launcher.ui.texts import Language
from launcher.workers.states import ModelState, ModelStatus

USAGE = Usage(prompt_tokens=50, picture_tokens=0, new_tokens=14, first_token_s=0.1, total_s=1.0)


@pytest.mark.parametrize(
    ("finish", "language", "said", "not_said"),
    [
        ("length", "en", "reached its limit in tokens, 14: raise it under Advanced", "session"),
        ("length", "zh", "达到 14 个 token 的上限", "会话"),
        ("session_full", "en", "session of 64 tokens. Begin a new conversation or shorten", "raise it"),
        ("session_full", "zh", "（64 个 token）。请开始新对话或缩短问题", "高级设置"),
        ("stop", "en", "14 tokens in 1.0 s", "limit"),
        ("cancelled", "en", "14 tokens in 1.0 s", "cut off"),
    ],
)
def test_an_answer_that_was_cut_off_says_by_what(
    finish: FinishReason, language: Language, said: str, not_said: str
) -> None:
    line = render_cost(Chunk("", finish, USAGE), language)
    assert said.replace("'", "&#x27;") in line
    assert not_said not in line


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "1 token in 1.0 s. 1 token of pictures."),
        ("zh", "1 个 token，用时 1.0 秒。 图片占 1 个 token。"),
    ],
)
def test_one_token_is_no_plural(language: Language, line: str) -> None:
    one = Usage(prompt_tokens=5, picture_tokens=1, new_tokens=1, first_token_s=0.1, total_s=1.0)
    assert f">{line}<" in render_cost(Chunk("", "stop", one), language)


@pytest.mark.parametrize(
    ("new_tokens", "rate"), [(3, "0.2"), (11, "1.0"), (100, "9.9"), (101, "10"), (2001, "200")]
)
def test_a_slow_rate_has_two_figures_as_a_fast_one(new_tokens: int, rate: str) -> None:
    usage = Usage(prompt_tokens=5, picture_tokens=0, new_tokens=new_tokens, first_token_s=1.0, total_s=11.0)
    assert f" {rate} tokens a second." in render_cost(Chunk("", "stop", usage), "en")


def test_seconds_are_marked_for_the_page_to_count_on() -> None:
    early, late = (
        render(ModelStatus("one", ModelState.LOADING, stage="<weights>", fraction=0.5, since_s=since_s), "en")
        for since_s in (1.9, 12.0)
    )
    assert 'Loading: &lt;weights&gt;, 50 %, <span class="seconds">1</span> s' in early
    assert '<span class="seconds">12</span> s' in late
    assert without_seconds(early) == without_seconds(late)


@pytest.mark.parametrize(
    ("what", "language", "line"),
    [
        ("It failed: no room", "en", "It failed: no room. Try again."),
        ("It failed.", "en", "It failed. Try again."),
        ("它失败了", "zh", "它失败了。 请重试。"),
    ],
)
def test_what_failed_has_an_end_before_what_to_do(what: str, language: Language, line: str) -> None:
    assert error_html(EngineError(what, hint="Try again."), language) == line
    assert error_html(EngineError(what), language) == what
