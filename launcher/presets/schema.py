"""What a preset is: the one schema that reading, the editors' JSON schema and the reference are made from.
Reads no files.

A ``description`` here is shown by editors and printed in the reference; a ``patternErrorMessage`` is what
editors and ``launcher presets --check`` say when a text has the wrong form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, PrivateAttr, model_validator
from pydantic_core import CoreSchema

from launcher.messages import GenerationOptions

Auto = Literal["auto"]
TemplateName = Literal["internlm2", "internvl2", "internvl2_5", "xcomposer2"]
EngineName = Literal["auto", "turbomind", "pytorch", "transformers", "scripted"]
Text = Annotated[str, Field(min_length=1)]
Source = Annotated[
    str,
    Field(
        pattern=r"^(hf:\w[\w.-]*/\w[\w.-]*|modelscope:\w[\w.-]*/\w[\w.-]*|builtin:[a-z0-9][a-z0-9._-]*|[/~.$].*)$",
        json_schema_extra={
            "patternErrorMessage": "hf:org/name, modelscope:org/name, builtin:name, or a folder (it begins"
            " with /, ~, . or $)"
        },
    ),
]
GpuName = Annotated[
    str,
    Field(
        pattern=r"^(GPU-|MIG-)[0-9A-Za-z-]+$|^[0-9]+(:[0-9]+)?$",
        json_schema_extra={
            "patternErrorMessage": "a number as nvidia-smi counts, or a uuid (it begins with GPU- or MIG-)"
        },
    ),
]
"""Of a card; "0:2" is MIG device 2 of GPU 0."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class BilingualText(_Section):
    """The same text for an English and a Chinese reader. A plain string in the file serves both."""

    en: Text = Field(description="For readers of English.")
    zh: Text = Field(description="For readers of Chinese.")

    @model_validator(mode="before")
    @classmethod
    def _from_plain_string(cls, value: Any) -> Any:
        return {"en": value, "zh": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        both = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [{"type": "string", "minLength": 1}, both]}


class MemorySettings(_Section):
    """How much of the GPU a model may take."""

    kv_cache_ratio: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1, description="Share of the memory left free by the weights that the KV cache takes."
    )
    kv_bits: Literal[16, 8, 4] | Auto = Field(
        default="auto",
        description="Bits for each number in the KV cache; fewer bits hold more tokens; auto: 16, or 8 where"
        " a picture with its answer has no room at 16.",
    )
    gpu_budget_gib: Annotated[float, Field(gt=0, le=1024)] = Field(
        default=8.0, description="GPU memory the model may take in all, in GiB, whatever the card has."
    )
    session_tokens: Annotated[int, Field(ge=64, le=1_048_576)] | Auto = Field(
        default="auto",
        description="Longest conversation, question and answer together, in tokens; auto: as long as the"
        " KV cache holds.",
    )
    max_tiles: Annotated[int, Field(ge=1, le=64)] | Auto = Field(
        default="auto",
        description="Most tiles a picture is cut into; auto: the model's own limit, or fewer where memory"
        " asks for it.",
    )


class ChatSettings(_Section):
    """How a conversation is written down for the model."""

    template: TemplateName | Auto = Field(
        default="auto", description="Form of the prompt; auto: the checkpoint's own."
    )
    system_prompt: str = Field(
        default="",
        description="What the model is told before a conversation, unless a person says"
        " otherwise; empty: nothing.",
    )
    stop: tuple[Text, ...] = Field(
        default=(), description="Texts that end an answer, beside the model's own end token."
    )


class GenerationSettings(_Section):
    """Defaults for drawing answers; the page's sliders start here."""

    max_new_tokens: Annotated[int, Field(ge=1, le=32768)] = Field(
        default=512, description="Longest answer, in tokens."
    )
    temperature: Annotated[float, Field(ge=0, le=2)] = Field(
        default=0.0, description="0: always the likeliest token; higher: more varied answers."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="Draw from the likeliest tokens that add up to this share."
    )
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=0, description="Draw from this many likeliest tokens; 0: no limit."
    )
    repetition_penalty: Annotated[float, Field(ge=0.5, le=2)] = Field(
        default=1.0,
        description="Above 1: tokens that the answer has used become less likely; on TurboMind, whose kernel"
        " knows no other way, the prompt's tokens too.",
    )

    def options(self) -> GenerationOptions:
        """These defaults as the options of a request."""
        return GenerationOptions(**self.model_dump())


class Example(_Section):
    """A question to try. Pictures lie next to the preset file, or ship with the launcher
    (``builtin:shapes-1.png``)."""

    question: BilingualText = Field(description="What is asked.")
    pictures: tuple[Path, ...] = Field(
        default=(),
        description="Pictures beside the preset file or below, or builtin:name for one that ships with the"
        " launcher.",
    )


class Preset(_Section):
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
    title: BilingualText = Field(description="What the tab is called.")
    kind: Literal["vision", "text"] = Field(description="vision: takes pictures; text: does not.")
    sources: Annotated[tuple[Source, ...], Field(min_length=1)] = Field(
        description="Where the checkpoint may be, in order; the first that exists on this machine wins."
    )
    engine: EngineName = Field(
        default="auto", description="What runs the model; auto: the fastest that can on this machine."
    )
    gpu: Annotated[int, Field(ge=0, le=1023)] | GpuName | Auto = Field(
        default="auto",
        description="The card that it runs on: its number as nvidia-smi counts, or its uuid (nvidia-smi -L"
        " lists both); auto: whichever has room.",
    )
    memory: MemorySettings = Field(
        default=MemorySettings(), description="How much of the GPU the model may take."
    )
    keep_alive_s: Annotated[int, Field(ge=1, le=604_800)] | Literal["never"] = Field(
        default="never",
        description="Seconds without a question until it leaves memory; never: it leaves when another"
        " model needs its place.",
    )
    chat: ChatSettings = Field(
        default=ChatSettings(), description="How a conversation is written down for the model."
    )
    generation: GenerationSettings = Field(default=GenerationSettings(), description="How answers are drawn.")
    examples: tuple[Example, ...] = Field(default=(), description="Questions to try, shown in the tab.")

    _given: Path | None = PrivateAttr(default=None)

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
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Preset.model_json_schema(),
        "title": "launcher preset",
    }
