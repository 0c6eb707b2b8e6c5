"""One child process: how it is spawned, how it is ended. Knows nothing of models or of what goes over the
pipe.

The child is a fresh interpreter in a session of its own: Ctrl-C in the terminal does not reach it, and ending
it takes what it spawned along (``leftovers``). Linux and macOS: the pipe is an inherited file descriptor.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from threading import Thread

from launcher.engines.base import LOG_VARIABLE
from launcher.workers.leftovers import MARK, Leftovers
from launcher.workers.limits import Limits
from launcher.workers.logs import BoundedLog
from launcher.workers.message_pipe import message_pipe
from launcher.workers.wire import FROM_WORKER_BYTES

# Not ``-m``: that would put the working directory first on the path, and would make engines which spawn
# processes import the worker once more as their main module.
_BOOT = "import sys; sys.path[:] = {path!r}; from {module} import main; main({fd}, {heartbeat_s}, {parent})"

WORKER = "launcher.workers.worker"

_UNTOUCHED = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""Has ``torch.cuda.is_available`` ask NVML. Else it asks CUDA, which reads CUDA_VISIBLE_DEVICES there and
then, and a process that stands by could no longer be given its card."""

_LOG_DRAIN_S = 1.0
"""For the last printed lines to arrive once the process is gone."""


class ChildProcess:
    """A spawned worker, its pipe and its log. ``name`` only makes it recognizable in ``ps``; ``module`` is
    whose ``main`` runs in it, with the pipe's descriptor, the heartbeat and this process's id.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(
        self, name: str, limits: Limits, log: BoundedLog, leftovers: Leftovers, module: str = WORKER
    ) -> None:
        self._limits = limits
        self._leftovers, self._mark = leftovers, leftovers.new_mark()
        self.pipe, child_end = message_pipe(FROM_WORKER_BYTES)
        try:
            boot = _BOOT.format(
                path=sys.path,
                module=module,
                fd=child_end.fileno(),
                heartbeat_s=limits.heartbeat_s,
                parent=os.getpid(),
            )
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", boot, name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(child_end.fileno(),),
                start_new_session=True,
                env={**os.environ, **_UNTOUCHED, MARK: self._mark, LOG_VARIABLE: str(log.path)},
            )
        except OSError:
            self.pipe.close()
            raise
        finally:
            child_end.close()
        assert self._process.stdout is not None
        self._log_thread = Thread(
            target=log.follow, args=(self._process.stdout,), name=f"log of {name}", daemon=True
        )
        self._log_thread.start()

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its session and process group."""
        return self._process.pid

    def end(self, grace_s: float) -> int | None:
        """Waits ``grace_s`` for the process to go, then terminates, then kills it, and takes along what it
        had spawned.

        Returns its exit code, negative for a signal, or None if even SIGKILL did not end it within
        ``kill_s``.
        """
        if not self._gone_within(grace_s):
            self._process.terminate()
            if not self._gone_within(self._limits.terminate_s):
                self._process.kill()
                self._gone_within(self._limits.kill_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._leftovers.end(self._mark)
        self._log_thread.join(_LOG_DRAIN_S)
        if not self._log_thread.is_alive() and self._process.stdout is not None:
            self._process.stdout.close()
        return self._process.returncode

    def _gone_within(self, timeout_s: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self._process.returncode is not None
