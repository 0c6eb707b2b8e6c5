"""Fields of OpenAI's API that these models have nothing for: a request may say what is so anyway, and nothing
else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launcher.errors import RequestError
from launcher.settings import shown

IGNORED = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "user",
    }
)
"""What is no wish for another answer, but for whoever keeps accounts or caches."""

_TOOLS = ("tools", "functions")
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "parallel_tool_calls": (False, True),
    "prediction": (),
    "presence_penalty": (0,),
    "reasoning_effort": ("none",),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
    "web_search_options": (),
}
"""Field -> the values with which it says what is so anyway."""


def check_supported(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, without the fields that say what is so anyway.

    Raises:
        RequestError: a field asks for what there is not.
    """
    for field, value in given.items():
        if field not in _NEUTRAL or any(_is(value, neutral) for neutral in _NEUTRAL[field]):
            continue
        if field in _TOOLS:
            raise RequestError(
                "{field} cannot be used: these models call no tools",
                "Leave {field} out, or switch tools off in the program.",
                field=field,
            )
        raise RequestError(
            "{field} cannot be {value}: this endpoint does not support it",
            "Leave {field} out.",
            field=field,
            value=shown(value),
        )
    return {field: value for field, value in given.items() if field not in _NEUTRAL}


def _is(value: object, neutral: object) -> bool:
    """Equal, and true and false are no numbers."""
    return value == neutral and isinstance(value, bool) == isinstance(neutral, bool)
