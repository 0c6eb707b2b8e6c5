"""Commands that work on a model's weights take no preset whose model runs on a server."""

from __future__ import annotations

from launcher.commands_here import command
from launcher.errors import CheckpointError
from launcher.presets import Preset


def check_runs_here(preset: Preset) -> None:
    """Whether the preset's model is one of this machine.

    Raises:
        CheckpointError: it runs on a server.
    """
    if preset.endpoint is not None:
        raise CheckpointError(
            "{name} runs on the server at {url}, and its weights stay there",
            "Take a preset whose model runs on this machine: {command}",
            name=preset.name,
            url=preset.endpoint.url,
            command=command("presets", presets=preset.given),
        )
