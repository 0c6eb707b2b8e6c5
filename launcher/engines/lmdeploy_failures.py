"""What each way in which LMDeploy ends a request means for a person. Owns the wording, not the handling."""

from __future__ import annotations

from lmdeploy.messages import ResponseType
from lmdeploy.serve.core.exceptions import ErrorCode
from lmdeploy.serve.core.exceptions import RequestError as LmdeployRequestError

from launcher.engines.base import log_place
from launcher.errors import EngineBroken, EngineError, LauncherError, RequestError

RESTART_HINT = "Ask again: the model starts anew. The whole story is in its log: {log}"
"""Of every ``EngineBroken``."""


class StatusError(LmdeployRequestError):  # type: ignore[misc]  # LMDeploy is untyped
    """LMDeploy's error for a request that ended badly, with the status that LMDeploy itself drops."""

    def __init__(self, status: ResponseType) -> None:
        super().__init__(_CODES.get(status, ErrorCode.INTERNAL_ERROR))
        self.status = status


_CODES = {
    ResponseType.INPUT_LENGTH_ERROR: ErrorCode.CONTEXT_LENGTH_EXCEEDED,
    ResponseType.NOT_SUPPORTED: ErrorCode.UNSUPPORTED_FEATURE,
    ResponseType.SESSION_REPEAT: ErrorCode.REQUEST_CONFLICT,
    ResponseType.PREFIX_CACHE_CONFLICT: ErrorCode.REQUEST_CONFLICT,
    ResponseType.ENGINE_STOP_ERROR: ErrorCode.ENGINE_UNAVAILABLE,
    ResponseType.SESSION_NOT_EXIST: ErrorCode.ENGINE_UNAVAILABLE,
    ResponseType.HANDLER_NOT_EXIST: ErrorCode.ENGINE_UNAVAILABLE,
    ResponseType.NO_QUEUE: ErrorCode.ENGINE_UNAVAILABLE,
    ResponseType.INTERNAL_ENGINE_ERROR: ErrorCode.INTERNAL_ERROR,
    ResponseType.OUT_OF_MEMORY: ErrorCode.INTERNAL_ERROR,
}
"""Every ResponseType that is an end, but for the good ones (SUCCESS, FINISH, CANCEL), with LMDeploy's own
code for it."""


def silent_end() -> EngineError:
    """The engine's stream ended without a reason."""
    return EngineBroken("The engine stopped in the middle of the answer.", hint=RESTART_HINT, log=log_place())


def is_out_of_room(error: EngineError) -> bool:
    """Whether ``translate`` made the error of LMDeploy's word that memory ran out."""
    cause = error.__cause__
    return isinstance(cause, StatusError) and cause.status is ResponseType.OUT_OF_MEMORY


def translate(error: Exception, *, generating: bool = True) -> LauncherError:
    """An exception of LMDeploy as one of ours; errors of ours pass. What is too long has its counts from
    ``endings.too_long``.

    Args:
        error: what was raised.
        generating: the engine was at work on the request; before that, what nobody foresaw is the question's
            fault and not the engine's.
    """
    if isinstance(error, LauncherError):
        return error
    if isinstance(error, StatusError) and error.status is ResponseType.OUT_OF_MEMORY:
        return EngineError(
            "The KV cache has no room left for this conversation beside the others.",
            hint="Wait for the other answers, or clear the conversation.",
        )
    if isinstance(error, LmdeployRequestError):
        return _by_code(error.code, error.message)
    kind, reason = type(error).__name__, str(error) or "no reason given"
    if not generating:
        return EngineError(
            "LMDeploy could not prepare the question: {kind}: {reason}",
            hint="Ask in other words. The whole story is in the model's log: {log}",
            kind=kind,
            reason=reason,
            log=log_place(),
        )
    return EngineBroken(
        "LMDeploy failed: {kind}: {reason}", hint=RESTART_HINT, kind=kind, reason=reason, log=log_place()
    )


def _by_code(code: ErrorCode, reason: str) -> LauncherError:
    match code:
        case ErrorCode.CONTEXT_LENGTH_EXCEEDED:
            return RequestError(
                "The conversation is too long for this model's session.", hint="Clear the conversation."
            )
        case ErrorCode.UNSUPPORTED_FEATURE | ErrorCode.INVALID_REQUEST:
            return RequestError(
                "LMDeploy refuses the question: {reason}",
                hint="Change the question or its options.",
                reason=reason,
            )
        case ErrorCode.PREPROCESS_FAILED:
            return RequestError(
                "LMDeploy could not prepare the question or its pictures.", hint="Try another picture."
            )
        case ErrorCode.REQUEST_CONFLICT:
            return EngineError("LMDeploy confused this question with another one.", hint="Ask again.")
        case ErrorCode.ENGINE_UNAVAILABLE:
            return EngineBroken("The engine has stopped.", hint=RESTART_HINT, log=log_place())
        case _:
            return EngineBroken(
                "The engine failed while answering: {reason}",
                hint=RESTART_HINT,
                reason=reason,
                log=log_place(),
            )
