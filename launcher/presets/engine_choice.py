"""The key ``engine``: one that runs here, by its name, or a model on a server."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, GetJsonSchemaHandler, Tag, ValidationInfo
from pydantic_core import CoreSchema

from launcher.engines import table
from launcher.presets.values import Section, Text

CHECKED = {"checked": True}
"""The validation context of a preset that another process of the launcher has checked: that one may know
engines that this one does not."""


class _EngineNames:
    """What editors and the reference are told of ``engine``: the names that users see."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _core: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        here = [engine.name for engine in table.shown() if engine.needs != "endpoint"]
        return {"type": "string", "enum": [table.AUTO, *here]}


def _known_engine(name: str, info: ValidationInfo) -> str:
    if info.context == CHECKED or name == table.AUTO:
        return name
    if not table.is_known(name) or table.find(name).needs == "endpoint":
        raise ValueError("there is no such engine")
    return name


EngineName = Annotated[str, AfterValidator(_known_engine), _EngineNames]


_ADDRESS = re.compile(r"https?://(?:\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?(?:/.*)?")


def _can_be_asked(url: str, info: ValidationInfo) -> str:
    """The address, if httpx takes it: its host a name or an address, its port one that there is."""
    if info.context == CHECKED:
        return url
    import httpx  # 0.1 s that only presets with a server cost

    found = _ADDRESS.fullmatch(url)
    if found is None or (found["port"] and not 0 < int(found["port"]) < 1 << 16):
        raise ValueError("no address with a host and, maybe, a port")
    try:
        if not httpx.URL(url).host:
            raise ValueError("no host")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError("no address") from error
    return url


class Endpoint(Section):
    """A model on a server that speaks OpenAI's API."""

    url: Annotated[
        str,
        Field(
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
            json_schema_extra={"patternErrorMessage": "an address such as http://127.0.0.1:8000/v1"},
        ),
        AfterValidator(_can_be_asked),
    ] = Field(description="Where the server's API begins, such as http://127.0.0.1:8000/v1.")
    model: Text = Field(description="What the server calls the model; launcher doctor lists what it has.")
    key_env: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$",
            json_schema_extra={"patternErrorMessage": "the name of an environment variable"},
        ),
    ] = Field(
        default="",
        description="The environment variable that holds the server's key, which is never written here; none:"
        " the server asks for no key.",
    )


class RemoteEngine(Section):
    """The engine of a model that runs on a server."""

    openai: Endpoint = Field(description="A model on a server that speaks OpenAI's API.")


ENGINE_FORMS = ("here", "remote")
"""What pydantic calls the two forms of ``engine`` where it says what is wrong with one."""


def _engine_form(value: Any) -> str:
    return ENGINE_FORMS[isinstance(value, dict | RemoteEngine)]


class _AnyOf:
    """Editors are told of alternatives as everywhere in this schema."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        made = handler(core)
        return {"anyOf": made.pop("oneOf"), **made}


EngineChoice = Annotated[
    Annotated[EngineName, Tag(ENGINE_FORMS[0])] | Annotated[RemoteEngine, Tag(ENGINE_FORMS[1])],
    Discriminator(_engine_form),
    _AnyOf,
]
