"""LMDeploy's PyTorch engine model on the CPU: its own building, loading, contexts and layers, with attention
written plainly.

LMDeploy has plain CPU versions of all its operators but attention, paged and not. What stands in here are
these two, the backend that hands them out, and the loop around the model. ``CpuEngine`` is told what is in a
batch; ``ScheduledCpuEngine`` leaves that to LMDeploy's scheduler, prefix cache and input maker. CUDA graphs
need a GPU and are left to tests/gpu.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from lmdeploy.pytorch.backends.attention import AttentionMetadata, PagedAttentionBuildSpec
from lmdeploy.pytorch.backends.default import DefaultOpsBackend
from lmdeploy.pytorch.backends.flash_attention import FlashAttentionBuildSpec
from lmdeploy.pytorch.config import CacheConfig, ModelConfig, SchedulerConfig
from lmdeploy.pytorch.disagg.config import EngineRole
from lmdeploy.pytorch.engine.inputs_maker import InputsMakerAsync, InputsMakerConfig
from lmdeploy.pytorch.messages import HistoryMultiModals, MessageStatus, SamplingParam, SequenceMeta
from lmdeploy.pytorch.model_inputs import ModelInputs, StepContextManager, VisionModelInputs, step_ctx_manager
from lmdeploy.pytorch.models.patch import BuildModelContext, build_model_from_hf_config
from lmdeploy.pytorch.multimodal.data_type import MultiModalData
from lmdeploy.pytorch.paging import Scheduler
from lmdeploy.pytorch.strategies.ar import ARStrategyFactory
from lmdeploy.pytorch.weight_loader.model_weight_loader import load_model_weights
from torch import Tensor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses what torch deprecates
    import lmdeploy.pytorch.nn  # noqa: F401 - while its CUDA backend can still be imported

BLOCK_TOKENS = 4


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
        spans = [
            (int(first), int(first + new))
            for first, new in zip(attn_metadata.q_start_loc, attn_metadata.q_seqlens, strict=True)
        ]
        places = [torch.arange(int(total)) for total in attn_metadata.kv_seqlens]
        slots = [
            (table[place // BLOCK_TOKENS].long(), place % BLOCK_TOKENS)
            for table, place in zip(attn_metadata.block_offsets, places, strict=True)
        ]
        for (first, end), (blocks, offsets) in zip(
            spans, slots, strict=True
        ):  # all of them first: sequences may share blocks
            k_cache[blocks[first - end :], offsets[first - end :]] = key[first:end]
            v_cache[blocks[first - end :], offsets[first - end :]] = value[first:end]
        out = torch.empty_like(query)
        for (first, end), place, (blocks, offsets) in zip(spans, places, slots, strict=True):
            keys = k_cache[blocks, offsets].repeat_interleave(self.groups, dim=1)
            values = v_cache[blocks, offsets].repeat_interleave(self.groups, dim=1)
            scores = torch.einsum("qhd,khd->hqk", query[first:end], keys) * self.scale
            future = place[None, :] > place[first - end :, None]
            out[first:end] = torch.einsum(
                "hqk,khd->qhd", scores.masked_fill(future, -torch.inf).softmax(-1), values
            )
        return out


class PlainAttention:
    """Attention without a cache, all to all within each stretch: what picture towers do."""

    def __init__(self, spec: FlashAttentionBuildSpec) -> None:
        assert not spec.causal
        self.scale = spec.scale or spec.head_dim**-0.5

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        q_start_loc: Tensor,
        q_seqlens: Tensor,
        *_: Any,
        **__: Any,
    ) -> Tensor:
        """[1, tokens, heads, size] each, or without the first."""
        shape = query.shape
        query, key, value = (each.reshape(-1, *shape[-2:]) for each in (query, key, value))
        out = torch.empty_like(query)
        for first, length in zip(q_start_loc.tolist(), q_seqlens.tolist(), strict=True):
            here = slice(first, first + length)
            scores = torch.einsum("qhd,khd->hqk", query[here], key[here]) * self.scale
            out[here] = torch.einsum("hqk,khd->qhd", scores.softmax(-1), value[here])
        return out.reshape(shape)


class PlainBackend(DefaultOpsBackend):
    @classmethod
    def build_op(cls, spec: Any, *, enable_deterministic: bool = False) -> Any:
        if isinstance(spec, PagedAttentionBuildSpec):
            return PlainPagedAttention(spec)
        if isinstance(spec, FlashAttentionBuildSpec):
            return PlainAttention(spec)
        return super().build_op(spec, enable_deterministic=enable_deterministic)


@contextmanager
def stand_in(module: str, **members: Any) -> Iterator[None]:
    """Has a module of LMDeploy that cannot be imported here be one with these members."""
    real, sys.modules[module] = sys.modules.get(module), ModuleType(module)
    vars(sys.modules[module]).update(members)
    try:
        yield
    finally:
        del sys.modules[module]
        if real is not None:
            sys.modules[module] = real


def plain_backend() -> AbstractContextManager[None]:
    """LMDeploy takes its CUDA backend from here."""
    return stand_in("lmdeploy.pytorch.backends.cuda", CudaOpsBackend=PlainBackend)


@contextmanager
def no_model_agent() -> Iterator[None]:
    """What LMDeploy's model agent imports is not in the set for CPUs; here a batch's outcome and two types
    are all of it."""
    engine = "lmdeploy.pytorch.engine."
    with (
        stand_in(engine + "model_agent", BatchedOutputs=SimpleNamespace),
        stand_in(engine + "guided_process", GuidedDecodingManager=object),
    ):
        yield


@dataclass
class Conversation:
    """One conversation in the engine: what it has in the cache, and its pictures' places."""

    blocks: list[int]
    pictures: HistoryMultiModals = field(default_factory=HistoryMultiModals)
    done: int = 0


class CpuEngine:
    """Prefills and decodes batches through the patched model, as LMDeploy's model agent does."""

    blocks = 64
    """Of the cache, each of ``BLOCK_TOKENS``."""

    def __init__(self, folder: Path) -> None:
        self.model_config = ModelConfig.from_pretrained(str(folder))
        self.cache_config = CacheConfig(
            max_batches=8, block_size=BLOCK_TOKENS, num_cpu_blocks=0, num_gpu_blocks=self.blocks
        )
        config = self.model_config.hf_config
        with plain_backend():
            self.ctx_mgr = StepContextManager()
            with torch.inference_mode():
                self.model = build_model_from_hf_config(
                    config,
                    torch.float32,
                    torch.device("cpu"),
                    ctx_mgr=self.ctx_mgr,
                    build_model_ctx=BuildModelContext(quant_config=self.model_config.quant_config),
                )
            load_model_weights(self.model, str(folder))
        known = self.model_config
        shape = (self.blocks, BLOCK_TOKENS, known.num_key_value_heads, known.head_dim)
        self.caches = [[torch.zeros(shape), torch.zeros(shape)] for _ in range(known.num_layers)]
        self._free = list(range(self.blocks))

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
        logits = self._logits(self._inputs(batch, decoding))
        for sequence, ids in batch:
            sequence.done += len(ids)
        return list(logits.split([len(ids) for _, ids in batch]))

    def _logits(self, inputs: ModelInputs) -> Tensor:
        """Logits [tokens, vocabulary] of a whole batch."""
        with plain_backend():
            context = self.ctx_mgr.build_context(inputs, self.model_config, self.cache_config, self.caches)
        context.attn_metadata = AttentionMetadata(
            inputs.is_decoding,
            inputs.block_offsets,
            context.q_start_loc,
            context.q_seqlens,
            context.kv_seqlens,
        )
        eager = torch.compiler.set_stance(
            "force_eager"
        )  # some of LMDeploy's operators compile themselves at the first call
        with eager, step_ctx_manager(self.ctx_mgr), self.ctx_mgr.context(context):
            arguments = self.model.prepare_inputs_for_generation(past_key_values=self.caches, context=context)
            hidden = self.model(**arguments)
            logits: Tensor = self.model.get_logits(hidden)[0]
        return logits

    def _inputs(self, batch: Sequence[tuple[Conversation, list[int]]], decoding: bool) -> ModelInputs:
        lengths = [len(ids) for _, ids in batch]
        totals = [sequence.done + len(ids) for sequence, ids in batch]
        width = max(len(sequence.blocks) for sequence, _ in batch)
        pictures = [
            sequence.pictures.get_datas(sequence.done, sequence.done + len(ids)) for sequence, ids in batch
        ]
        return ModelInputs(
            input_ids=torch.tensor([[token for _, ids in batch for token in ids]]),
            seq_length=torch.tensor(lengths),
            history_lengths=torch.tensor([sequence.done for sequence, _ in batch]),
            block_offsets=torch.tensor(
                [s.blocks + [0] * (width - len(s.blocks)) for s, _ in batch], dtype=torch.int32
            ),
            is_decoding=decoding,
            num_ignored_history=torch.zeros(len(batch), dtype=torch.long),
            max_q_seqlen=max(lengths),
            max_kv_seqlen=max(totals),
            sum_kv_seqlen=sum(totals),
            vision_inputs=VisionModelInputs(input_multimodals=pictures) if any(pictures) else None,
        )


@dataclass
class Answer:
    """What became of a request: its prompt's tokens found in the prefix cache, logits of all others, and what
    it said."""

    cached_tokens: int = 0
    logits: list[Tensor] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)


class ScheduledCpuEngine(CpuEngine):
    """The same under LMDeploy's scheduler, prefix cache and input maker, which decide what is in a batch."""

    modality = "image"
    """What the model's input processor calls pictures."""

    def __init__(self, folder: Path, max_prefill_tokens: int = 4096) -> None:
        super().__init__(folder)
        self.cache_config = replace(
            self.cache_config, enable_prefix_caching=True, max_prefill_token_num=max_prefill_tokens
        )
        limits = SchedulerConfig(
            max_batches=8, max_session_len=self.blocks * BLOCK_TOKENS, prefill_interval=1
        )
        parts = ARStrategyFactory(self.model_config)
        with no_model_agent():
            self._sequence_strategy, self._agent_strategy = (
                parts.build_sequence_strategy(),
                parts.build_model_agent_strategy(),
            )
            self._steps, sampling_strategy = parts.build_step_inputs(), parts.build_sampling_strategy()
        self._scheduler = Scheduler(
            limits,
            self.cache_config,
            SequenceMeta(
                BLOCK_TOKENS,
                strategy=self._sequence_strategy,
                use_mrope=self.model_config.use_mrope,
                enable_prefix_caching=True,
            ),
        )
        self._maker = InputsMakerAsync(
            executor=SimpleNamespace(device_type="cpu"),
            scheduler=self._scheduler,
            state_checkpoints=self._scheduler.state_checkpoints,
            adapter_manager=SimpleNamespace(num_adapters=lambda: 0),
            engine_strategy=parts.build_engine_strategy(self.cache_config, limits),
            sampling_strategy=sampling_strategy,
            model_agent_strategy=self._agent_strategy,
            config=InputsMakerConfig(
                max_batches=8,
                max_prefill_token_num=max_prefill_tokens,
                role=EngineRole.Hybrid,
                block_size=BLOCK_TOKENS,
                kernel_block_size=BLOCK_TOKENS,
                window_size=-1,
                enable_prefix_caching=True,
                prefix_cache_decode_state_interval=0,
                prefill_interval=1,
                use_mrope=self.model_config.use_mrope,
            ),
        )
        self._numbers = count()

    @torch.inference_mode()
    def ask(self, *requests: tuple[list[int], list[MultiModalData]], new_tokens: int = 1) -> list[Answer]:
        """Answers requests that come at the same time, greedily; pictures are under ``self.modality``."""
        sequences = []
        for ids, pictures in requests:
            session = self._scheduler.add_session(next(self._numbers))
            given = SamplingParam(max_new_tokens=new_tokens, random_seed=0)
            sequences.append(
                session.add_sequence(ids, given, multimodals={self.modality: pictures} if pictures else None)
            )
        answers = {sequence.session_id: Answer() for sequence in sequences}
        while any(sequence.status is not MessageStatus.STOPPED for sequence in sequences):
            payload = self._maker._make_forward_inputs(self._maker.do_prefill())
            self._scheduler.activate_seqs(payload["running"])
            self._maker.update_running_seqs(payload["running"], payload["inputs"])
            self._step(payload, answers)
        for sequence in sequences:
            answers[sequence.session_id].cached_tokens = sequence.cached_tokens
            self._scheduler.end_session(sequence.session_id)
        return list(answers.values())

    def _step(self, payload: dict[str, Any], answers: dict[int, Answer]) -> None:
        """What LMDeploy's model agent and engine loop do with one batch."""
        running, inputs, delta, criteria = (
            payload[key] for key in ("running", "inputs", "delta", "stopping_criteria")
        )
        if delta is not None:
            delta.fill_tensors()
            self._steps.reindex(delta)
        prefilled = inputs is not None
        if not prefilled:
            inputs, criteria = self._steps.model_inputs, self._steps.stopping_criteria
        logits = self._logits(inputs)
        if prefilled:
            for sequence, row in zip(running, logits.split(inputs.seq_length.tolist()), strict=True):
                answers[sequence.session_id].logits.append(row)
        if inputs.is_chunk and not inputs.is_last_chunk:
            return
        tokens = self._agent_strategy.slice_outputs(logits, inputs.seq_length).argmax(dim=1)
        stopped, _, criteria = criteria.step(tokens, stop_words=None)
        sampling = payload["sampling_inputs"].get_delta() if prefilled else self._steps.sampling_delta
        keep = self._steps.merge_prefill if prefilled else self._steps.step_decode
        keep(
            inputs,
            payload["extra_inputs"] if prefilled else self._steps.extra_inputs,
            criteria,
            sampling,
            tokens,
            None,
            None,
        )
        for sequence, token in zip(running, tokens.tolist(), strict=True):
            answers[sequence.session_id].tokens.append(token)
        outputs = SimpleNamespace(
            next_token_ids=tokens, stopped=stopped, model_metas=None, all_routed_experts=None
        )
        self._sequence_strategy.update_running(running, outputs, inputs if prefilled else None, delta)
