"""LMDeploy's InternLM2 with the picture tower, the projector and PLoRA."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from lmdeploy.pytorch.distributed import get_tp_world_rank
from lmdeploy.pytorch.engine.input_process import BaseModelInputProcessor
from lmdeploy.pytorch.models.internlm2 import InternLM2ForCausalLM
from lmdeploy.pytorch.weight_loader.model_weight_loader import load_weight
from torch import Tensor

from launcher.errors import CheckpointError, EngineError
from launcher.models.internlm2 import split_wqkv
from launcher.models.xcomposer2 import (
    COMPUTED,
    POSITION_TABLE,
    XComposer2Config,
    build_projector,
    build_tower,
    published_shapes,
    resized_positions,
)
from launcher.models.xcomposer2_lmdeploy.adapter import (
    ADAPTER,
    PartialLora,
    PictureStretches,
    picture_stretches,
)
from launcher.models.xcomposer2_lmdeploy.pictures import XComposer2InputProcessor

TOKEN_TABLE = "model.tok_embeddings.weight"


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
