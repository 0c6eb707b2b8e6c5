"""config.json, its numbers checked as they are taken: what is missing or wrong is named with its file and
key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launcher.errors import CheckpointError

WRONG_CONFIG = "This config.json is no published model's: download the model again, or mend the file."
LANGUAGE_PARTS = ("llm_config", "text_config", "language_config")
"""Where config.json describes the language model inside a picture model."""
_MAX_VALUE_SHOWN = 60
_MOST = 10**12
"""The largest published rotary base is 10**10."""


@dataclass(frozen=True, slots=True)
class ConfigPart:
    """An object of config.json; ``place`` is its path in the file, with a dot at the end."""

    values: Mapping[str, Any]
    file: str
    place: str = ""

    def whole(self, key: str, high: int, default: int | None = None) -> int:
        """A whole number from 1 to ``high``; the default where there is none.

        Raises:
            CheckpointError: it is missing, or no such number.
        """
        value = self._value(key, default)
        if type(value) is not int or not 1 <= value <= high:  # true is an int to Python
            raise CheckpointError(
                "{file}: {key} is {value}, not a whole number from 1 to {high}",
                WRONG_CONFIG,
                **self.facts(key),
                high=high,
            )
        return value

    def share(self, key: str) -> float:
        """A number above 0 and up to 1. Raises CheckpointError."""
        value = self._value(key)
        if type(value) not in (int, float) or not 0 < value <= 1:
            raise CheckpointError(
                "{file}: {key} is {value}, not a number above 0 and up to 1",
                WRONG_CONFIG,
                **self.facts(key),
            )
        return float(value)

    def positive(self, key: str) -> float:
        """A number above 0, within all reason. Raises CheckpointError."""
        value = self._value(key)
        if type(value) not in (int, float) or not 0 < value < _MOST:
            raise CheckpointError(
                "{file}: {key} is {value}, not a number above 0 and below {high}",
                WRONG_CONFIG,
                **self.facts(key),
                high=_MOST,
            )
        return float(value)

    def part(self, key: str, default: Mapping[str, Any] | None = None) -> ConfigPart:
        """An object in this one; the default where there is none. Raises CheckpointError."""
        value = self._value(key, default)
        if not isinstance(value, Mapping):
            raise CheckpointError(
                "{file}: {key} is {value}, not an object with keys", WRONG_CONFIG, **self.facts(key)
            )
        return ConfigPart(value, self.file, f"{self.place}{key}.")

    def facts(self, key: str) -> dict[str, object]:
        """What an error says about a key."""
        text = json.dumps(self.values.get(key))
        value = text if len(text) <= _MAX_VALUE_SHOWN else f"{text[: _MAX_VALUE_SHOWN - 1]}…"
        return {"file": self.file, "key": self.place + key, "value": value}

    def _value(self, key: str, default: object = None) -> Any:
        value = self.values.get(key)
        if value is None and default is None:
            raise CheckpointError("{file}: {key} is missing", WRONG_CONFIG, **self.facts(key))
        return default if value is None else value
