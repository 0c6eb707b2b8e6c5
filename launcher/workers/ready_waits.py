"""Callers that wait until a model is loaded, or until it is certain that it will not be."""

from __future__ import annotations

import copy
from collections import defaultdict
from concurrent.futures import Future

from launcher.errors import EngineError, LauncherError
from launcher.workers.states import ModelState, ModelStatus


class ReadyWaits:
    """Who waits for which model. The caller of every method holds one lock."""

    def __init__(self) -> None:
        self._waits: dict[str, list[Future[None]]] = defaultdict(list)

    def __bool__(self) -> bool:
        return bool(self._waits)

    def add(self, name: str) -> Future[None]:
        """One more who waits; resolved once the model is loaded, or fails with the reason why it is not."""
        wait: Future[None] = Future()
        self._waits[name].append(wait)
        return wait

    def tell(self, status: ModelStatus) -> None:
        """Where the model stands now."""
        if status.state is ModelState.READY:
            self.loaded(status.name)
        elif status.error is not None:
            self._refuse(status.name, status.error)
        elif status.state is ModelState.ASLEEP:
            stopped = EngineError(
                "{model} was stopped before it was loaded.", hint="Try again.", model=status.name
            )
            self._refuse(status.name, stopped)

    def loaded(self, name: str) -> None:
        """The model is loaded, be it only for a moment."""
        for wait in self._waits.pop(name, ()):
            wait.set_result(None)

    def _refuse(self, name: str, error: LauncherError) -> None:
        for wait in self._waits.pop(name, ()):
            wait.set_exception(copy.copy(error))
