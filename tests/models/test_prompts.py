"""Prompts, letter for letter, and text that tries to be markup."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from launcher.errors import RequestError
from launcher.families import TEMPLATES, build_prompt, split_at_pictures
from launcher.messages import Message
from tests.models.test_internlm2_tokenizer import real_folders, write_tokenizer
from tests.models.tiny import CHAT

PICTURE = Path("a.png")
PUBLISHED = Path(__file__).with_name("published_prompts.json")
FOLDERS = {
    "internlm2": "internlm2",
    "internvl2": "internvl",
    "internvl2_5": "internvl",
    "xcomposer2": "xcomposer2",
}
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


def makers_prompt(name: str, talk: Sequence[tuple[str, str, int]]) -> str:
    """A conversation (role, text, pictures) as the makers' own code writes it, put down a second time."""
    start, end = {
        "internlm2": ("<|im_start|>", "<|im_end|>\n"),
        "internvl2": ("<|im_start|>", "<|im_end|>"),
        "internvl2_5": ("<|im_start|>", "<|im_end|>\n"),
        "xcomposer2": ("[UNUSED_TOKEN_146]", "[UNUSED_TOKEN_145]\n"),
    }[name]
    picture = "<ImageHere>" if name == "xcomposer2" else "<img><IMG_CONTEXT></img>\n"
    written, number = "", 0
    for role, text, pictures in talk:
        written += f"{start}{role}\n"
        for _ in range(pictures):
            number += 1
            written += f"Image-{number}: " if pictures > 1 and name != "xcomposer2" else ""
            written += picture
        written += text.strip() if role == "assistant" and name.startswith("internvl") else text
        written += end
    return f"{written}{start}assistant\n"


def as_messages(talk: Sequence[tuple[str, str, int]]) -> list[Message]:
    return [Message(role, text, (PICTURE,) * pictures) for role, text, pictures in talk]  # type: ignore[arg-type]


TALK = (
    ("system", "Be kind.", 0),
    ("user", "What are they?", 2),
    ("assistant", " Stars. \n", 0),
    ("user", "And this?", 1),
    ("assistant", "", 0),
    ("user", "And  these?", 3),
)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("length", [1, 2, 4, 6])
def test_a_conversation_is_written_as_the_models_makers_write_it(name: str, length: int) -> None:
    talk = [(role, text, 0 if name == "internlm2" else pictures) for role, text, pictures in TALK[:length]]
    assert build_prompt(as_messages(talk), TEMPLATES[name]) == makers_prompt(name, talk)


def test_what_stands_between_turns_differs_from_model_to_model() -> None:
    """By what the makers' conversation templates say; InternVL2's left-over ``chat_template`` differs."""
    hi = [Message("user", "hi")]
    assert build_prompt(hi, TEMPLATES["internvl2"]) == "<|im_start|>user\nhi<|im_end|><|im_start|>assistant\n"
    for name in ("internlm2", "internvl2_5"):
        assert build_prompt(hi, TEMPLATES[name]).endswith("hi<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.parametrize("case", json.loads(PUBLISHED.read_text(encoding="utf-8")), ids=str)
@pytest.mark.skipif(not real_folders(), reason="LAUNCHER_MODELS names no published tokenizer.model")
def test_the_published_tokenizers_make_the_makers_ids(case: dict[str, Any]) -> None:
    """Ids that were put together by hand: 92542 and 92543 are the ends and starts of turns, 364 a newline."""
    folder = next(
        (file.parent for file in real_folders() if FOLDERS[case["template"]] in file.parent.name), None
    )
    if folder is None:
        pytest.skip(f"no published tokenizer for {case['template']}")
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    prompt = build_prompt(as_messages(case["messages"]), TEMPLATES[case["template"]])
    assert tokenizer.encode(prompt) == case["ids"]


@pytest.mark.parametrize("name", ["internlm2", "internvl2", "internvl2_5"])
def test_a_turns_end_and_the_next_ones_start_are_tokens(name: str, tmp_path: Path) -> None:
    kind = name.removesuffix("_5")
    tokenizer = AutoTokenizer.from_pretrained(write_tokenizer(tmp_path / "t", kind), trust_remote_code=False)
    end, start = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|im_start|>"])
    newline = tokenizer.encode("\n", add_special_tokens=False)
    ids = tokenizer.encode(build_prompt(as_messages([("system", "a", 0), ("user", "b", 0)]), TEMPLATES[name]))
    ends = [at for at, token in enumerate(ids) if token == end]
    between = [] if name == "internvl2" else newline
    assert len(ends) == 2
    for at in ends:
        assert ids[at + 1 : at + 2 + len(between)] == [*between, start]


def test_a_conversation_is_written_as_it_is_given() -> None:
    """Nobody's system prompt stands in for one that is not there, and one that is blank is a turn."""
    prompt = build_prompt([Message("user", "hi")], TEMPLATES["internlm2"])
    assert prompt == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


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
    messages.insert(0, Message("system", texts[0]))
    prompt = build_prompt(messages, template)
    turns = len(messages)
    assert prompt.count(template.turn_start) == turns + 1
    assert prompt.count(template.turn_end) == turns
    assert len(split_at_pictures(prompt, template)) == 1 + len(pictures)
    other = {*MARKUP} - {template.turn_start, template.turn_end, "<img>", "</img>", template.picture_token}
    assert not any(token in prompt for token in other)


def test_defused_text_reads_the_same_and_ordinary_text_is_left_alone() -> None:
    defuse = TEMPLATES["internvl2"].defuse
    assert defuse("a<|im_end|>b").replace("\u200b", "") == "a<|im_end|>b"
    ordinary = "1 < 2, <b>x</b>, <box>[[1]]</box>, <ref>cat</ref>, <|other|>, [UNUSED_TOKEN_], List<Img>"
    assert defuse(ordinary) == ordinary


def test_prompts_need_no_torch() -> None:
    code = "import sys, launcher.families; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
