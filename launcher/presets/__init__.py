"""Preset files: YAML in, frozen ``Preset`` out; owns the schema and every message about a wrong file.

``schema`` says what a preset is, ``reading`` finds and reads files, ``yaml_tree`` and ``sentences`` word what
is wrong.
"""

from launcher.presets.reading import Catalog, default_folder, read_presets
from launcher.presets.schema import (
    BilingualText,
    ChatSettings,
    EngineName,
    Example,
    GenerationSettings,
    MemorySettings,
    Preset,
    TemplateName,
    json_schema,
)

__all__ = [
    "BilingualText",
    "Catalog",
    "ChatSettings",
    "EngineName",
    "Example",
    "GenerationSettings",
    "MemorySettings",
    "Preset",
    "TemplateName",
    "default_folder",
    "json_schema",
    "read_presets",
]
