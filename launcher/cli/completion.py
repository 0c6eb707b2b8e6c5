"""What the shell completes beside commands and options; it must never fail, and says nothing when it cannot
help."""

from __future__ import annotations

from launcher.presets import read_presets


def preset_names(incomplete: str) -> list[str]:
    """Names of built-in presets, and of the user's own, that begin like this."""
    return [preset.name for preset in read_presets().presets if preset.name.startswith(incomplete)]
