"""What is told of models to whoever keeps figures of them."""

from __future__ import annotations

from launcher.messages import Chunk


class Observer:
    """Is told what happens, by any thread and while the manager decides: each method has to return at once.
    This one keeps nothing."""

    def loaded(self, model: str) -> None:
        """The model was loaded, or woken."""

    def died(self, model: str) -> None:
        """The model's process ended, and nobody had asked it to."""

    def answered(self, model: str, end: Chunk) -> None:
        """An answer of the model's ended with this chunk; one that somebody stopped has no usage."""


SILENT = Observer()
