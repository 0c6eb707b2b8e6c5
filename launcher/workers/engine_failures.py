"""Whatever an engine raised -> an error in words, in the process that it was raised in."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from launcher.engines.base import EngineSpec, is_out_of_memory, log_place
from launcher.errors import EngineBroken, EngineError, LauncherError, OutOfMemory, PictureError, RequestError

_ABOUT_ANSWERS = (EngineBroken, RequestError, PictureError)
"""What an engine says of a question; where it asked itself one to load, that is no question of a person's."""

_CUDA_LOST = ("cuda error", "cuda driver error")
"""What PyTorch says in an exception after which CUDA works no more in this process."""

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_FOLDER = "No usable temporary directory"
"""What Python says where no folder takes a temporary file."""


def load_failure(spec: EngineSpec | None, error: Exception) -> LauncherError:
    """Whatever made preparing or loading fail, in the words of a failed load."""
    model = spec.preset.name if spec else "?"
    if isinstance(error, OutOfMemory):
        return error
    if out_of_memory := next(filter(is_out_of_memory, _causes(error)), None):
        return OutOfMemory(
            "{model} ran out of memory while loading: {error}",
            hint="See who holds GPU memory with: nvidia-smi",
            model=model,
            error=_in_words(out_of_memory),
        )
    if isinstance(error, LauncherError) and not isinstance(error, _ABOUT_ANSWERS):
        return error
    if full := next(filter(_is_disk_full, _causes(error)), None):
        return EngineError(
            "{model} could not be loaded: the disk takes no more files: {error}",
            hint="Make room, or name a folder on another disk for temporary files: export TMPDIR=/folder",
            model=model,
            error=str(full),
        )
    return EngineError(
        "{model} failed while loading: {error}",
        hint="The whole story is in its log: {log}",
        model=model,
        error=_in_words(error),
        log=log_place(),
    )


def answer_defect(error: BaseException) -> EngineError:
    """Whatever went wrong over one question; ``EngineBroken`` where it will over every other, too."""
    if any(words in str(error).lower() for words in _CUDA_LOST) and not is_out_of_memory(error):
        return EngineBroken(
            "The model lost its GPU while answering: {error}",
            hint="Ask again: it starts anew. The whole story is in its log: {log}",
            error=_in_words(error),
            log=log_place(),
        )
    return EngineError("The model failed while answering: {error}", hint="Ask again.", error=_in_words(error))


def _is_disk_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and (error.errno in _DISK_FULL or _NO_FOLDER in str(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, what it was made of, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _in_words(error: BaseException) -> str:
    if isinstance(error, LauncherError):
        return error.message
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
