"""LMDeploy's PyTorch engine model on the CPU: its own building, loading, contexts and layers, with attention written plainly.

LMDeploy has plain CPU versions of all its operators but paged attention. What stands in here is that one operator, and the
backend that hands it out; the scheduler and CUDA graphs need a GPU and are left to tests/gpu.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from lmdeploy.pytorch.backends.attention import AttentionMetadata, PagedAttentionBuildSpec
from lmdeploy.pytorch.backends.default import DefaultOpsBackend
from lmdeploy.pytorch.config import CacheConfig, ModelConfig
from lmdeploy.pytorch.messages import HistoryMultiModals
from lmdeploy.pytorch.model_inputs import ModelInputs, StepContextManager, VisionModelInputs, step_ctx_manager
from lmdeploy.pytorch.models.patch import build_model_from_hf_config
from lmdeploy.pytorch.multimodal.data_type import MultiModalData
from lmdeploy.pytorch.weight_loader.model_weight_loader import load_model_weights
from torch import Tensor

BLOCK_TOKENS = 4
BLOCKS = 64
CUDA_BACKEND = "lmdeploy.pytorch.backends.cuda"


class PlainPagedAttention:
    """Writes keys and values into their blocks, then attends over each sequence's blocks."""

    def __init__(self, spec: PagedAttentionBuildSpec) -> None:
        self.scale = spec.scale or spec.head_dim**-0.5
        self.groups = spec.num_heads // spec.num_kv_heads

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        k_cache: Tensor,
        v_cache: Tensor,
        attn_metadata: AttentionMetadata,
        **_: Any,
    ) -> Tensor:
        out = torch.empty_like(query)
        for n, (first, count, total) in enumerate(
            zip(attn_metadata.q_start_loc, attn_metadata.q_seqlens, attn_metadata.kv_seqlens, strict=True)
        ):
            new = slice(int(first), int(first + count))
            places = torch.arange(int(total))
            blocks, offsets = attn_metadata.block_offsets[n][places // BLOCK_TOKENS].long(), places % BLOCK_TOKENS
            k_cache[blocks[-int(count) :], offsets[-int(count) :]] = key[new]
            v_cache[blocks[-int(count) :], offsets[-int(count) :]] = value[new]
            keys = k_cache[blocks, offsets].repeat_interleave(self.groups, dim=1)
            values = v_cache[blocks, offsets].repeat_interleave(self.groups, dim=1)
            scores = torch.einsum("qhd,khd->hqk", query[new], keys) * self.scale
            future = places[None, :] > places[-int(count) :, None]
            out[new] = torch.einsum("hqk,khd->qhd", scores.masked_fill(future, -torch.inf).softmax(-1), values)
        return out


class PlainBackend(DefaultOpsBackend):
    @classmethod
    def build_op(cls, spec: Any, *, enable_deterministic: bool = False) -> Any:
        if isinstance(spec, PagedAttentionBuildSpec):
            return PlainPagedAttention(spec)
        return super().build_op(spec, enable_deterministic=enable_deterministic)


@contextmanager
def plain_backend() -> Iterator[None]:
    """LMDeploy takes its CUDA backend from here."""
    stand_in = ModuleType(CUDA_BACKEND)
    stand_in.CudaOpsBackend = PlainBackend  # type: ignore[attr-defined]
    real = sys.modules.get(CUDA_BACKEND)
    sys.modules[CUDA_BACKEND] = stand_in
    try:
        yield
    finally:
        del sys.modules[CUDA_BACKEND]
        if real is not None:
            sys.modules[CUDA_BACKEND] = real


@dataclass
class Conversation:
    """One conversation in the engine: what it has in the cache, and its pictures' places."""

    blocks: list[int]
    pictures: HistoryMultiModals = field(default_factory=HistoryMultiModals)
    done: int = 0


class CpuEngine:
    """Prefills and decodes batches through the patched model, as LMDeploy's model agent does."""

    def __init__(self, folder: Path) -> None:
        self.model_config = ModelConfig.from_pretrained(str(folder))
        self.cache_config = CacheConfig(max_batches=8, block_size=BLOCK_TOKENS, num_cpu_blocks=0, num_gpu_blocks=BLOCKS)
        config = self.model_config.hf_config
        with plain_backend():
            self.ctx_mgr = StepContextManager()
            with torch.inference_mode():
                self.model = build_model_from_hf_config(config, torch.float32, torch.device("cpu"), ctx_mgr=self.ctx_mgr)
            load_model_weights(self.model, str(folder))
        shape = (BLOCKS, BLOCK_TOKENS, config.num_key_value_heads, config.head_dim)
        self.caches = [[torch.zeros(shape), torch.zeros(shape)] for _ in range(config.num_hidden_layers)]
        self._free = list(range(BLOCKS))

    def open(self, room_tokens: int) -> Conversation:
        count = -(-room_tokens // BLOCK_TOKENS)
        taken, self._free = self._free[:count], self._free[count:]
        return Conversation(taken[::-1])  # out of order, as blocks are after a while

    def close(self, sequence: Conversation) -> None:
        self._free += sequence.blocks

    def add(self, sequence: Conversation, pictures: list[MultiModalData]) -> None:
        sequence.pictures.add_inputs({"image": pictures})

    @torch.inference_mode()
    def step(self, batch: Sequence[tuple[Conversation, list[int]]], decoding: bool = False) -> list[Tensor]:
        """Logits [new tokens, vocabulary] for each sequence of a batch."""
        inputs = self._inputs(batch, decoding)
        with plain_backend():
            context = self.ctx_mgr.build_context(inputs, self.model_config, self.cache_config, self.caches)
        context.attn_metadata = AttentionMetadata(
            decoding, inputs.block_offsets, context.q_start_loc, context.q_seqlens, context.kv_seqlens
        )
        eager = torch.compiler.set_stance("force_eager")  # some of LMDeploy's operators compile themselves at the first call
        with eager, step_ctx_manager(self.ctx_mgr), self.ctx_mgr.context(context):
            arguments = self.model.prepare_inputs_for_generation(past_key_values=self.caches, context=context)
            hidden = self.model(**arguments)
            logits = self.model.get_logits(hidden)[0]
        for sequence, ids in batch:
            sequence.done += len(ids)
        return list(logits.split([len(ids) for _, ids in batch]))

    def _inputs(self, batch: Sequence[tuple[Conversation, list[int]]], decoding: bool) -> ModelInputs:
        lengths = [len(ids) for _, ids in batch]
        totals = [sequence.done + len(ids) for sequence, ids in batch]
        width = max(len(sequence.blocks) for sequence, _ in batch)
        pictures = [sequence.pictures.get_datas(sequence.done, sequence.done + len(ids)) for sequence, ids in batch]
        return ModelInputs(
            input_ids=torch.tensor([[token for _, ids in batch for token in ids]]),
            seq_length=torch.tensor(lengths),
            history_lengths=torch.tensor([sequence.done for sequence, _ in batch]),
            block_offsets=torch.tensor([s.blocks + [0] * (width - len(s.blocks)) for s, _ in batch], dtype=torch.int32),
            is_decoding=decoding,
            num_ignored_history=torch.zeros(len(batch), dtype=torch.long),
            max_q_seqlen=max(lengths),
            max_kv_seqlen=max(totals),
            sum_kv_seqlen=sum(totals),
            vision_inputs=VisionModelInputs(input_multimodals=pictures) if any(pictures) else None,
        )
