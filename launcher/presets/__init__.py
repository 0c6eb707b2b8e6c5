"""Preset files: YAML in, frozen ``Preset`` out; owns the schema and every message about a wrong file.

``schema`` says what a preset is (its groups of keys are ``sections``, what they are made of ``values``;
``units`` says what 8GiB and 4k are), ``reading`` finds files, ``extending`` reads one with what it extends,
``places`` finds what it names; ``files``, ``yaml_tree``, ``sentences`` and ``foreign_keys`` word what is
wrong.
"""

from launcher.presets.engine_choice import CHECKED, Endpoint, RemoteEngine
from launcher.presets.reading import Catalog, default_folder, read_presets, users_folder
from launcher.presets.schema import DtypeName, Example, Preset, json_schema
from launcher.presets.sections import ChatSettings, GenerationSettings, MemorySettings, TemplateName
from launcher.presets.values import BilingualText

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
