"""The downloads of all models that can be fetched: one for each model, whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from launcher.checkpoints import Hub
from launcher.devices import Devices
from launcher.errors import RequestError
from launcher.fetching import plans
from launcher.fetching.fetch import Fetch
from launcher.fetching.states import FetchStatus
from launcher.readiness import InstalledEngines, Readiness, ReadyState


def can_be_fetched(model: Readiness) -> bool:
    """Whether nothing but a download stands between the model and its first answer."""
    return model.state is ReadyState.NEEDS_DOWNLOAD and bool(plans.hubs_of(model.preset))


class Fetches:
    """All downloads of a launcher. Every method may be called from any thread, and returns at once.

    Args:
        models: all that is offered; those that can be fetched are taken.
        devices: what models are assessed for before their weights come.
        installed: the engines that are here.
        arrived: called with a model's name once its checkpoint is here; where it stands from then on.
        changed: called whenever there is news of any.
    """

    def __init__(
        self,
        models: Iterable[Readiness],
        devices: Devices,
        installed: InstalledEngines,
        *,
        arrived: Callable[[str], Readiness],
        changed: Callable[[], None],
    ) -> None:
        self._of = {
            model.preset.name: Fetch(model.preset, devices, installed, arrived, changed)
            for model in models
            if can_be_fetched(model)
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The models that can be fetched, or were."""
        return tuple(self._of)

    def statuses(self) -> tuple[FetchStatus, ...]:
        """How each stands now."""
        return tuple(fetch.status() for fetch in self._of.values())

    def start(self, name: str, hub: Hub | None = None) -> None:
        """Begins a model's download, or goes on with it; one that is under way or done stays as it is.

        Args:
            name: the model's.
            hub: which one to ask; None for the one that was asked last, at first the preferred one.

        Raises:
            RequestError: no model of that name can be fetched, or not from that hub.
        """
        fetch = self._one(name)
        hubs = fetch.status().hubs
        if hub is not None and hub not in hubs:
            raise RequestError(
                "{name} is not on {hub}", "These have it: {hubs}.", name=name, hub=hub, hubs=", ".join(hubs)
            )
        fetch.start(hub)

    def cancel(self, name: str) -> None:
        """Ends a model's download for all who follow it; what has come stays.

        Raises:
            RequestError: no model of that name can be fetched.
        """
        self._one(name).cancel()

    def close(self) -> None:
        """The launcher ends: no thread is waited for, as none keeps a process alive, and what has come stays
        as it is on the disk."""
        for fetch in self._of.values():
            fetch.cancel()

    def _one(self, name: str) -> Fetch:
        if name not in self._of:
            raise RequestError(
                "There is nothing to download for {name}.",
                "These can be downloaded here: {names}.",
                name=name,
                names=", ".join(self._of) or "-",
            )
        return self._of[name]
