"""Tiny text models of architectures that transformers knows, with random weights in the published layout, and
a byte-level tokenizer that carries a chat template, as Qwen's and Llama's do."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from tests.models.tiny import TEXT, randomised

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{% endif %}"
)
"""Qwen's form, with Qwen3's switch."""
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' }}"
    "{{ message.content | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
QWEN_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
LLAMA_SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
PLAIN_ADDED = ("<think>", "</think>", "<tool_call>")
"""Added, and no special tokens: they are shown in answers."""
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}


@lru_cache
def _trained() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return str(tokenizer.to_str())


def qwen_tokenizer(**changes: Any) -> PreTrainedTokenizerFast:
    """Without BOS; a turn ends with <|im_end|>, which is EOS."""
    tokenizer = Tokenizer.from_str(_trained())
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in QWEN_SPECIAL])
    tokenizer.add_tokens([AddedToken(name, special=False) for name in PLAIN_ADDED])
    settings = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "chat_template": CHATML}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **{**settings, **changes})


def llama_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer adds a BOS, and so does its template; a turn ends with <|eot_id|>, which is not EOS."""
    tokenizer = Tokenizer.from_str(_trained())
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in LLAMA_SPECIAL])
    bos = LLAMA_SPECIAL[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=bos, eos_token="<|end_of_text|>", chat_template=LLAMA3
    )


ARCHITECTURES: dict[str, dict[str, Any]] = {
    "Qwen2ForCausalLM": {"model_type": "qwen2", "tie_word_embeddings": True},
    "Qwen3ForCausalLM": {"model_type": "qwen3", "head_dim": 16, "tie_word_embeddings": True},
    "LlamaForCausalLM": {"model_type": "llama", "tie_word_embeddings": False, "head_dim": 8},
}


def write_generic(folder: Path, architecture: str, seed: int = 0, **changes: Any) -> Path:
    """A checkpoint as transformers saves it, which is the published layout of these."""
    tokenizer = llama_tokenizer() if architecture.startswith("Llama") else qwen_tokenizer()
    fields = {**SIZES, **ARCHITECTURES[architecture], "vocab_size": len(tokenizer) + 3, **changes}
    config = AutoConfig.for_model(**fields)
    model = randomised(AutoModelForCausalLM.from_config(config), seed)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    ends = LLAMA_SPECIAL[1:2] if architecture.startswith("Llama") else QWEN_SPECIAL[:1]
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": tokenizer.convert_tokens_to_ids(list(ends))}), encoding="utf-8"
    )
    return folder
