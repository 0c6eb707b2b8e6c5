"""A launcher whose three scripted models do not fit on its card together, and so take turns:
``python -m tests.soak.turns_server`` serves until it is told to stop."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from queue import SimpleQueue

from launcher.api.metrics import Metrics
from launcher.cli.run_folder import run_folder
from tests.scripted_engine import register
from tests.soak.server import MODELS
from tests.ui.scripted_page import scripted, served

GIB = 2**30
SIZE_BYTES, BUDGET_BYTES = 6 * GIB, 8 * GIB
LOADING = "/pace 20 6"
"""Loads for 0.3 s."""


def main() -> None:
    told = SimpleQueue[int]()
    signal.signal(signal.SIGTERM, lambda number, _frame: told.put(number))
    register()
    memory, generation = {"session_tokens": 4096}, {"max_new_tokens": 2000}
    with run_folder() as folder, tempfile.TemporaryDirectory() as logs:
        os.environ["GRADIO_TEMP_DIR"] = str(folder)
        models = [
            scripted(name, Path(logs), LOADING, SIZE_BYTES, memory=memory, generation=generation)
            for name in MODELS
        ]
        with served(models, folder, budget_bytes=BUDGET_BYTES, metrics=Metrics()) as page:
            print(f"The page is at {page.url}", flush=True)
            told.get()


if __name__ == "__main__":
    main()
