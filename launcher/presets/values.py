"""What several keys of a preset are made of: texts, sources, cards; and the base of every group of keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

Auto = Literal["auto"]
Never = Literal["never"]
Text = Annotated[str, Field(min_length=1)]
Source = Annotated[
    str,
    Field(
        pattern=r"^(hf:\w[\w.-]*/\w[\w.-]*|modelscope:\w[\w.-]*/\w[\w.-]*|(builtin|awq):[a-z0-9][a-z0-9._-]*|[/~.$].*)$",
        json_schema_extra={
            "patternErrorMessage": "hf:org/name, modelscope:org/name, builtin:name, awq:preset (what"
            " `launcher quantize` makes of it), or a folder (it begins with /, ~, . or $)"
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


def _as_list(value: Any) -> Any:
    """One text is a list of one; lists become the tuples that the schema takes."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_list, json_schema_input_type=Text | tuple[Text, ...])]
_SomeSources = Annotated[tuple[Source, ...], Field(min_length=1)]
Sources = Annotated[_SomeSources, BeforeValidator(_as_list, json_schema_input_type=Source | _SomeSources)]


class Section(BaseModel):
    """A group of keys: all of it checked, nothing unknown let through, unchanged once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class BilingualText(Section):
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
