"""A measurement's process that has a defect."""

from __future__ import annotations

from launcher.bench.child import serve_pipe


class _Failing:
    async def answer(self, message: str) -> str:
        if message == "fail":
            raise ZeroDivisionError("nobody foresaw this")
        return message

    async def close(self) -> None:
        """Nothing is held."""


def main(pipe_fd: int, _heartbeat_s: float, launcher_pid: int) -> None:
    """Serves the pipe until it ends; does not return."""
    serve_pipe(_Failing(), pipe_fd, launcher_pid)
