"""The built-in models over the endpoint, as `launcher serve --no-page` serves it, without Gradio: their known
answers, and the same text as `launcher ask`."""

from __future__ import annotations

import base64
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from launcher.demo.known_answers import Case, held_out_cases
from launcher.demo.pictures import encode

MODEL = "shapes-internvl2"
CASES = list(islice(held_out_cases(3, reword=False), 12))


@pytest.fixture
def served(environment: dict[str, str]) -> Iterator[str]:
    """The endpoint's address."""
    command = [sys.executable, "-m", "launcher", "serve", "--no-page", "--port", "0", "--metrics"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "ssh -CNg" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            found = re.search(r"The endpoint is at (\S+)", said)
            assert found
            assert f"接口地址：{found[1]}" in said
            yield found[1]
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
        finally:
            process.kill()


def answer_to(client: OpenAI, case: Case) -> str:
    url = f"data:image/png;base64,{base64.b64encode(encode(case.scene)).decode()}"
    answer = client.chat.completions.create(
        model=MODEL,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": case.question.text},
                    {"type": "image_url", "image_url": {"url": url}},
                ],
            }
        ],
    )
    assert answer.choices[0].finish_reason == "stop"
    return str(answer.choices[0].message.content)


def test_known_answers_stop_texts_and_figures(
    served: str, environment: dict[str, str], tmp_path: Path
) -> None:
    with OpenAI(base_url=served, api_key="none", max_retries=0, timeout=300) as client:
        said = [answer_to(client, case) for case in CASES]
        assert said == [case.question.answer for case in CASES]
        talk = client.chat.completions.create(
            model="tiny-chat", messages=[{"role": "user", "content": "Reverse the word stone."}], stop="o"
        )
        assert talk.choices[0].finish_reason == "stop"
        reversed_word = str(talk.choices[0].message.content)
        assert reversed_word.endswith("en")
        assert "o" not in reversed_word
    figures = httpx.get(f"{served.removesuffix('/v1')}/metrics", trust_env=False).text
    assert f'launcher_requests_total{{model="{MODEL}"}} {len(CASES)}.0' in figures
    assert f'launcher_loads_total{{model="{MODEL}"}} 1.0' in figures
    picture = tmp_path / "picture.png"
    picture.write_bytes(encode(CASES[0].scene))
    asking = [sys.executable, "-m", "launcher", "ask", MODEL, CASES[0].question.text, "--image", str(picture)]
    told = subprocess.run(asking, env=environment, capture_output=True, text=True, check=False)
    assert told.stdout.strip() == said[0], told.stderr


def test_serving_alone_needs_no_gradio() -> None:
    program = "import sys, launcher.api.serving, launcher.api.routes; print('gradio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
