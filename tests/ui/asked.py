"""What the scripted engine was given, read back from its answer to ``/asked``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def asked(answer: str) -> dict[str, Any]:
    """The request in an answer: messages of (role, text, names of pictures), and options by name."""
    found = re.search(r"```json\n(.*)\n```", answer)
    assert found is not None, answer
    return read_request(found[1])


def read_request(text: str) -> dict[str, Any]:
    """The request that stands in a code block."""
    request = json.loads(text)
    messages = [
        (each["role"], each["text"], *(Path(path).name for path in each["pictures"]))
        for each in request["messages"]
    ]
    return {"messages": messages, "options": request["options"]}
