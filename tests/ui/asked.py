"""What the scripted engine was given, read back from its answer to ``/asked``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ui.scripted_page import Served, scripted, served

OWN = {"max_new_tokens": 300, "temperature": 0.5, "top_p": 0.9, "top_k": 40, "repetition_penalty": 1.1}
"""How the talker's preset draws its answers."""

OPTIONS = {**OWN, "seed": None}
"""What its engine is given where nobody changes that."""


@contextmanager
def talking(folder: Path, system: str) -> Iterator[Served]:
    """A page with one model, the talker, whose preset has this system prompt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "uploads"))
        with served([scripted("talker", folder, loading=system, generation=OWN)], folder) as page:
            yield page


def asked(answer: str) -> dict[str, Any]:
    """The request in an answer: messages of (role, text, names of pictures), and options by name."""
    found = re.search(r"```json\n(.*)\n```", answer)
    assert found is not None, answer
    return read_request(found[1])


def one_tile_of(text: str) -> list[str]:
    """The names of the pictures of which the engine was to show one tile, in an answer to
    ``/asked``."""
    found = re.search(r"\{.*\}", text)
    assert found is not None, text
    return sorted(Path(path).name for path in json.loads(found[0])["one_tile"])


def read_request(text: str) -> dict[str, Any]:
    """The request that stands in a code block."""
    request = json.loads(text)
    messages = [
        (each["role"], each["text"], *(Path(path).name for path in each["pictures"]))
        for each in request["messages"]
    ]
    return {"messages": messages, "options": request["options"]}
