"""What a preset is: the one schema that reading, the editors' JSON schema and the reference are made from.
Reads no files.

A ``description`` here is shown by editors and printed in the reference; a ``patternErrorMessage`` is what
editors and ``launcher presets --check`` say when a text has the wrong form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, ValidatorFunctionWrapHandler, field_validator
from pydantic_core import PydanticCustomError

from launcher.presets.engine_choice import Endpoint, EngineChoice, RemoteEngine
from launcher.presets.sections import ChatSettings, GenerationSettings, MemorySettings
from launcher.presets.units import SECONDS
from launcher.presets.values import Auto, BilingualText, GpuName, Never, Section, Sources

DtypeName = Literal["auto", "bfloat16", "float16"]
KeepAlive = Annotated[int, Field(ge=1, le=604_800)]


class Example(Section):
    """A question to try. Pictures lie next to the preset file, or ship with the launcher
    (``builtin:shapes-1.png``)."""

    question: BilingualText = Field(description="What is asked.")
    pictures: tuple[Path, ...] = Field(
        default=(),
        description="Pictures beside the preset file or below, or builtin:name for one that ships with the"
        " launcher.",
    )


class Preset(Section):
    """One model as the launcher offers it."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9._-]*$",
            max_length=64,
            json_schema_extra={
                "patternErrorMessage": "a name of lower-case letters, digits, '.', '_' and '-' that begins"
                " with a letter or digit"
            },
        ),
    ] = Field(description="What the model is called in commands and addresses; unique.")
    extends: str = Field(
        default="",
        json_schema_extra={"minLength": 1},  # of one that is given; "" is none, which crosses to workers
        description="Another preset, by its name or its file (a path from this file, ending in .yaml), whose"
        " keys this one has too, but for its name. memory, chat and generation are merged key by key; every"
        " other key that stands here, lists included, takes the place of the other preset's.",
    )
    title: BilingualText = Field(description="What the tab is called.")
    kind: Literal["vision", "text"] = Field(description="vision: takes pictures; text: does not.")
    engine: EngineChoice = Field(
        default="auto",
        description="What runs the model; auto: the fastest that can on this machine. Or a server elsewhere:"
        " `openai:` with the keys below.",
    )
    sources: Sources = Field(
        default=(),
        validate_default=True,
        description="Where the checkpoint may be: one place, or several in order, of which the first that"
        " exists on this machine wins. Required, but for a model on a server, where it means nothing.",
    )
    dtype: DtypeName = Field(
        default="auto",
        description="The 16 bits that weights are held and computed in on a GPU; auto: the checkpoint's own,"
        " or float16 on a card without bfloat16 (before 2020). A CPU computes in 32 bits, whatever stands"
        " here.",
    )
    gpu: Annotated[int, Field(ge=0, le=1023)] | GpuName | Auto = Field(
        default="auto",
        description="The card that it runs on: its number as nvidia-smi counts, or its uuid (nvidia-smi -L"
        " lists both); auto: whichever has room.",
    )
    memory: MemorySettings = Field(
        default=MemorySettings(), description="How much of the GPU the model may take."
    )
    keep_alive_s: Annotated[KeepAlive | Never, SECONDS.before(KeepAlive, Never)] = Field(
        default="never",
        description="Time without a question until it leaves memory: seconds, or a time such as 30s, 10m, 2h"
        " or 1d; never: it leaves when another model needs its place.",
    )
    chat: ChatSettings = Field(
        default=ChatSettings(), description="How a conversation is written down for the model."
    )
    generation: GenerationSettings = Field(default=GenerationSettings(), description="How answers are drawn.")
    examples: tuple[Example, ...] = Field(default=(), description="Questions to try, shown in the tab.")

    _given: Path | None = PrivateAttr(default=None)

    @field_validator("sources", mode="wrap")
    @classmethod
    def _sources_or_server(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> tuple[str, ...]:
        if value == () and "engine" in info.data:
            if isinstance(info.data["engine"], RemoteEngine):
                return ()
            raise PydanticCustomError("missing", "Field required")
        checked: tuple[str, ...] = handler(value)
        return checked

    @property
    def engine_name(self) -> str:
        """What its engine is called (``launcher.engines.table``), or ``table.AUTO``."""
        return "openai" if isinstance(self.engine, RemoteEngine) else self.engine

    @property
    def endpoint(self) -> Endpoint | None:
        """The model on a server that it stands for; None for one that runs here."""
        return self.engine.openai if isinstance(self.engine, RemoteEngine) else None

    @property
    def given(self) -> tuple[Path, ...]:
        """What a command has to be given with ``--presets`` to know this preset; none for the launcher's
        own."""
        return (self._given,) if self._given else ()

    def found_in(self, path: Path) -> Preset:
        """The same preset, found in a file or folder that a person named."""
        found = self.model_copy()
        found._given = path
        return found

    @property
    def api_name(self) -> str:
        """Name of the chat's API endpoint on the page, without the leading slash."""
        return "chat_" + self.name.replace("-", "_").replace(".", "_")


def json_schema() -> dict[str, Any]:
    """The schema editors check preset files with (JSON Schema draft 2020-12)."""
    made = Preset.model_json_schema()
    alone = [key for key in made["required"] if key != "name"]  # or they come from the preset it extends
    elsewhere = {"properties": {"engine": {"type": "object"}}, "required": ["engine"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "properties": _as_written(made["properties"]),
        "title": "launcher preset",
        "required": ["name"],
        "if": {"not": {"required": ["extends"]}},
        "then": {"required": alone, "if": {"not": elsewhere}, "then": {"required": ["sources"]}},
    }


def _as_written(properties: dict[str, Any]) -> dict[str, Any]:
    """In the order of the shipped files: ``engine`` is read first, as it says whether ``sources`` are needed,
    and stands behind them."""
    keys = [key for key in properties if key != "engine"]
    keys.insert(keys.index("sources") + 1, "engine")
    return {key: properties[key] for key in keys}
