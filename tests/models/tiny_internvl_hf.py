"""Tiny InternVLs with random weights in transformers' own layout (-HF), spelt as published: transformers
writes the tensors, and the tokenizer carries the marks of pictures and the chat template."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedTokenizerFast

from tests.models.tiny import PICTURES, randomised
from tests.models.tiny_generic import qwen_tokenizer

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}"
    "{% elif content['type'] == 'video' %}{{ '<video>\n' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""What the published one does."""
MARKS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
"""By the names under which transformers' processor and LMDeploy look for them."""
PREPROCESSOR: dict[str, Any] = {
    "crop_to_patches": False,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "GotOcr2ImageProcessorFast",
    "image_std": [0.229, 0.224, 0.225],
    "max_patches": 12,
    "min_patches": 1,
    "processor_class": "InternVLProcessor",
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 28, "width": 28},
}
"""As published, but for the size; the processor cuts tiles in spite of ``crop_to_patches``."""
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "torch_dtype": "bfloat16",
}
LANGUAGES: dict[str, dict[str, Any]] = {
    "qwen2": {
        "architectures": ["Qwen2ForCausalLM"],
        "rope_theta": 1000000.0,
        "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"},
    },
    "qwen3": {"architectures": ["Qwen3ForCausalLM"], "rope_theta": 1000000, "head_dim": 16},
    "llama": {"architectures": ["LlamaForCausalLM"], "rope_theta": 1000000},
}
"""By ``model_type``: what InternVL3, InternVL3.5 and InternVL2.5 have inside."""
VISION: dict[str, Any] = {
    "architectures": ["InternVisionModel"],
    "attention_bias": True,
    "attention_dropout": 0.0,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "hidden_size": 32,
    "image_size": [28, 28],
    "initializer_range": 0.02,
    "intermediate_size": 48,
    "layer_norm_eps": 1e-06,
    "layer_scale_init_value": 0.1,
    "model_type": "internvl_vision",
    "norm_type": "layer_norm",
    "num_attention_heads": 2,
    "num_channels": 3,
    "num_hidden_layers": 2,
    "patch_size": [7, 7],
    "projection_dropout": 0.0,
    "torch_dtype": "bfloat16",
    "use_absolute_position_embeddings": True,
    "use_mask_token": False,
    "use_mean_pooling": True,
    "use_qk_norm": False,
}
"""Tiles of 28 pixels, each of 4 tokens."""


def picture_tokenizer(plain: PreTrainedTokenizerFast, template: str = TEMPLATE) -> PreTrainedTokenizerFast:
    """A tokenizer with the marks of pictures, told as transformers' processor wants them."""
    plain.add_special_tokens(
        {
            "additional_special_tokens": [
                AddedToken(name, special=True, normalized=False) for name in (*PICTURES, "<video>")
            ]
        }
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=plain.backend_tokenizer,
        bos_token=plain.bos_token,
        eos_token=plain.eos_token,
        pad_token=plain.pad_token,
        unk_token=plain.unk_token,
        chat_template=template,
        extra_special_tokens=MARKS,
    )


def write_processor(folder: Path, size_px: int, tile_tokens: int, most_tiles: int = 12) -> None:
    """The files that transformers' processor reads beside the tokenizer's."""
    size = {"height": size_px, "width": size_px}
    for name, content in {
        "preprocessor_config.json": {**PREPROCESSOR, "size": size, "max_patches": most_tiles},
        "processor_config.json": {
            "image_seq_length": tile_tokens,
            "processor_class": "InternVLProcessor",
        },
        "video_preprocessor_config.json": {
            **PREPROCESSOR,
            "size": size,
            "video_processor_type": "InternVLVideoProcessor",
        },
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def write_internvl_hf(folder: Path, kind: str = "qwen3", seed: int = 0, **text: Any) -> Path:
    """A checkpoint as published; ``kind`` is the language model's, ``text`` changes its numbers."""
    tokens = picture_tokenizer(qwen_tokenizer())
    language = {
        **TEXT,
        **LANGUAGES[kind],
        "model_type": kind,
        "vocab_size": len(tokens) + 3,
        "bos_token_id": tokens.convert_tokens_to_ids("<|endoftext|>"),
        "eos_token_id": tokens.convert_tokens_to_ids("<|im_end|>"),
        **text,
    }
    config = {
        "architectures": ["InternVLForConditionalGeneration"],
        "downsample_ratio": 0.5,
        "image_seq_length": 4,
        "image_token_id": tokens.convert_tokens_to_ids("<IMG_CONTEXT>"),
        "model_type": "internvl",
        "projector_hidden_act": "gelu",
        "text_config": language,
        "torch_dtype": "bfloat16",
        "vision_config": VISION,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
    }
    tied = bool(text.get("tie_word_embeddings"))
    built = AutoModelForImageTextToText.from_config(
        AutoConfig.for_model(**deepcopy({**config, "tie_word_embeddings": tied}))
    )
    randomised(built, seed).to(torch.bfloat16).save_pretrained(folder)
    tokens.save_pretrained(folder)
    write_processor(folder, 28, tile_tokens=4)
    ends = tokens.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    for name, content in {"config.json": config, "generation_config.json": {"eos_token_id": ends}}.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder
