"""Tiny text models of architectures that transformers knows, with random weights in the published layout, and
a byte-level tokenizer that carries a chat template, as Qwen's and Llama's do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from launcher.models import internvl2
from tests.models.tiny import PICTURES, TEXT, picture_fields, randomised

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


def write_generic(
    folder: Path, architecture: str, seed: int = 0, spread: float = 0.3, **changes: Any
) -> Path:
    """A checkpoint as transformers saves it, which is the published layout of these."""
    tokenizer = llama_tokenizer() if architecture.startswith("Llama") else qwen_tokenizer()
    fields = {**SIZES, **ARCHITECTURES[architecture], "vocab_size": len(tokenizer) + 3, **changes}
    config = AutoConfig.for_model(**fields)
    model = randomised(AutoModelForCausalLM.from_config(config), seed, spread)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    ends = LLAMA_SPECIAL[1:2] if architecture.startswith("Llama") else QWEN_SPECIAL[:1]
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": tokenizer.convert_tokens_to_ids(list(ends))}), encoding="utf-8"
    )
    return folder


INTERNVL_SPECIAL = (*QWEN_SPECIAL, *PICTURES)
LANGUAGES = {"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}


def write_internvl_qwen(
    folder: Path,
    kind: str,
    seed: int = 0,
    spread: float = 0.3,
    picture: Mapping[str, Any] = MappingProxyType({}),
    tower: Mapping[str, Any] = MappingProxyType({}),
    **changes: Any,
) -> Path:
    """A tiny InternVL with a Qwen inside, spelt as published. ``kind``: "qwen2" or "qwen3". Its tokenizer is
    vocab.json and merges.txt, and a chat template that is not the form it was trained on. ``picture`` and
    ``tower`` change config.json and its vision_config, ``changes`` the language model's."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = json.loads(_trained())["model"]
    first = len(pieces["vocab"])
    language = {
        **SIZES,
        "architectures": [LANGUAGES[kind]],
        "attn_implementation": "flash_attention_2",
        "model_type": kind,
        "rope_theta": 1000000.0,
        "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"},
        "torch_dtype": "bfloat16",
        "vocab_size": first + len(INTERNVL_SPECIAL),
        **({"head_dim": 16} if kind == "qwen3" else {}),
        **changes,
    }
    fields = picture_fields(llm_config=language, **{"template": "internvl2_5", **picture})
    fields["vision_config"] |= tower
    model = randomised(internvl2.build_model(internvl2.InternVLChatConfig(**fields)), seed, spread)
    save_file(internvl2.published_tensors(model.to(torch.bfloat16)), folder / "model.safetensors")
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    added = {str(first + n): {"content": name, **flags} for n, name in enumerate(INTERNVL_SPECIAL)}
    files = {
        "config.json": fields,
        "vocab.json": pieces["vocab"],
        "added_tokens.json": {each["content"]: int(n) for n, each in added.items()},
        "tokenizer_config.json": {
            "add_bos_token": False,
            "added_tokens_decoder": added,
            "bos_token": None,
            "chat_template": CHATML,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "tokenizer_class": "Qwen2Tokenizer",
            "unk_token": None,
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in pieces["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return folder
