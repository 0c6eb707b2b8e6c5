"""Preset files: YAML in, frozen ``Preset`` out; owns the schema and every message about a wrong file.

``schema`` says what a preset is (``units`` what 8GiB and 4k are), ``reading`` finds files, ``extending``
reads one with what it extends, ``places`` finds what it names; ``files``, ``yaml_tree``, ``sentences`` and
``foreign_keys`` word what is wrong.
"""

from launcher.presets.reading import Catalog, default_folder, read_presets, users_folder
from launcher.presets.schema import (
    CHECKED,
    BilingualText,
    ChatSettings,
    DtypeName,
    Endpoint,
    Example,
    GenerationSettings,
    MemorySettings,
    Preset,
    RemoteEngine,
    TemplateName,
    json_schema,
)

__all__ = [
    "CHECKED",
    "BilingualText",
    "Catalog",
    "ChatSettings",
    "DtypeName",
    "Endpoint",
    "Example",
    "GenerationSettings",
    "MemorySettings",
    "Preset",
    "RemoteEngine",
    "TemplateName",
    "default_folder",
    "json_schema",
    "read_presets",
    "users_folder",
]
