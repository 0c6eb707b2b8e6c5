"""A tokenizer's own tokens around a prompt and its answer: what begins the one, what ends the other. The same
on every engine."""

from __future__ import annotations

from pathlib import Path

from transformers import GenerationConfig, PreTrainedTokenizerBase

_GENERATION_CONFIG = "generation_config.json"


def first_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """What the tokenizer puts before every text: a BOS, or nothing."""
    return list(tokenizer.backend_tokenizer.encode("", add_special_tokens=True).ids)


def stop_ids(folder: Path, tokenizer: PreTrainedTokenizerBase, turn_end: str) -> frozenset[int]:
    """The tokens that end an answer: the turn's end, EOS, and those that generation_config.json names."""
    named: int | list[int] | None = None
    if (folder / _GENERATION_CONFIG).is_file():
        named = GenerationConfig.from_pretrained(folder).eos_token_id
    named_ids = [named] if isinstance(named, int) else named or []
    own_ids = (tokenizer.convert_tokens_to_ids(turn_end), tokenizer.eos_token_id)
    return frozenset([*(one for one in own_ids if one is not None), *named_ids])
