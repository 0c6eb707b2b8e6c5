"""What the reading process says, a line of JSON each: how many pages or frames there are, then each picture
(its pixels follow the line), then the end, or why it refuses."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.json import Decoder, Encoder

from launcher.documents.limits import PAGE_PX

Reason = Literal["locked", "empty", "damaged", "too long", "no picture"]
Side = Annotated[int, Meta(ge=1, le=PAGE_PX)]


class Found(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """So many pages the document has, or frames the video."""

    count: Annotated[int, Meta(ge=1, le=1 << 40)]


class Picture(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A page or a frame; ``width * height * 3`` bytes of red, green and blue follow."""

    width: Side
    height: Side


class Refused(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The file cannot be shown; ``seconds`` is a video's length where that is why."""

    reason: Reason
    seconds: Annotated[float, Meta(ge=0, le=1e12)] = 0.0


class End(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """All pictures have come."""


Told = Found | Picture | Refused | End

LONGEST_LINE = 200
"""Bytes; longer ones are no message."""

encode = Encoder().encode
decode = Decoder(Told).decode
