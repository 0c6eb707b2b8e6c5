"""What a measurement on a GPU finds, kept as it goes: a machine may be gone before the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Trial:
    """What was found, and what did not hold."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.found: dict[str, Any] = {"failed": []}

    def note(self, key: str, value: Any) -> None:
        self.found[key] = value
        print(key, value, flush=True)
        self._file.write_text(json.dumps(self.found, indent=1))

    def holds(self, what: str, true: bool) -> None:
        if not true:
            self.found["failed"].append(what)
        self.note(what, true)
