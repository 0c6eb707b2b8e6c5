"""Tiny Qwen picture models with random weights in the published layout, with the tokens and the chat template
that tell of pictures."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedTokenizerFast

from tests.models.tiny import randomised
from tests.models.tiny_generic import QWEN_SPECIAL, qwen_tokenizer

VISION_SPECIAL = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}"
    "{% if part.type == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{% elif part.type == 'video' %}{{ '<|vision_start|><|video_pad|><|vision_end|>' }}"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""What Qwen3-VL's does where nobody speaks of tools."""

TEXT: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "max_position_embeddings": 1024,
    "rope_theta": 5000000,
    "tie_word_embeddings": True,
    "dtype": "bfloat16",
}
"""Heads of 128 numbers and two KV heads: LMDeploy's kernels take them."""
KINDS: dict[str, dict[str, Any]] = {
    "qwen3_vl": {
        "text_config": {
            **TEXT,
            "model_type": "qwen3_vl_text",
            "rope_scaling": {
                "mrope_interleaved": True,
                "mrope_section": [24, 20, 20],
                "rope_type": "default",
            },
        },
        "vision_config": {
            "model_type": "qwen3_vl",
            "deepstack_visual_indexes": [0, 2],
            "depth": 3,
            "hidden_size": 64,
            "intermediate_size": 80,
            "num_heads": 2,
            "num_position_embeddings": 144,
            "out_hidden_size": 128,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    },
}
"""By ``model_type``, spelt as published."""
ARCHITECTURES = {"qwen3_vl": "Qwen3VLForConditionalGeneration"}
PREPROCESSORS: dict[str, dict[str, Any]] = {
    "qwen3_vl": {
        "size": {"longest_edge": 16777216, "shortest_edge": 65536},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "Qwen3VLProcessor",
        "image_processor_type": "Qwen2VLImageProcessorFast",
    },
}


def tokenizer() -> PreTrainedTokenizerFast:
    made = qwen_tokenizer(chat_template=TEMPLATE)
    made.add_special_tokens(
        {"additional_special_tokens": [AddedToken(name, special=True) for name in VISION_SPECIAL]}
    )
    return made


def write_qwen_vl(folder: Path, kind: str = "qwen3_vl", seed: int = 0, **text: Any) -> Path:
    """A checkpoint as published; ``text`` changes the language model's numbers."""
    tokens = tokenizer()
    own = {name: tokens.convert_tokens_to_ids(name) for name in (*VISION_SPECIAL, *QWEN_SPECIAL)}
    config = {
        "architectures": [ARCHITECTURES[kind]],
        "model_type": kind,
        "text_config": {
            **KINDS[kind]["text_config"],
            "bos_token_id": own["<|endoftext|>"],
            "eos_token_id": own["<|im_end|>"],
            "vocab_size": len(tokens) + 3,
            **text,
        },
        "vision_config": KINDS[kind]["vision_config"],
        "image_token_id": own["<|image_pad|>"],
        "video_token_id": own["<|video_pad|>"],
        "vision_start_token_id": own["<|vision_start|>"],
        "vision_end_token_id": own["<|vision_end|>"],
        "tie_word_embeddings": True,
    }
    built = AutoModelForImageTextToText.from_config(AutoConfig.for_model(**deepcopy(config)))
    randomised(built, seed).to(torch.bfloat16).save_pretrained(folder)
    tokens.save_pretrained(folder)
    ends = [own["<|im_end|>"], own["<|endoftext|>"]]
    for name, content in {
        "config.json": config,
        "generation_config.json": {"eos_token_id": ends},
        "preprocessor_config.json": PREPROCESSORS[kind],
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder
