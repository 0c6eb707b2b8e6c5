"""Numbers written with a unit, as ``8GiB``, ``4k`` or ``10m`` -> the number that a key takes.

Which units a key knows is said by its type (``sections``, ``schema``); what is not written so stays as it is,
for the schema to judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_NUMBER = r"[0-9]{1,12}(\.[0-9]{1,6})?"
_WRITTEN = re.compile(rf"(?P<number>{_NUMBER}) ?(?P<unit>[A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Units:
    """The units of one kind of number.

    Args:
        factors: what a unit, in lower-case letters, is times the key's own.
        examples: what editors and errors say of a text with a unit.
    """

    factors: Mapping[str, Decimal]
    examples: str

    def read(self, value: Any) -> Any:
        """The number that a text with one of the units means, whole where it can be; anything else as it
        is."""
        found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
        factor = self.factors.get(found["unit"].lower()) if found else None
        if found is None or factor is None:
            return value
        number = Decimal(found["number"]) * factor
        return int(number) if number == number.to_integral_value() else float(number)

    def before(self, number: Any, word: Any = None) -> BeforeValidator:
        """Reads a text with a unit before the key's own type sees it.

        Args:
            number: the type of the number alone.
            word: that of a word that may stand for it, such as "auto".
        """
        text = Annotated[
            str, Field(pattern=self._pattern(), json_schema_extra={"patternErrorMessage": self.examples})
        ]
        written = number | text if word is None else number | word | text
        return BeforeValidator(self.read, json_schema_input_type=written)

    def _pattern(self) -> str:
        """In JSON schema's regular expressions, which have no switch for capitals."""
        units = "|".join("".join(f"[{letter}{letter.upper()}]" for letter in unit) for unit in self.factors)
        return f"^{_NUMBER} ?({units})$"


_GIB = Decimal(2**30)

GIB = Units(
    {"gib": Decimal(1), "mib": 1 / Decimal(1024), "gb": 10**9 / _GIB, "mb": 10**6 / _GIB},
    "a size in that range, such as 8GiB, 8192MiB or 8GB (a GB is 1,000,000,000 bytes)",
)
TOKENS = Units({"k": Decimal(1024), "m": Decimal(1024**2)}, "a count in that range, such as 4k (k is 1024)")
SECONDS = Units(
    {"s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)},
    "a time in that range, such as 30s, 10m, 2h or 1d",
)
