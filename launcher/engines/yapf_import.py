"""Importing yapf, which LMDeploy needs (by way of mmengine), so that no other process is in its way.

yapf 0.43 keeps its grammars in the user's cache, and gives a file there its name before all is written
(``yapf_third_party/_ylib2to3/pgen2/grammar.py``, ``dump``). The first time after an installation, a second
process that imports it at that moment reads half a file and dies of ``EOFError: Ran out of input``; one that
is killed then leaves the half for good. Making the grammars takes 35 ms, so each process has its own.
"""

from __future__ import annotations

import importlib
import os
import tempfile

_CACHE = "XDG_CACHE_HOME"
"""Where yapf looks for the user's cache."""


def import_yapf() -> None:
    """Imports it with an empty cache. To be called before anything imports LMDeploy.

    Raises:
        ImportError: it is not installed.
    """
    before = os.environ.get(_CACHE)
    with tempfile.TemporaryDirectory(prefix="launcher-yapf-") as empty:
        os.environ[_CACHE] = empty
        try:
            importlib.import_module("yapf")
        finally:
            if before is None:
                del os.environ[_CACHE]
            else:
                os.environ[_CACHE] = before
