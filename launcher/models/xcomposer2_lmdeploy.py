"""XComposer2 for LMDeploy's PyTorch engine: what LMDeploy 0.18 lacks, plugged in from outside by one call of
``register``.

LMDeploy's own InternLM2 does the work (paged KV cache, continuous batching, CUDA graphs in decoding). Added
to it: the picture tower and projector, and PLoRA, which stands where LMDeploy keeps the LoRA adapters of a
linear layer. Prefill tells the adapters which stretches of the flattened batch are pictures; decoding has
none, so its CUDA graphs hold no trace of PLoRA.

Pictures are found by their places in each sequence, not by their token id: a text may hold that id. One GPU
only. Every name of LMDeploy that is touched is listed and checked in
tests/models/test_xcomposer2_lmdeploy_contract.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from lmdeploy import archs
from lmdeploy.pytorch.configurations.builder import AutoModelConfigBuilder
from lmdeploy.pytorch.configurations.default import DefaultModelConfigBuilder
from lmdeploy.pytorch.distributed import get_tp_world_rank
from lmdeploy.pytorch.engine.input_process import BaseModelInputProcessor, PreprocessInputResult
from lmdeploy.pytorch.models.internlm2 import InternLM2ForCausalLM
from lmdeploy.pytorch.models.module_map import MODULE_MAP
from lmdeploy.pytorch.multimodal.data_type import MultiModalData
from lmdeploy.pytorch.weight_loader.model_weight_loader import load_weight
from lmdeploy.vl.model.base import VISION_MODELS, VisionModel
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoTokenizer

from launcher.errors import CheckpointError, EngineError, RequestError
from launcher.families import TEMPLATES
from launcher.models.internlm2 import split_wqkv
from launcher.models.weights import CheckpointTensors
from launcher.models.xcomposer2 import (
    ARCHITECTURE,
    COMPUTED,
    POSITION_TABLE,
    XComposer2Config,
    build_projector,
    build_tower,
    picture_pixels,
    published_shapes,
    read_sizes,
    resized_positions,
)

TOKEN_TABLE = "model.tok_embeddings.weight"
_TEMPLATE = TEMPLATES["xcomposer2"]
PLACE = str(_TEMPLATE.picture_token)
"""Stands for a picture in a prompt."""
ADAPTER = "partial_lora"
"""Our name among a linear layer's ``lora_adapters``."""


class PictureStretches:
    """Where the pictures of the forward pass under way are in the flattened batch; empty in decoding. One per
    model."""

    def __init__(self) -> None:
        self.now: tuple[slice, ...] = ()


class PartialLora(nn.Module):
    """``out[pictures] += scale * B (A x[pictures])``, called by LMDeploy's linear layers as one of their LoRA
    adapters.

    A fused layer (gate and up) has one A [rank * parts, in] and a B [out, rank] for each of its parts.
    """

    def __init__(
        self, parts: Sequence[int], in_features: int, rank: int, scale: float, pictures: PictureStretches
    ) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.empty(rank * len(parts), in_features), requires_grad=False)
        self.B = nn.ParameterList(nn.Parameter(torch.empty(out, rank), requires_grad=False) for out in parts)
        self.scale = scale
        self._pictures = pictures

    def forward(self, x: Tensor, base_output: Tensor) -> Tensor:
        """x [1, tokens, in], base_output [1, tokens, out]; changes base_output in place and returns it."""
        rows, out = x.flatten(0, -2), base_output.flatten(0, -2)
        for stretch in self._pictures.now if self.scale else ():
            low = functional.linear(rows[stretch], self.A).chunk(len(self.B), dim=1)
            columns = torch.split(out[stretch], [b.shape[0] for b in self.B], dim=1)
            for part, mid, b in zip(columns, low, self.B, strict=True):
                part.addmm_(mid, b.T, alpha=self.scale)
        return base_output


class InternLMXComposer2ForCausalLM(InternLM2ForCausalLM):
    """LMDeploy's InternLM2 with pictures and PLoRA. Built by LMDeploy from the module map."""

    def __init__(
        self, config: XComposer2Config, ctx_mgr: Any, dtype: torch.dtype, device: torch.device
    ) -> None:
        if get_tp_world_rank()[0] != 1:
            raise EngineError(
                "XComposer2 runs on one GPU; LMDeploy was given tp={tp}",
                hint="Use tp=1.",
                tp=get_tp_world_rank()[0],
            )
        super().__init__(config, ctx_mgr, dtype=dtype, device=device)
        self.pictures = PictureStretches()
        self.vit = build_tower(config, dtype, device)
        self.vision_proj = build_projector(config).to(device=device, dtype=dtype)
        self._add_partial_lora(config, dtype, device)
        self._shapes = published_shapes(config)
        self._awaited = set(self._shapes)

    def _add_partial_lora(self, config: XComposer2Config, dtype: torch.dtype, device: torch.device) -> None:
        wide, heads_width = config.intermediate_size, config.num_attention_heads * config.head_dim
        qkv_width = heads_width + 2 * config.num_key_value_heads * config.head_dim
        for layer in self.model.layers:
            for linear, parts, width in (
                (layer.attention.wqkv, [qkv_width], config.hidden_size),
                (layer.attention.wo, [config.hidden_size], heads_width),
                (layer.feed_forward.gate_up_proj, [wide, wide], config.hidden_size),
                (layer.feed_forward.w2, [config.hidden_size], wide),
            ):
                adapter = PartialLora(parts, width, config.plora_rank, config.plora_scale, self.pictures)
                linear.lora_adapters[ADAPTER] = adapter.to(device=device, dtype=dtype)

    def prepare_inputs_for_generation(
        self, past_key_values: list[list[Tensor]], inputs_embeds: Tensor | None = None, context: Any = None
    ) -> dict[str, Any]:
        """LMDeploy's InternLM2 inputs, and the batch's pictures with their places."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            past_key_values, inputs_embeds, context
        )
        stretches, pictures = picture_stretches(context)
        inputs["pixel_values"] = torch.cat(pictures) if pictures else None
        inputs["stretches"] = stretches
        return inputs

    def forward(  # noqa: PLR0917 - LMDeploy's signature
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        past_key_values: list[list[Tensor]],
        attn_metadata: Any = None,
        inputs_embeds: Tensor | None = None,
        pixel_values: Tensor | None = None,
        stretches: tuple[slice, ...] = (),
        **kwargs: Any,
    ) -> Tensor:
        """input_ids [1, tokens], pixel_values [n, 3, s, s], a stretch of tokens for each -> hidden states [1,
        tokens, hidden]."""
        if pixel_values is not None:
            inputs_embeds = self._with_pictures(input_ids, inputs_embeds, pixel_values, stretches)
        self.pictures.now = stretches
        hidden: Tensor = super().forward(
            input_ids, position_ids, past_key_values, attn_metadata, inputs_embeds, **kwargs
        )
        return hidden

    def _with_pictures(
        self,
        input_ids: Tensor,
        inputs_embeds: Tensor | None,
        pixel_values: Tensor,
        stretches: tuple[slice, ...],
    ) -> Tensor:
        embeddings: Tensor = (
            self.get_input_embeddings()(input_ids) if inputs_embeds is None else inputs_embeds
        )
        for stretch, picture in zip(stretches, self.vision_proj(self.vit(pixel_values)), strict=True):
            embeddings[0, stretch] = picture.to(embeddings.dtype)
        return embeddings

    def get_input_processor(self) -> BaseModelInputProcessor:
        """What turns a request's pictures into LMDeploy's multimodal data."""
        return XComposer2InputProcessor()

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> None:
        """Takes one file's tensors; LMDeploy calls it once a file and ``update_weights`` after the last.

        Raises:
            CheckpointError: a tensor is unknown or of the wrong shape; it is named.
        """
        super().load_weights(self._load_own(weights))

    def _load_own(self, weights: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
        """Loads pictures' and PLoRA's tensors, passes InternLM2's on."""
        parameters = dict(self.named_parameters())
        for name, tensor in weights:
            if name.endswith(COMPUTED):
                continue
            if name == POSITION_TABLE:
                tensor = resized_positions(tensor, self.config.grid_side)  # noqa: PLW2901 - the table as the model has it
            self._account(name, tensor)
            if ".Plora_" in name:
                self._load_partial_lora(name, tensor)
            elif (
                name == TOKEN_TABLE
            ):  # LMDeploy's own loading would blank the padding token's row, which is </s>
                parameters[name].data.copy_(tensor)
            elif name.startswith(("vit.", "vision_proj.")):
                load_weight(parameters[name], tensor)
            elif ".wqkv." in name and not name.endswith(".weight"):
                # In four bits LMDeploy's own loading takes no keys narrower than a group, though nothing is
                # cut on one GPU.
                parts = parameters[name].weight_spliter(tensor, layout="hgd")
                parameters[name].data.copy_(torch.cat(parts, dim=1))
            else:
                yield name, tensor

    def _account(self, name: str, tensor: Tensor) -> None:
        if self._shapes.get(name) != tensor.shape:
            raise CheckpointError(
                "tensor {name} is {found}; its config.json asks for {expected}",
                hint="Weights and config.json are not of the same model; download both again.",
                name=name,
                found=tuple(tensor.shape),
                expected=self._shapes.get(name, "no such tensor"),
            )
        self._awaited.discard(name)

    def _load_partial_lora(self, name: str, tensor: Tensor) -> None:
        linear_name, _, half = name.removesuffix(".weight").rpartition(".Plora_")
        owner_name, _, kind = linear_name.rpartition(".")
        fused = {"w1": ("gate_up_proj", 0), "w3": ("gate_up_proj", 1)}
        linear, part = fused.get(kind, (kind, 0))
        adapter = self.get_submodule(f"{owner_name}.{linear}").lora_adapters[ADAPTER]
        if half == "A":
            adapter.A.data.chunk(len(adapter.B))[part].copy_(tensor)
            return
        if kind == "wqkv":  # the rows of LMDeploy's wqkv are not grouped by KV head
            tensor = torch.cat(
                split_wqkv(tensor, self.config.num_attention_heads, self.config.num_key_value_heads)
            )
        adapter.B[part].data.copy_(tensor)

    def update_weights(self) -> None:
        """Ends the loading.

        Raises:
            CheckpointError: tensors are missing; the first few are named.
        """
        if self._awaited:
            raise CheckpointError(
                "the checkpoint lacks {count} tensors that its config.json asks for: {names}",
                hint="A file is missing or not of this model; download the checkpoint again.",
                count=len(self._awaited),
                names=", ".join(sorted(self._awaited)[:4]),
            )
        super().update_weights()


def picture_stretches(context: Any) -> tuple[tuple[slice, ...], list[Tensor]]:
    """Where the pictures of a prefill stand in the flattened batch, and their pixels [1, 3, s, s], in that
    order.

    A sequence's tokens begin at ``q_start_loc``; what is already in the KV cache (an earlier chunk, a cached
    prefix, an earlier turn) is not among them, while a picture's ``start`` counts from the beginning of the
    sequence.
    """
    pictures_by_sequence = [found.get("image", []) for found in context.input_multimodals or ()]
    if not any(pictures_by_sequence):
        return (), []
    # one wait for the GPU per prefill with pictures, before anything of it is launched
    offsets = (context.q_start_loc - (context.kv_seqlens - context.q_seqlens)).tolist()
    pairs = zip(offsets, pictures_by_sequence, strict=True)
    placed = [
        (slice(offset + p.start, offset + p.end), p.data) for offset, pictures in pairs for p in pictures
    ]
    return tuple(stretch for stretch, _ in placed), [pixels for _, pixels in placed]


class XComposer2InputProcessor(BaseModelInputProcessor):
    """A request's pictures as LMDeploy's multimodal data, which also keys its prefix cache by their
    content."""

    def preprocess_input(
        self, input_ids: list[int], input_mms: list[dict[str, Any]] | None = None, **_: Any
    ) -> PreprocessInputResult:
        """Each picture with its place in the sequence."""
        pictures = [
            MultiModalData(
                data=found["pixel_values"],
                start=found["offset"],
                end=found["offset"] + found["image_tokens"],
                meta={"image_token_id": found["image_token_id"]},
            )
            for found in input_mms or ()
        ]
        return PreprocessInputResult(
            input_ids=input_ids, input_multimodals={"image": pictures} if pictures else None
        )


class XComposer2VisionModel(VisionModel):
    """What LMDeploy runs before the engine: pictures to pixels, the prompt to token ids with places for them.

    LMDeploy knows its newer way of doing this by the parameters of ``preprocess``, and keeps its prefix cache
    for that one alone.
    """

    _arch = ARCHITECTURE

    def build_preprocessor(self, trust_remote_code: bool = False) -> None:  # noqa: ARG002 - LMDeploy's signature
        """Reads the picture's size from the checkpoint, and its tokenizer."""
        read_sizes(self.hf_config, CheckpointTensors(Path(self.model_path)))
        self.image_token_id = self.hf_config.image_token_id
        self._tokenizer = AutoTokenizer.from_pretrained(self.model_path, trust_remote_code=False)
        self.processor = self._pixels_of

    def _pixels_of(self, picture: Image.Image, _options: dict[str, Any]) -> Tensor:
        """A picture's pixels [1, 3, s, s]; found and called as LMDeploy's own vision models do it."""
        return picture_pixels([picture], self.hf_config.img_size)

    @staticmethod
    def get_input_prompt(
        messages: list[dict[str, Any]],
        chat_template: Any,
        tools: list[object] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """The prompt with ``PLACE`` where a picture is, and nowhere else."""
        turns = [{**message, "content": _as_text(message["content"])} for message in messages]
        return str(chat_template.messages2prompt(turns, tools=tools, **(chat_template_kwargs or {})))

    def preprocess(
        self,
        messages: list[dict[str, Any]],
        input_prompt: str,
        mm_processor_kwargs: dict[str, Any] | None = None,  # noqa: ARG002 - LMDeploy's signature
    ) -> dict[str, Any]:
        """The prompt's token ids, with a BOS before them and ``image_tokens`` places for each picture, and
        the pictures' pixels.

        Raises:
            RequestError: the prompt has more or fewer places than there are pictures.
        """
        pictures = [picture for _, picture, _ in self.collect_multimodal_items(messages)]
        first, *others = input_prompt.split(PLACE)
        if len(others) != len(pictures):
            raise RequestError(
                "the prompt has {places} picture tokens but its pictures need {needed}",
                places=len(others),
                needed=len(pictures),
            )
        input_ids: list[int] = [self._tokenizer.bos_token_id, *self._encode(first)]
        found = []
        for picture, text in zip(pictures, others, strict=True):
            found.append(self._found(picture, offset=len(input_ids)))
            input_ids += [self.image_token_id] * self.hf_config.picture_tokens + self._encode(text)
        return {"input_ids": input_ids, "multimodal": found}

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _found(self, picture: Image.Image, offset: int) -> dict[str, Any]:
        """What the input processor reads of a picture whose places begin at ``offset``."""
        return {
            "pixel_values": self.processor(picture, {}).to(self.mm_feature_dtype or torch.float32),
            "offset": offset,
            "image_tokens": self.hf_config.picture_tokens,
            "image_token_id": self.image_token_id,
        }


def _as_text(content: str | list[dict[str, Any]]) -> str:
    """LMDeploy's content as text. A place that somebody typed is no picture's: prompts come defused, others
    are defused here."""
    if isinstance(content, str):
        return content.replace(PLACE, _TEMPLATE.defuse(PLACE))
    return "".join(_as_text(item["text"]) if item["type"] == "text" else PLACE for item in content)


class XComposer2ModelConfigBuilder(AutoModelConfigBuilder):
    """LMDeploy's view of the configuration. LMDeploy registers it as it is defined; it answers to this
    architecture alone."""

    @classmethod
    def condition(cls, hf_config: Any) -> bool:
        """Whether the configuration is XComposer2's."""
        return isinstance(hf_config, XComposer2Config)

    @classmethod
    def build(cls, hf_config: XComposer2Config, model_path: str | None = None, **kwargs: Any) -> Any:
        """The usual configuration, of sizes that the tensors tell."""
        if model_path is not None:
            read_sizes(hf_config, CheckpointTensors(Path(model_path)))
        return DefaultModelConfigBuilder.build(hf_config, model_path, **kwargs)


def register() -> None:
    """Makes LMDeploy's PyTorch engine in this process take XComposer2; idempotent.
    ``launcher.models.register`` comes first."""
    MODULE_MAP[ARCHITECTURE] = f"{__name__}.{InternLMXComposer2ForCausalLM.__name__}"
    VISION_MODELS.register_module(module=XComposer2VisionModel, force=True)
    if not hasattr(archs.check_vl_llm, "__wrapped__"):
        archs.check_vl_llm = _with_xcomposer2(archs.check_vl_llm)


def _with_xcomposer2(check_vl_llm: Any) -> Any:
    """LMDeploy lists its vision models inside this function, so it can only be widened from outside."""

    @wraps(check_vl_llm)
    def check(backend: str, config: dict[str, Any]) -> bool:
        return ARCHITECTURE in (config.get("architectures") or ()) or bool(check_vl_llm(backend, config))

    return check
