"""The groups of keys: memory, chat, generation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from launcher.messages import GenerationOptions
from launcher.presets.units import GIB, TOKENS
from launcher.presets.values import Auto, Section, Texts

TemplateName = Literal["internlm2", "internvl2", "internvl2_5", "xcomposer2", "tokenizer"]
MOST_SEED = 2**53 - 1
"""The largest number that a browser's box holds to the last digit."""
Budget = Annotated[float, Field(gt=0, le=1024)]
SessionTokens = Annotated[int, Field(ge=64, le=1_048_576)]
PictureTokens = Annotated[int, Field(ge=64, le=65536)]
AnswerTokens = Annotated[int, Field(ge=1, le=32768)]


class MemorySettings(Section):
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


class ChatSettings(Section):
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


class GenerationSettings(Section):
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
