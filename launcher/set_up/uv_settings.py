"""What pip is told on this machine, in uv's words: uv reads none of pip's files and variables, and that is
where people keep their mirror, proxy and certificates."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_SECTIONS = ("global", "install", ":env:")
"""Of pip's settings for ``pip install``, the later before the earlier."""
_NAMES = {
    "UV_DEFAULT_INDEX": ("index-url", " "),
    "UV_INDEX": ("extra-index-url", " "),
    "UV_FIND_LINKS": ("find-links", ","),
    "UV_INSECURE_HOST": ("trusted-host", " "),
    "SSL_CERT_FILE": ("cert", " "),
    "ALL_PROXY": ("proxy", " "),
}
"""uv's variable: pip's setting, and what separates several values in the variable."""


def uv_environment(environ: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv. What uv is told itself goes before what pip is told.

    The cache lies in the virtual environment: there its files can be linked instead of copied, an
    installation that was cut off goes on with them, and ``make clean`` takes them along.

    Args:
        pip: pip's settings by their long names, ``pip_settings()``.
    """
    told = {
        "UV_CACHE_DIR": str(Path(sys.prefix) / "cache"),
        "UV_HTTP_TIMEOUT": pip.get("timeout", "60"),
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # as pip: the best of all indexes, and the locks pin it
    }
    for name, (setting, separator) in _NAMES.items():
        values = [each for each in pip.get(setting, "").split() if setting != "find-links" or _is_there(each)]
        if values:
            told[name] = separator.join(values)
    if "UV_INDEX_URL" in environ:  # the older name of the same
        told.pop("UV_DEFAULT_INDEX", None)
    return told | dict(environ)


def _is_there(wheels: str) -> bool:
    """Whether a place of wheels is an address, or a file or folder that exists: pip passes over others, and
    uv ends."""
    return "://" in wheels or Path(wheels).exists()


def pip_settings() -> dict[str, str]:
    """What pip's files and variables say for ``pip install``: {"index-url": "https://…"}."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, setting = name.rpartition(".")
        if section in found:
            found[section][setting] = str(ast.literal_eval(value))
    return {setting: value for section in _SECTIONS for setting, value in found[section].items()}
