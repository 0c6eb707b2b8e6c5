"""A checkpoint's model with one part of it in memory at a time: its pictures' tower, its token table, a
decoder layer, its head. So a model is read, run and changed where the whole would not fit.

What a layer is called and how its linear layers hang together is said here for each kind of language model;
what is done with them is others' business. Everything is float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from launcher.models import internlm2, internvl2, xcomposer2
from launcher.models.loaders import internvl2_reader, xcomposer2_reader
from launcher.models.loading import LoadRequest, PictureReader
from launcher.models.partial_lora import picture_rows_of
from launcher.models.weights import TensorMap, Unfilled, fill
from launcher.models.whole import renew_rotary

DTYPE = torch.float32
_HELD = "meta"


@dataclass(frozen=True, slots=True)
class Fold:
    """Linear layers that read the same input, and what makes it: a norm, or a linear layer whose output goes
    there number by number. A factor for each of these numbers can be moved from the one to the others. Names
    are within the decoder layer."""

    source: str
    linears: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """Where a model keeps its language model's parts: names of modules. ``seeing`` are those that a picture
    goes through; ``folds`` come in the order in which they can be made, ``alone`` are linear layers that
    nothing can be folded into."""

    language: str
    table: str
    head: str
    folds: tuple[Fold, ...]
    alone: tuple[str, ...]
    seeing: tuple[str, ...] = ()

    @property
    def linears(self) -> tuple[str, ...]:
        """All linear layers of a decoder layer."""
        return (*self.alone, *(name for fold in self.folds for name in fold.linears))


_ATTENTION = tuple(f"self_attn.{name}_proj" for name in "qkv")
_LLAMA_FOLDS = (
    Fold("input_layernorm", _ATTENTION),
    Fold("post_attention_layernorm", ("mlp.gate_proj", "mlp.up_proj")),
    Fold("mlp.up_proj", ("mlp.down_proj",)),
)
_XCOMPOSER2_FOLDS = (
    Fold("attention_norm", ("attention.wqkv",)),
    Fold("ffn_norm", ("feed_forward.w1", "feed_forward.w3")),
    Fold("feed_forward.w3", ("feed_forward.w2",)),
)


@dataclass(frozen=True, slots=True)
class Read:
    """What the first decoder layer is given of a prompt: states [1, tokens, hidden], and the rows of picture
    tokens, None where there are none or the layers make no difference."""

    states: Tensor
    picture_rows: Tensor | None = None


class LayeredModel:
    """A model whose parts are held one at a time.

    Args:
        unfilled: the model and its tensors.
        parts: where its parts are.
        device: torch device name.
        pictures: how it reads pictures, None for a text model.
        tells_pictures_apart: whether its layers are told which rows are pictures'.
    """

    def __init__(
        self,
        unfilled: Unfilled,
        parts: Parts,
        device: str,
        pictures: PictureReader | None = None,
        *,
        tells_pictures_apart: bool = False,
    ) -> None:
        self.parts = parts
        self.device = device
        self.pictures = pictures
        self.tensors = unfilled.tensors
        self._unfilled = unfilled
        self._tells_apart = tells_pictures_apart
        self._language: Any = unfilled.model.get_submodule(parts.language)
        renew_rotary(self._language, device)
        unfilled.model.requires_grad_(False).eval()

    @property
    def max_tokens(self) -> int:
        """What its positions reach."""
        return int(self._language.config.max_position_embeddings)

    @property
    def layers(self) -> int:
        """How many decoder layers there are."""
        return len(self._language.layers)

    @property
    def maps(self) -> Sequence[TensorMap]:
        """Every published tensor and where it is kept."""
        return self._unfilled.maps

    def parameters_below(self, path: str) -> dict[str, Tensor]:
        """A module's parameters by their names in the whole model."""
        found = self._unfilled.model.get_submodule(path).named_parameters()
        return {f"{path}.{name}": each for name, each in found}

    def layer_path(self, number: int) -> str:
        """A decoder layer's name."""
        return f"{self.parts.language}.layers.{number}"

    @contextmanager
    def held(self, *paths: str) -> Iterator[nn.Module]:
        """The first of these modules, while all of them have their weights; the whole model, without any, for
        no names."""
        model = self._unfilled.model
        modules = [model.get_submodule(path) for path in paths]
        for path in paths:
            fill(self._unfilled, DTYPE, self.device, below=f"{path}.")
        if isinstance(model, xcomposer2.XComposer2ForCausalLM) and "vit" in paths:
            model.vit.count_positions()
        try:
            yield modules[0] if modules else model
        finally:
            for module in modules:
                module.to(_HELD)

    @torch.inference_mode()
    def see(self, pixels: Tensor) -> Tensor:
        """What stands in a picture's places; within ``held(*parts.seeing)``."""
        assert self.pictures is not None
        return self.pictures.see(pixels.to(self.device)).cpu()

    @torch.inference_mode()
    def read(self, ids: Sequence[int], seen: Sequence[Tensor]) -> Read:
        """What the first layer is given; within ``held`` of the token table."""
        numbers = torch.tensor([ids], device=self.device)
        states: Tensor = self._table()(numbers)
        if not seen:
            return Read(states.cpu())
        assert self.pictures is not None
        is_picture = numbers == self.pictures.token_id
        shown = torch.cat([each.flatten(0, -2) for each in seen]).to(self.device)
        states = internvl2.with_pictures(states, is_picture, shown)
        return Read(states.cpu(), picture_rows_of(is_picture) if self._tells_apart else None)

    def _table(self) -> nn.Module:
        table: nn.Module = getattr(self._language, self.parts.table)
        return table

    @property
    def table_path(self) -> str:
        """The token table's name."""
        return f"{self.parts.language}.{self.parts.table}"

    @torch.inference_mode()
    def run(self, layer: nn.Module, read: Read) -> Read:
        """A held decoder layer's output for its input."""
        states = read.states.to(self.device)
        positions = torch.arange(states.shape[1], device=self.device).unsqueeze(0)
        rotary = self._language.rotary_emb(states, positions)
        more = {"picture_rows": read.picture_rows} if self._tells_apart else {}
        found = layer(states, position_embeddings=rotary, attention_mask=None, past_key_values=None, **more)
        states = found[0] if isinstance(found, tuple) else found
        return Read(states.cpu(), read.picture_rows)

    @property
    def end_paths(self) -> tuple[str, str]:
        """The names of head and last norm."""
        return self.parts.head, f"{self.parts.language}.norm"

    @torch.inference_mode()
    def logits(self, states: Tensor) -> Tensor:
        """[tokens, hidden] of the last layer -> [tokens, vocabulary]; within ``held(*end_paths)``."""
        head: Any = self._unfilled.model.get_submodule(self.parts.head)
        return functional.linear(self._language.norm(states.to(self.device)), head.weight).cpu()


def layered_internlm2(request: LoadRequest) -> LayeredModel:
    """InternLM2ForCausalLM."""
    parts = Parts("model", "embed_tokens", "lm_head", _LLAMA_FOLDS, ("self_attn.o_proj",))
    return LayeredModel(internlm2.unfilled_model(request.folder), parts, request.device)


def layered_internvl2(request: LoadRequest) -> LayeredModel:
    """InternVLChatModel with an InternLM2 inside."""
    unfilled = internvl2.unfilled_model(request.folder)
    seeing = ("model.vision_tower", "model.multi_modal_projector")
    parts = Parts(
        "model.language_model", "embed_tokens", "lm_head", _LLAMA_FOLDS, ("self_attn.o_proj",), seeing
    )
    return LayeredModel(unfilled, parts, request.device, internvl2_reader(unfilled.model, request))


def layered_xcomposer2(request: LoadRequest) -> LayeredModel:
    """InternLMXComposer2ForCausalLM."""
    unfilled = xcomposer2.unfilled_model(request.folder)
    parts = Parts(
        "model", "tok_embeddings", "output", _XCOMPOSER2_FOLDS, ("attention.wo",), ("vit", "vision_proj")
    )
    reader = xcomposer2_reader(unfilled.model)
    return LayeredModel(unfilled, parts, request.device, reader, tells_pictures_apart=True)
