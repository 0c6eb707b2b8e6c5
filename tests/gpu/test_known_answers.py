"""The built-in models behind the whole launcher (preset, readiness, manager, worker, engine) give the known
answers.

With transformers on every machine; with LMDeploy's engines where there is an NVIDIA GPU and LMDeploy is
installed, and there the texts are the transformers engine's, letter for letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from launcher.demo.conversations import draw_conversation
from launcher.demo.conversations import right as right_words
from launcher.demo.judging import judge
from launcher.demo.known_answers import HELD_OUT_START, held_out_cases
from launcher.demo.pictures import encode
from launcher.demo.wordings import QuestionKind
from launcher.devices import read_devices
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models

HAS_GPU = bool(read_devices().gpus) and find_spec("lmdeploy") is not None
GPU = (pytest.mark.gpu, pytest.mark.skipif(not HAS_GPU, reason="needs an NVIDIA GPU and LMDeploy"))
LEAST_RIGHT = 0.97
LEAST_SAME = 0.99
PICTURES, CONVERSATIONS = 8, 80
KINDS: tuple[QuestionKind, ...] = ("colour", "shape", "count", "count_of", "where", "exists")

Case = tuple[tuple[Message, ...], Callable[[str], bool]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


def picture_cases(folder: Path, pictures: int = PICTURES, first: int = 7000) -> Iterator[Case]:
    for case in held_out_cases(pictures, KINDS, first=first):
        path = folder / f"scene-{case.scene.seed}"
        if not path.exists():
            path.write_bytes(encode(case.scene))
        yield (Message("user", case.question.text, (path,)),), partial(judge, case.question)


def chat_cases() -> Iterator[Case]:
    for seed in range(HELD_OUT_START, HELD_OUT_START + CONVERSATIONS):
        *earlier, last = draw_conversation(seed)
        told = [
            message
            for turn in earlier
            for message in (Message("user", turn.text), Message("assistant", turn.answer))
        ]
        yield (*told, Message("user", last.text)), partial(right_words, last)


@cache
def answers(model: str, engine: str, folder: Path) -> tuple[str, ...]:
    """What the model says to every case, on that engine, through a worker process of its own."""
    preset = read_presets().find(model).model_copy(update={"engine": engine})
    models = runnable_models([assess(preset, read_devices(), installed_engines())])
    with Manager(models) as manager:
        return tuple(ask(manager, model, messages) for messages, _ in cases(model, folder))


def cases(model: str, folder: Path) -> Sequence[Case]:
    return list(chat_cases() if model == "tiny-chat" else picture_cases(folder))


def ask(manager: Manager, model: str, messages: tuple[Message, ...]) -> str:
    request = ChatRequest(messages, GenerationOptions(max_new_tokens=64))
    return "".join(chunk.text for chunk in manager.ask(model, request))


PAIRS = [
    ("shapes-internvl2", "transformers"),
    ("shapes-xcomposer2", "transformers"),
    ("tiny-chat", "transformers"),
    pytest.param("shapes-internvl2", "turbomind", marks=GPU),
    pytest.param("shapes-internvl2", "pytorch", marks=GPU),
    pytest.param("shapes-xcomposer2", "pytorch", marks=GPU),
    pytest.param("tiny-chat", "turbomind", marks=GPU),
    pytest.param("tiny-chat", "pytorch", marks=GPU),
]


@pytest.mark.parametrize(("model", "engine"), PAIRS)
def test_known_answers(model: str, engine: str, folder: Path) -> None:
    given = answers(model, engine, folder)
    right = [is_right(text) for (_, is_right), text in zip(cases(model, folder), given, strict=True)]
    assert sum(right) >= LEAST_RIGHT * len(right), f"{sum(right)} of {len(right)}"
    reference = answers(model, "transformers", folder)
    same = sum(a == b for a, b in zip(given, reference, strict=True))
    assert same >= LEAST_SAME * len(given), f"{same} of {len(given)} are the transformers engine's"
