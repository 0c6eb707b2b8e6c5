"""Tiny Qwen picture models with random weights in the published layout, with the tokens and the chat template
that tell of pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import load_file, save_file
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
FLAT: dict[str, Any] = {
    **{key: value for key, value in TEXT.items() if key not in ("head_dim", "dtype")},
    "hidden_size": 256,
    "rms_norm_eps": 1e-06,
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    "sliding_window": 32768,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
}
"""Qwen2-VL's and Qwen2.5-VL's, whose numbers stand outside of any ``text_config``."""
KINDS: dict[str, dict[str, Any]] = {
    "qwen2_vl": {
        **FLAT,
        "vision_config": {
            "depth": 3,
            "embed_dim": 128,
            "hidden_size": 256,
            "in_chans": 3,
            "mlp_ratio": 2,
            "num_heads": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "temporal_patch_size": 2,
        },
    },
    "qwen2_5_vl": {
        **FLAT,
        "vision_config": {
            "depth": 3,
            "fullatt_block_indexes": [1],
            "hidden_act": "silu",
            "hidden_size": 128,
            "in_chans": 3,
            "intermediate_size": 96,
            "num_heads": 2,
            "out_hidden_size": 256,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "temporal_patch_size": 2,
            "tokens_per_second": 2,
            "window_size": 112,
        },
    },
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
    "qwen3_5": {
        "text_config": {
            **{key: value for key, value in TEXT.items() if key not in ("rope_theta", "tie_word_embeddings")},
            "attn_output_gate": True,
            "full_attention_interval": 4,
            "head_dim": 256,
            "layer_types": [*["linear_attention"] * 3, "full_attention"],
            "linear_conv_kernel_dim": 4,
            "linear_key_head_dim": 128,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "linear_value_head_dim": 128,
            "mamba_ssm_dtype": "float32",
            "model_type": "qwen3_5_text",
            "mtp_num_hidden_layers": 1,
            "num_hidden_layers": 4,
            "rope_parameters": {
                "mrope_interleaved": True,
                "mrope_section": [11, 11, 10],
                "partial_rotary_factor": 0.25,
                "rope_theta": 10000000,
                "rope_type": "default",
            },
            "tie_word_embeddings": True,
        },
        "vision_config": {
            "model_type": "qwen3_5",
            "deepstack_visual_indexes": [],
            "depth": 3,
            "hidden_size": 128,  # heads of 64 numbers: TurboMind has kernels of 64 and 72
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
ARCHITECTURES = {
    "qwen2_vl": "Qwen2VLForConditionalGeneration",
    "qwen2_5_vl": "Qwen2_5_VLForConditionalGeneration",
    "qwen3_vl": "Qwen3VLForConditionalGeneration",
    "qwen3_5": "Qwen3_5ForConditionalGeneration",
}
_CLIP: dict[str, Any] = {
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Qwen2VLImageProcessor",
}
_HALF: dict[str, Any] = {
    "size": {"longest_edge": 16777216, "shortest_edge": 65536},
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "processor_class": "Qwen3VLProcessor",
    "image_processor_type": "Qwen2VLImageProcessorFast",
}
PREPROCESSORS: dict[str, dict[str, Any]] = {
    "qwen2_vl": {**_CLIP, "processor_class": "Qwen2VLProcessor"},
    "qwen2_5_vl": {**_CLIP, "processor_class": "Qwen2_5_VLProcessor"},
    "qwen3_vl": _HALF,
    "qwen3_5": _HALF,
}


WITHOUT_THINKING = TEMPLATE.replace(
    "assistant\n' }}",
    "assistant\n' }}{{ '<think>\n' if enable_thinking is not false else '<think>\n\n</think>\n\n' }}",
)
"""And Qwen3.5's: an answer begins with a thought, an empty one where none is wanted; of earlier answers it is
left out."""


def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    made = qwen_tokenizer(chat_template=WITHOUT_THINKING if kind == "qwen3_5" else TEMPLATE)
    made.add_special_tokens(
        {"additional_special_tokens": [AddedToken(name, special=True) for name in VISION_SPECIAL]}
    )
    return made


def config_of(kind: str, own: Mapping[str, int], tower: Mapping[str, Any], **text: Any) -> dict[str, Any]:
    """config.json as published. ``own`` are the special tokens' ids; ``tower`` and ``text`` change numbers of
    the one and of the language model."""
    language = {
        "bos_token_id": own["<|endoftext|>"],
        "eos_token_id": own["<|im_end|>"],
        **text,
    }
    fields = {**KINDS[kind], "vision_config": {**KINDS[kind]["vision_config"], **tower}}
    inside = {"text_config": {**fields["text_config"], **language}} if "text_config" in fields else language
    return {
        "architectures": [ARCHITECTURES[kind]],
        "model_type": kind,
        **fields,
        **inside,
        "image_token_id": own["<|image_pad|>"],
        "video_token_id": own["<|video_pad|>"],
        "vision_start_token_id": own["<|vision_start|>"],
        "vision_end_token_id": own["<|vision_end|>"],
        "tie_word_embeddings": True,
    }


def write_qwen_vl(
    folder: Path,
    kind: str = "qwen3_vl",
    seed: int = 0,
    spread: float = 0.3,
    tower: Mapping[str, Any] = MappingProxyType({}),
    **text: Any,
) -> Path:
    """A checkpoint as published, its weights this far from 0; see ``config_of``."""
    tokens = tokenizer(kind)
    own = {name: tokens.convert_tokens_to_ids(name) for name in (*VISION_SPECIAL, *QWEN_SPECIAL)}
    config = config_of(kind, own, tower, **{"vocab_size": len(tokens) + 3, **text})
    built = AutoModelForImageTextToText.from_config(AutoConfig.for_model(**deepcopy(config)))
    randomised(built, seed, spread).to(torch.bfloat16).save_pretrained(folder)
    if kind == "qwen3_5":
        _add_a_drafter(folder / "model.safetensors")
    if "text_config" not in config:
        _rename_as_first_published(folder / "model.safetensors")
    tokens.save_pretrained(folder)
    ends = [own["<|im_end|>"], own["<|endoftext|>"]]
    for name, content in {
        "config.json": config,
        "generation_config.json": {"eos_token_id": ends},
        "preprocessor_config.json": PREPROCESSORS[kind],
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _add_a_drafter(file: Path) -> None:
    """What Qwen3.5's files hold beside the model, and no engine here loads: it drafts tokens."""
    more = {name: torch.ones(8, 8) for name in ("mtp.fc.weight", "mtp.layers.0.mlp.up_proj.weight")}
    save_file({**load_file(file), **more}, file, {"format": "pt"})


def _rename_as_first_published(file: Path) -> None:
    """Which is how Qwen2-VL's and Qwen2.5-VL's files name their tensors, whatever transformers writes."""
    begins = {"model.language_model.": "model.", "model.visual.": "visual."}
    renamed = {}
    for name, tensor in load_file(file).items():
        found = next((each for each in begins if name.startswith(each)), None)
        renamed[begins[found] + name.removeprefix(found) if found else name] = tensor
    save_file(renamed, file, {"format": "pt"})
