"""Configs of the published models, by the short names that tests use."""

from __future__ import annotations

from launcher import families

KNOWN_CONFIGS = {
    name.partition("/")[2].lower().replace(".", "_"): config
    for name, config in families.KNOWN_CONFIGS.items()
    if not name.startswith("Shanghai_AI_Laboratory/")
}
