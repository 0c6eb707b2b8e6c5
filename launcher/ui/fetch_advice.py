"""What a person at the page can press or do after a download has failed. What a download's own hint says is
for the terminal."""

from __future__ import annotations

from launcher.errors import LauncherError
from launcher.ui.texts import Language, say, say_error

_SOURCES = "Check the preset's sources."

ADVICE = {
    "{host} leads to {target}, where no download is: that is not followed": (
        "Start the launcher without that mirror (unset HF_ENDPOINT), then press {button}."
    ),
    "HF_HUB_OFFLINE is set: nothing is downloaded from Hugging Face": (
        "Start the launcher without HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE, then press {button}."
    ),
    "{endpoint} is not an address that can be asked: {reason}": (
        "Start the launcher with HF_ENDPOINT or MODELSCOPE_DOMAIN set to an address such as"
        " https://example.org, or to nothing."
    ),
    "{endpoint} does not answer as a hub does when it is asked for {name}": (
        "Is a mirror set, or does the launcher's network ask for a login first? Then press {button}."
    ),
    "{endpoint} is not reached{through}: {reason}": (
        "Check the connection of the machine that the launcher runs on, then press {button}."
    ),
    "{endpoint} gives {name} only to those who were let in": (
        "Ask for it at {endpoint}/{name}, type on the launcher's machine: {hf} auth login, then press"
        " {button}."
    ),
    "{endpoint} knows no model {name}, or it is private": "Check the spelling in the preset's sources.",
    "{endpoint} does not give {name}: HTTP {status}": "Press {button} in a while.",
    "{name} needs {needed:.1f} MB more in {folder}, and {free:.1f} MB are free there": (
        "Make room there, then press {button}."
    ),
    "The disk of {folder} is full": "Make room there, then press {button}: it goes on where it stopped.",
    "{folder} cannot be written: {reason}": "Mend that on the launcher's machine, then press {button}.",
    "The hub lists a file named {name}, which no file of a model is called": _SOURCES,
    "{name} on the hub holds no {part}: it is not a model that the launcher could run": _SOURCES,
    "{file} on the hub has {size} bytes, more than the {limit} that such a file may have": _SOURCES,
    "{file} is being downloaded by another program": "Wait for that program, then press {button}.",
    "What came as {file} is not what the hub announced: its size or hash is wrong": (
        "Press {button}: that file is fetched anew. If it stays so, a proxy or mirror spoils it."
    ),
    "The download of {file} stopped at {had} of {size} bytes: {reason}": (
        "Press {button}: it goes on from there."
    ),
    "The hub does not give {file}: HTTP {status}": "Press {button}; the hub may give it later.",
}
"""An error of ``launcher.downloads`` by its sentence -> what to do; its values, and ``button``, fill both."""


def say_failure(error: LauncherError, button: str, language: Language) -> tuple[str, str]:
    """What failed, and what to do at the page, where ``button`` is the one to press; of an error that says
    that itself, its own hint."""
    advice = ADVICE.get(error.template)
    if advice is None:
        return say_error(error, language)
    values = {**error.values, "button": button}
    return say(error.template, language, values), say(advice, language, values)
