"""A plan and a request in LMDeploy's own words: engine configs, generation configs, messages. Owns no engine.

Every name of LMDeploy that is touched here or in ``launcher.engines.lmdeploy`` is checked by
tests/engines/test_lmdeploy_contract.py against the installed package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lmdeploy import ChatTemplateConfig, GenerationConfig, PytorchEngineConfig, TurbomindEngineConfig

from launcher.families import PromptForm, build_prompt
from launcher.memory import BLOCK_TOKENS, MemoryPlan
from launcher.messages import GenerationOptions, Message

PYTORCH_RUNTIME_RATIO = 0.8
"""The PyTorch engine's blocks are counted by the plan; the ratio then only has to pass its own check of
scratch memory."""


def quant_policy(kv_bits: int) -> int:
    """LMDeploy's name for KV cache bits: 0 for 16, else the bits themselves."""
    return 0 if kv_bits == 16 else kv_bits


def turbomind_config(plan: MemoryPlan, cache_ratio: float) -> TurbomindEngineConfig:
    """The plan for TurboMind. ``cache_ratio``: the cache's share of what is free once the weights are on the
    GPU."""
    return TurbomindEngineConfig(
        dtype=plan.dtype,
        session_len=plan.session_tokens,
        max_batch_size=plan.max_batch,
        max_prefill_token_num=plan.max_prefill_tokens,
        cache_max_entry_count=cache_ratio,
        cache_block_seq_len=BLOCK_TOKENS,
        quant_policy=quant_policy(plan.kv_bits),
        enable_prefix_caching=True,
        enable_metrics=False,
        devices=[0],
    )


def pytorch_config(plan: MemoryPlan) -> PytorchEngineConfig:
    """The plan for the PyTorch engine."""
    return PytorchEngineConfig(
        dtype=plan.dtype,
        session_len=plan.session_tokens,
        max_batch_size=plan.max_batch,
        max_prefill_token_num=plan.max_prefill_tokens,
        cache_max_entry_count=PYTORCH_RUNTIME_RATIO,
        num_gpu_blocks=plan.cache_blocks,
        block_size=BLOCK_TOKENS,
        quant_policy=quant_policy(plan.kv_bits),
        enable_prefix_caching=True,
        enable_metrics=False,
    )


def chat_template_config(turn_end: str) -> ChatTemplateConfig:
    """Prompts come written out (``messages_for``), so LMDeploy's template adds nothing but the token that
    ends a turn."""
    return ChatTemplateConfig(model_name="base", meta_instruction="", stop_words=[turn_end])


def generation_config(options: GenerationOptions, stop_token_ids: Sequence[int]) -> GenerationConfig:
    """How an answer is drawn. LMDeploy drops the repetition penalty of plain greedy decoding: there, draw
    from the top 1."""
    sampled = options.temperature > 0
    return GenerationConfig(
        max_new_tokens=options.max_new_tokens,
        do_sample=sampled or options.repetition_penalty != 1.0,
        temperature=options.temperature if sampled else 1.0,
        top_p=options.top_p if sampled else 1.0,
        top_k=options.top_k if sampled else 1,
        repetition_penalty=options.repetition_penalty,
        random_seed=options.seed,
        stop_token_ids=list(stop_token_ids),
        skip_special_tokens=True,
    )


def messages_for(
    conversation: Sequence[Message],
    form: PromptForm,
    open_picture: Callable[[Path], object],
    *,
    cut: bool = True,
) -> list[dict[str, Any]]:
    """One message whose content is the whole prompt with its pictures; for ``do_preprocess=False``.

    Where LMDeploy itself writes a picture's opening, tokens and closing, the prompt is cut around all three,
    and pictures stand in their places. Its newer preprocessing reads the first part alone, and wants the
    marks of pictures in it.

    Args:
        conversation: what is written down.
        form: how.
        open_picture: a picture's file -> what the pipeline takes for a picture.
        cut: LMDeploy writes pictures down.

    Raises:
        RequestError: there are pictures, and the model reads text only.
        PictureError: a picture cannot be read.
    """
    prompt = build_prompt(conversation, form)
    pictures = [path for message in conversation for path in message.pictures]
    if not pictures:
        return [{"role": "user", "content": prompt}]
    shown = [{"type": "image_data", "image_data": {"data": open_picture(path)}} for path in pictures]
    if not cut:
        return [{"role": "user", "content": [{"type": "text", "text": prompt}, *shown]}]
    pieces = prompt.split(form.picture)
    content: list[dict[str, Any]] = [{"type": "text", "text": pieces[0]}]
    for picture, piece in zip(shown, pieces[1:], strict=True):
        content += [picture, {"type": "text", "text": piece}]
    return [{"role": "user", "content": content}]
