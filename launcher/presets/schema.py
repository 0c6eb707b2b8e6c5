"""What a preset is: the one schema that reading, the editors' JSON schema and the reference are made from.
Reads no files.

A ``description`` here is shown by editors and printed in the reference; a ``patternErrorMessage`` is what
editors and ``launcher presets --check`` say when a text has the wrong form.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    Tag,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from launcher.engines import table
from launcher.messages import GenerationOptions
from launcher.presets.units import GIB, SECONDS, TOKENS

Auto = Literal["auto"]
Never = Literal["never"]
TemplateName = Literal["internlm2", "internvl2", "internvl2_5", "xcomposer2", "tokenizer"]
DtypeName = Literal["auto", "bfloat16", "float16"]

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
MOST_SEED = 2**53 - 1
"""The largest number that a browser's box holds to the last digit."""
Budget = Annotated[float, Field(gt=0, le=1024)]
SessionTokens = Annotated[int, Field(ge=64, le=1_048_576)]
PictureTokens = Annotated[int, Field(ge=64, le=65536)]
AnswerTokens = Annotated[int, Field(ge=1, le=32768)]
KeepAlive = Annotated[int, Field(ge=1, le=604_800)]


def _as_list(value: Any) -> Any:
    """One text is a list of one; lists become the tuples that the schema takes."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Texts = Annotated[tuple[Text, ...], BeforeValidator(_as_list, json_schema_input_type=Text | tuple[Text, ...])]
_SomeSources = Annotated[tuple[Source, ...], Field(min_length=1)]
Sources = Annotated[_SomeSources, BeforeValidator(_as_list, json_schema_input_type=Source | _SomeSources)]
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


_URL_FORM = "an address such as http://127.0.0.1:8000/v1"


class Endpoint(_Section):
    """A model on a server that speaks OpenAI's API."""

    url: Annotated[
        str,
        Field(
            pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$",
            json_schema_extra={"patternErrorMessage": _URL_FORM},
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


class RemoteEngine(_Section):
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
    gpu_budget_gib: Annotated[Budget, GIB.before(Budget)] = Field(
        default=8.0,
        description="GPU memory the model may take in all, whatever the card has: a number of GiB, or a size"
        " such as 8GiB, 8192MiB or 8GB (a GB is 1,000,000,000 bytes: 8GB are 7.45 GiB).",
    )
    session_tokens: Annotated[SessionTokens | Auto, TOKENS.before(SessionTokens, Auto)] = Field(
        default="auto",
        description="Longest conversation, question and answer together, in tokens (4k is 4096); auto: as"
        " long as the KV cache holds.",
    )
    max_tiles: Annotated[int, Field(ge=1, le=64)] | Auto = Field(
        default="auto",
        description="Most tiles a picture is cut into; auto: the model's own limit, or fewer where memory"
        " asks for it. For models that cut pictures.",
    )
    max_picture_tokens: Annotated[PictureTokens | Auto, TOKENS.before(PictureTokens, Auto)] = Field(
        default="auto",
        description="Most tokens that one picture takes of the conversation (1k is 1024), and with them how"
        " finely it is looked at; auto: the model's own limit, or fewer where memory asks for it. Models that"
        " cut pictures round down to whole tiles; one whose pictures always take as many has no other"
        " number.",
    )


class ChatSettings(_Section):
    """How a conversation is written down for the model."""

    template: TemplateName | Auto = Field(
        default="auto",
        description="Form of the prompt; tokenizer: the chat template that the checkpoint's tokenizer"
        " carries; auto: the checkpoint's own.",
    )
    system_prompt: str = Field(
        default="",
        description="What the model is told before a conversation, unless a person says"
        " otherwise; empty: nothing.",
    )
    stop: Texts = Field(
        default=(), description="Text or texts that end an answer, beside the model's own end token."
    )


class GenerationSettings(_Section):
    """Defaults for drawing answers; the page's sliders start here."""

    max_new_tokens: Annotated[AnswerTokens, TOKENS.before(AnswerTokens)] = Field(
        default=512, description="Longest answer, in tokens (1k is 1024)."
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

    seed: Annotated[int, Field(ge=0, le=MOST_SEED)] | Literal["none"] = Field(
        default="none",
        description="The same seed draws the same answer to the same question, where temperature is above 0;"
        " none: each answer is drawn anew.",
    )

    def options(self) -> GenerationOptions:
        """These defaults as the options of a request."""
        seed = None if self.seed == "none" else self.seed
        return GenerationOptions(**{**self.model_dump(), "seed": seed})


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
