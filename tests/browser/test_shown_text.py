"""What Chromium makes of answers and questions: nothing in them is obeyed, code and typed text are shown
letter for letter.

The bubbles are written into a Chatbot with the settings of the page's own, hundreds at a time; one test asks
through the page itself.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from launcher.ui import gradio_import  # noqa: F401 - Gradio is imported as the page imports it
from launcher.ui.answer_html import blocks_as_html
from launcher.ui.shown_text import typed_as_shown
from tests.browser.conftest import Open
from tests.browser.person import answers, ask, boxes, questions, ready
from tests.free_port import free_port
from tests.ui.scripted_page import Served
from tests.ui.shown import answer_as_shown
from tests.ui.test_shown_text import ALLOWED, ATTRIBUTES, Tags

pytestmark = pytest.mark.browser

CORPUS = [
    "\\`<img src=x onerror=alert(1)>\\`",
    "``` a`b\n<img src=x>\n```",
    "| a | b |\n|---|---|\n| `x | y` | <img src=x> |",
    "$$ <img src=x> $$ and `$$` <h1>x</h1> `$$`",
    "`$$` a\n\n```c\n<b> $$ </b>\n```\n\n<form><input type=password></form>",
    "```mermaid\n<img src=x onerror=alert(1)>\n```",
    "<style>* { display: none }</style><iframe src=x></iframe><script>alert(1)</script>",
    "Text:\n\n    if x < 3:\n        return 12.\n    <b>![a](b)\n",
    "- a list\n  ```html\n  <b>&amp;</b>\n  ```\n- end",
    "`a\n<b>`",
    "%%%LATEX_BLOCK_0%%% \\(a\\) [x](http://a.b/%%%LATEX_BLOCK_0%%%)",
    '[x](http://a.b "$$ onmouseover=alert(1) $$")',
    "![x](http://elsewhere.test/x.png) [y](javascript:alert(1)) <http://example.com>",
    "12.",
]
ALPHABET = [
    *(
        "`",
        "``",
        "```",
        "~~~",
        "|",
        "\\",
        "$$",
        "\\(",
        "\\)",
        "\\[",
        "\\]",
        "<",
        ">",
        "&",
        "&lt;",
        "&#91;",
        "'",
    ),
    *(
        '"',
        "\n",
        "\n\n",
        " ",
        "    ",
        "\t",
        "- ",
        "1. ",
        "> ",
        "# ",
        "*",
        "**",
        "_",
        "a",
        "b c",
        "|---|---|\n",
    ),
    *("<img src=x onerror=alert(1)>", "<h1>", "</p>", "<form>", "<!--", "-->", "<style>", "![a](b)", "]: "),
    *("```mermaid\n", "%%%LATEX_BLOCK_0%%%", "```c\n", "<http://b.c>", "[", "](", ")"),
]
IN_PAGE = """
() => [...document.querySelectorAll('[data-testid=bot], [data-testid=user]')].map((bubble) => {
  const shown = bubble.querySelector('.md');
  const inKatex = (node) => node.closest('.katex, .katex-error');
  const elements = [...shown.querySelectorAll('*')].filter((node) => !inKatex(node));
  return {
    tags: [...new Set(elements.map((node) => node.tagName.toLowerCase()))],
    attributes: [...new Set(elements.flatMap((node) => node.getAttributeNames()))],
    code: [...shown.querySelectorAll('code')].map((node) => node.textContent),
    text: shown.innerText,
    katex: shown.querySelectorAll('.katex').length,
  };
})
"""


def made(count: int) -> list[str]:
    dice = random.Random(7)
    return ["".join(dice.choices(ALPHABET, k=dice.randint(2, 24))) for _ in range(count)]


@pytest.fixture(scope="module")
def bubbles_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """A page with a bubble for each text: answers first, then the same as questions."""
    import gradio as gr

    from launcher.ui.chat_tab import _FORMULAS

    texts = [*CORPUS, *made(300)]
    value = [
        *(
            {"role": "assistant", "content": [{"type": "text", "text": answer_as_shown(text)}]}
            for text in texts
        ),
        *({"role": "user", "content": [{"type": "text", "text": typed_as_shown(text)}]} for text in texts),
    ]

    async def launched() -> tuple[gr.Blocks, str]:
        """Inside a running loop, Gradio makes none of its own, which it would never close."""
        with gr.Blocks() as blocks:
            gr.Textbox()
            gr.Chatbot(value, latex_delimiters=_FORMULAS, group_consecutive_messages=False)
        return blocks, blocks.launch(server_port=free_port(), prevent_thread_lock=True, quiet=True)[1]

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as thread:
        patch.setenv("GRADIO_TEMP_DIR", os.fspath(tmp_path_factory.mktemp("gradio")))
        blocks, url = thread.submit(lambda: asyncio.run(launched())).result()
        yield url, texts
        blocks.close(verbose=False)


def test_nothing_is_obeyed_and_code_and_typed_text_are_shown_as_they_are(
    bubbles_page: tuple[str, list[str]], opened: Open
) -> None:
    url, texts = bubbles_page
    page = opened(url)
    expect(page.locator("[data-testid=user]")).to_have_count(len(texts))
    filled = sum(bool(blocks_as_html(text)) for text in texts) + len(texts)
    page.wait_for_function(
        "(filled) => document.querySelectorAll('.md:has(> *)').length >= filled",
        arg=filled,
    )
    seen = page.evaluate(IN_PAGE)
    assert len(seen) == 2 * len(texts)
    for text, bubble in zip(texts, seen, strict=False):
        assert set(bubble["tags"]) <= ALLOWED, text
        assert {name.lower() for name in bubble["attributes"]} <= ATTRIBUTES | {"target", "rel"}, text
        assert bubble["code"] == Tags("".join(blocks_as_html(text))).code, text
    for text, bubble in zip(texts, seen[len(texts) :], strict=True):
        assert set(bubble["tags"]) <= {"div"}, text
        assert bubble["text"].rstrip("\n") == text.rstrip("\n"), text


def test_formulas_are_set(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    ask(browser, "Inline \\(a < b_1\\) and\n\n$$\nx\n= y\n$$\n\nthe end of it")
    expect(answers(browser)).to_contain_text("the end of it")
    expect(answers(browser).locator(".katex")).to_have_count(2)


LEFT_OF_LAST_WORD_PX = """(bubble) => {
    const words = document.createTreeWalker(bubble, NodeFilter.SHOW_TEXT).nextNode();
    const last = document.createRange();
    last.setStart(words, words.data.lastIndexOf("\\n") + 1);
    last.setEnd(words, words.length);
    return last.getBoundingClientRect().left;
}"""


def test_nothing_is_wider_than_its_bubble_and_lines_go_the_way_of_their_letters(
    page: Served, opened: Open
) -> None:
    browser = ready(opened(page.url, width=390, height=844))
    ask(browser, f"`{'x' * 150}` and **more** $${'x+' * 60}y$$\nمرحبا")
    expect(answers(browser).locator(".katex")).to_have_count(1)
    answer, question = boxes(answers(browser).last, questions(browser).last)
    for part in boxes(*answers(browser).last.locator("code, strong").all()):
        assert part["right"] <= answer["right"]
    middle_px = (question["left"] + question["right"]) / 2
    assert questions(browser).last.evaluate(LEFT_OF_LAST_WORD_PX) > middle_px


def test_a_copied_answer_is_the_answer(page: Served, opened: Open) -> None:
    browser = ready(opened(page.url))
    ask(browser, "**bold** <b> `12.` 星 $$")
    expect(answers(browser).locator("strong")).to_have_text("bold")
    browser.get_by_role("button", name="Copy message").locator("visible=true").first.click()
    browser.wait_for_function(
        "async () => (await navigator.clipboard.readText()).trim() === '**bold** <b> `12.` 星 $$'"
    )


def test_a_block_of_code_is_copied(bubbles_page: tuple[str, list[str]], opened: Open) -> None:
    url, texts = bubbles_page
    browser = opened(url)
    number = next(n for n, text in enumerate(texts) if text.startswith("Text:"))
    block = browser.locator("[data-testid=bot]").nth(number)
    block.locator("pre").hover()
    block.locator(".copy_code_button").click()
    browser.wait_for_function(
        "async () => (await navigator.clipboard.readText()).startsWith('if x < 3:\\n    return 12.')"
    )
