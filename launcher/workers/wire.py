"""Messages between the launcher and a model's process <-> bytes (MessagePack), without pickle: what arrives
can be a message of ``protocol`` and nothing else, so that a process that was taken over runs no code in the
launcher.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

from msgspec import ValidationError, convert
from msgspec.msgpack import Decoder, Encoder

from launcher.errors import LauncherError
from launcher.presets import CHECKED, Preset
from launcher.workers.crossing_errors import CrossingError, came_over, to_cross
from launcher.workers.message_pipe import UnreadableMessage
from launcher.workers.protocol import FromWorker, ToWorker

Read = TypeVar("Read")

FROM_WORKER_BYTES = 17 << 20
"""The longest message that is taken from a model's process: a piece of an answer as long as the launcher
keeps one for its reader (``answers.UNREAD_CHARACTERS``, each of up to 4 bytes)."""

TO_WORKER_BYTES = 256 << 20
"""The longest that a model's process takes from the launcher, whose questions are bounded before."""


def to_bytes(message: ToWorker | FromWorker) -> bytes:
    """The message as it goes over the pipe; half characters in its errors and paths are kept or replaced.

    Raises:
        UnicodeEncodeError: a text is not well-formed (see ``launcher.messages.well_formed``).
        OverflowError: a number has more than 64 bits.
    """
    return _encoder.encode(message)


def from_worker(data: bytes) -> FromWorker:
    """What a model's process says.

    Raises:
        UnreadableMessage: it is no message of ``protocol.FromWorker``.
    """
    return _read(_from_worker, data)


def to_worker(data: bytes) -> ToWorker:
    """What the launcher says.

    Raises:
        UnreadableMessage: it is no message of ``protocol.ToWorker``.
    """
    return _read(_to_worker, data)


def _read(decoder: Decoder[Read], data: bytes) -> Read:
    try:
        return decoder.decode(data)
    except (ValidationError, ValueError, RecursionError) as error:  # ValueError: not MessagePack, not UTF-8
        raise UnreadableMessage(str(error)) from error


def _plain(value: Any) -> Any:
    """What msgspec does not know itself, in types that it does."""
    match value:
        case Path():
            return os.fsencode(value)
        case LauncherError():
            return to_cross(value)
        case Preset():  # where it was found stays behind: the launcher's own hints need that
            return value.model_dump_json()
    raise NotImplementedError(f"no message holds a {type(value).__name__}")


def _rebuilt(kind: type, plain: Any) -> Any:
    """The value of which `_plain` made ``plain``. Raises ValueError or TypeError, told as ValidationError."""
    if kind is Path:
        return Path(os.fsdecode(convert(plain, bytes)))
    if kind is LauncherError:
        return came_over(convert(plain, CrossingError))
    if kind is Preset:
        return Preset.model_validate_json(convert(plain, str), context=CHECKED)
    raise NotImplementedError(f"no message holds a {kind.__name__}")


_encoder = Encoder(enc_hook=_plain)
_from_worker: Decoder[FromWorker] = Decoder(FromWorker, dec_hook=_rebuilt)
_to_worker: Decoder[ToWorker] = Decoder(ToWorker, dec_hook=_rebuilt)
