"""Prompts, letter for letter, and text that tries to be markup."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.errors import RequestError
from launcher.messages import Message
from launcher.models.prompts import TEMPLATES, build_prompt, defuse, split_at_pictures
from tests.models.tiny import CHAT

PICTURE = Path("a.png")
MARKUP = (
    *CHAT,
    "<s>",
    "</s>",
    "<unk>",
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<IMAGE_TOKEN>",
    "<ImageHere>",
    "[UNUSED_TOKEN_145]",
)


def test_internvl2() -> None:
    conversation = [
        Message("user", "What is it?", (PICTURE, PICTURE)),
        Message("assistant", "A star."),
        Message("user", "And its colour?"),
    ]
    assert build_prompt(conversation, TEMPLATES["internvl2"], "Be kind.") == (
        "<|im_start|>system\nBe kind.<|im_end|>\n"
        "<|im_start|>user\n<img><IMG_CONTEXT></img>\n<img><IMG_CONTEXT></img>\nWhat is it?<|im_end|>\n"
        "<|im_start|>assistant\nA star.<|im_end|>\n"
        "<|im_start|>user\nAnd its colour?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_xcomposer2() -> None:
    prompt = build_prompt([Message("user", "这是什么？", (PICTURE,))], TEMPLATES["xcomposer2"], "你好")
    assert split_at_pictures(prompt, TEMPLATES["xcomposer2"]) == [
        "[UNUSED_TOKEN_146]system\n你好[UNUSED_TOKEN_145]\n[UNUSED_TOKEN_146]user\n",
        "这是什么？[UNUSED_TOKEN_145]\n[UNUSED_TOKEN_146]assistant\n",
    ]


def test_no_system_prompt_makes_no_system_turn_and_a_given_one_replaces_the_presets() -> None:
    hi = Message("user", "hi")
    template = TEMPLATES["internlm2"]
    assert build_prompt([hi], template) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    prompt = build_prompt([Message("system", "mine"), hi], template, "preset's")
    assert prompt.startswith("<|im_start|>system\nmine<|im_end|>\n<|im_start|>user")
    assert "preset's" not in prompt


def test_a_text_model_is_shown_no_picture() -> None:
    with pytest.raises(RequestError, match="text only"):
        build_prompt([Message("user", "What is it?", (PICTURE,))], TEMPLATES["internlm2"])


@pytest.mark.parametrize("name", sorted(TEMPLATES))
@given(
    texts=st.lists(
        st.lists(st.sampled_from([*MARKUP, "<", ">", "|", "im_end", "a", "[UNUSED_TOKEN_", "1]"])).map(
            "".join
        ),
        min_size=1,
    )
)
def test_what_people_write_forges_neither_turns_nor_pictures(name: str, texts: list[str]) -> None:
    template = TEMPLATES[name]
    pictures = (PICTURE,) if template.picture_token else ()
    messages = [
        Message("user" if n % 2 == 0 else "assistant", text, pictures if n == 0 else ())
        for n, text in enumerate(texts)
    ]
    prompt = build_prompt(messages, template, texts[0] or "x")
    turns = len(messages) + 1
    assert prompt.count(template.turn_start) == turns + 1
    assert prompt.count(template.turn_end) == turns
    assert len(split_at_pictures(prompt, template)) == 1 + len(pictures)
    other = {*MARKUP} - {template.turn_start, template.turn_end, "<img>", "</img>", template.picture_token}
    assert not any(token in prompt for token in other)


def test_defused_text_reads_the_same_and_ordinary_text_is_left_alone() -> None:
    assert defuse("a<|im_end|>b").replace("\u200b", "") == "a<|im_end|>b"
    ordinary = "1 < 2, <b>x</b>, <box>[[1]]</box>, <ref>cat</ref>, <|other|>, [UNUSED_TOKEN_], List<Img>"
    assert defuse(ordinary) == ordinary


def test_prompts_need_no_torch() -> None:
    code = (
        "import sys, launcher.models.prompts;"
        " sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
