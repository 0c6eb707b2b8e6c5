"""One model's download in a thread of its own: begun, cancelled and gone on with by whoever asks; never two
at a time.

What has come stays, whatever happens: a cancelled download, or one that the launcher's end cuts off, is gone
on with by the next one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from launcher.checkpoints import Hub
from launcher.commands_here import command
from launcher.devices import Devices
from launcher.errors import CheckpointError, LauncherError
from launcher.fetching import plans
from launcher.fetching.pace import Pace
from launcher.fetching.states import FetchStage, FetchStatus
from launcher.fetching.tally import Tally
from launcher.presets import Preset
from launcher.readiness import InstalledEngines, Readiness

if TYPE_CHECKING:
    from launcher.downloads import Download, Progress, Source

_LOG = logging.getLogger(__name__)

TELL_S = 0.5
"""Between two tellings of how far it is, also while nothing comes, so that this is seen."""


class _CancelledError(Exception):
    """Somebody has cancelled it."""


@dataclass(eq=False)
class _Run:
    """One attempt. ``told`` says that it is to end, ``over`` that there is no news of it any more;
    ``is_whole`` that all has come, so that it cannot be cancelled any more."""

    told: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)
    is_whole: bool = False
    thread: Thread | None = None
    tally: Tally = field(default_factory=Tally)
    pace: Pace = field(default_factory=Pace)
    file: str = ""


class Fetch:
    """One model's download. Every method may be called from any thread; none waits for a hub.

    Args:
        preset: whose checkpoint it is; names one hub at least.
        devices: what the model is assessed for before its weights come.
        installed: the engines that are here.
        arrived: called once the checkpoint is here; where the model stands from then on.
        changed: called whenever there is news.
    """

    def __init__(
        self,
        preset: Preset,
        devices: Devices,
        installed: InstalledEngines,
        arrived: Callable[[str], Readiness],
        changed: Callable[[], None],
    ) -> None:
        self._preset, self._devices, self._installed = preset, devices, installed
        self._arrived, self._changed = arrived, changed
        self._lock = Lock()
        self._run: _Run | None = None
        hubs = tuple(plans.hubs_of(preset))
        self._status = FetchStatus(
            preset.name,
            hubs,
            hubs[0],
            command("pull", preset.name, presets=preset.given),
            total_bytes=plans.known_bytes(preset),
            free_bytes=plans.free_bytes(preset, hubs[0]),
        )

    def status(self) -> FetchStatus:
        """How it stands now."""
        with self._lock:
            if self._run is None or self._status.stage is not FetchStage.FETCHING:
                return self._status
            return replace(self._status, bytes_per_s=self._run.pace.bytes_per_s(time.monotonic()))

    def start(self, hub: Hub | None = None) -> None:
        """Begins, or goes on; nothing where it is under way or here already.

        Args:
            hub: which one to ask; None for the one that was asked last, at first the preferred one.
        """
        with self._lock:
            if self._status.stage.is_under_way or self._status.stage is FetchStage.HERE:
                return
            before, run = self._run, _Run()
            self._run = run
            self._status = replace(
                self._status, stage=FetchStage.ASKING, hub=hub or self._status.hub, error=None, file=""
            )
            run.thread = Thread(
                target=self._do, args=(run, before), name=f"fetching {self._preset.name}", daemon=True
            )
            run.thread.start()
        Thread(target=self._tell, args=(run,), name=f"telling of {self._preset.name}", daemon=True).start()

    def cancel(self) -> None:
        """Ends it for everybody who follows it; at once for them, and for the hub with its next piece."""
        with self._lock:
            if not self._run or self._run.is_whole or not self._status.stage.is_under_way:
                return
            self._run.told.set()
            self._run.over.set()
            self._status = replace(self._status, stage=FetchStage.STOPPED, free_bytes=self._free_bytes())
        self._changed()

    def _do(self, run: _Run, before: _Run | None) -> None:
        """A whole attempt, in its thread."""
        if before and before.thread:
            before.thread.join()  # it was cancelled, and may still wait for its hub
        try:
            if plans.whole(self._preset) is None:
                self._fetch(run)
            with self._lock:
                self._check_cancelled(run)
                run.is_whole = True
            readiness = self._arrived(self._preset.name)
            if readiness.reason is not None:
                raise readiness.reason
            self._set(run, stage=FetchStage.HERE, readiness=readiness)
        except _CancelledError:
            pass
        except LauncherError as error:
            self._fail(run, error)
        except Exception as error:  # noqa: BLE001 - logged, and told: a page must not wait for good
            _LOG.exception("A download failed in a way that nobody foresaw")
            self._fail(
                run,
                CheckpointError(
                    "The download of {name} failed: {kind}: {reason}",
                    "The terminal that runs the page says more. Press Resume to try again.",
                    name=self._preset.name,
                    kind=type(error).__name__,
                    reason=error,
                ),
            )
        finally:
            run.over.set()

    def _fetch(self, run: _Run) -> None:
        from launcher.downloads import find_repository, new_client, plan_download

        with new_client() as client:
            repository = find_repository(client, self._source())
            download = plan_download(repository, plans.destination(self._preset, repository))
            self._check_cancelled(run)
            ready = plans.readiness_of(self._preset, download, client, self._devices, self._installed)
            if ready.reason is not None:
                raise ready.reason
            download.check_room()
            self._set(run, stage=FetchStage.FETCHING, **_known_of(download))
            download.run(client, lambda step: self._report(run, step))

    def _source(self) -> Source:
        from launcher.downloads import Source

        status = self.status()
        return Source(status.hub, plans.hubs_of(self._preset)[status.hub], status.command)

    def _report(self, run: _Run, step: Progress) -> None:
        """Counts what has come; raises where somebody has cancelled it, which is how a download is left."""
        with self._lock:
            self._check_cancelled(run)
            if step.file != run.file:
                run.pace.begin()
                run.file = step.file
            if step.stage == "fetching":
                run.pace.add(time.monotonic(), step.done_bytes)
            self._status = replace(
                self._status,
                stage=FetchStage.CHECKING if step.stage == "checking" else FetchStage.FETCHING,
                file=step.file,
                done_bytes=run.tally.add(step),
            )

    def _tell(self, run: _Run) -> None:
        """In a thread of its own, as the download's may wait for its hub."""
        self._changed()
        while not run.over.wait(TELL_S):
            self._changed()

    def _check_cancelled(self, run: _Run) -> None:
        if run.told.is_set():
            raise _CancelledError

    def _fail(self, run: _Run, error: LauncherError) -> None:
        free_bytes = self._free_bytes()
        self._set(run, stage=FetchStage.FAILED, error=error, free_bytes=free_bytes)

    def _free_bytes(self) -> int | None:
        return plans.free_bytes(self._preset, self._status.hub)

    def _set(self, run: _Run, **values: Any) -> None:
        """News of this attempt, unless it has been cancelled meanwhile."""
        with self._lock:
            if run is not self._run or run.told.is_set():
                return
            self._status = replace(self._status, **values)
        self._changed()


def _known_of(download: Download) -> dict[str, Any]:
    """What the hub has told."""
    total_bytes = sum(file.size_bytes for file in download.files)
    return {
        "total_bytes": total_bytes,
        "is_exact": True,
        "done_bytes": total_bytes - download.missing_bytes,
        "unhashed": tuple(file.name for file in download.files if not file.has_hash),
    }
