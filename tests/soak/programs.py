"""What programs do at the endpoint, with the ``openai`` package: each deed has one right outcome, known
beforehand."""

from __future__ import annotations

import base64
import io
import random
from collections.abc import Iterable
from typing import Any

import openai
from openai import OpenAI
from PIL import Image

from tests.soak.client import Page, Refused
from tests.soak.server import MODELS


def a_streamed_answer(page: Page, source: random.Random) -> tuple[str, str]:
    """What is said, and what would be right."""
    model, count, mark = _drawn(source)
    stream = _client(page).chat.completions.create(
        model=model, messages=[_user(f"/name\n/say {count}\nend {mark}")], stream=True
    )
    return _text_of(stream), f"{model}{_numbers(count)}end {mark} "


def a_whole_answer(page: Page, source: random.Random) -> tuple[str, str]:
    model, count, mark = _drawn(source)
    talk = [
        _user("first"),
        {"role": "assistant", "content": "said"},
        _user(f"/name\n/say {count}\nend {mark}"),
    ]
    return _said(page, model, talk), f"{model}{_numbers(count)}end {mark} "


def a_picture_by_data_url(page: Page, source: random.Random) -> tuple[str, str]:
    content = io.BytesIO()
    size = (source.randrange(8, 900), source.randrange(8, 900))
    Image.new("RGB", size, tuple(source.randbytes(3))).save(content, "PNG")  # type: ignore[arg-type]
    url = f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
    model = source.choice(MODELS)
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "/name\nsee"}]
    return _said(page, model, [_user(parts)]), f"[picture-1] {model}see "


def a_program_that_leaves(page: Page, source: random.Random) -> tuple[str, str]:
    """In the middle of an answer."""
    stream = _client(page).chat.completions.create(
        model=source.choice(MODELS), messages=[_user("begun\n/endless")], stream=True
    )
    said = ""
    with stream:
        for chunk in stream:
            said += chunk.choices[0].delta.content or ""
            if "begun" in said:
                return said[:6], "begun "
    return said, "begun "


def a_wrong_request(page: Page, source: random.Random) -> tuple[str, str]:
    """Refused by name, whatever else goes on."""
    wrong: list[tuple[dict[str, Any], str]] = [({"n": 3}, "n"), ({"temperature": 9}, "temperature")]
    options, field = source.choice(wrong)
    try:
        _said(page, source.choice(MODELS), [_user("hello")], **options)
    except openai.BadRequestError as refusal:
        return str(refusal.param), field
    return "an answer", field


def _drawn(source: random.Random) -> tuple[str, int, int]:
    return source.choice(MODELS), source.randrange(200), source.randrange(10**9)


def _client(page: Page) -> OpenAI:
    url = str(page.client.base_url).rstrip("/")
    return OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, http_client=page.client)


def _said(page: Page, model: str, talk: list[dict[str, Any]], **options: Any) -> str:
    answer = _client(page).chat.completions.create(model=model, messages=talk, **options)  # type: ignore[call-overload]
    if answer.model != model:
        raise Refused(f"{answer.model} answers for {model}")
    return str(answer.choices[0].message.content)


def _user(content: str | list[dict[str, Any]]) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _text_of(stream: Iterable[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def _numbers(count: int) -> str:
    return "".join(f"{number} " for number in range(count))
