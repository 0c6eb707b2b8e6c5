"""``config.json`` and ``generation_config.json`` of the built-in models, shaped as the published ones;
torch-free.

Heads are 64 wide and all widths multiples of 128, so that TurboMind's kernels take them.
"""

from __future__ import annotations

from typing import Any, Literal

FamilyName = Literal["shapes-internvl2", "shapes-xcomposer2", "tiny-chat"]

SHAPES_PIECES = 640
"""Ids of the Shapes tokenizers, special tokens included."""
CHAT_PIECES = 512
"""Ids of tiny-chat's tokenizer: hardly more than single characters."""
TILE_PX = 224
PATCH_PX = 14
MAX_TILES = 4
WIDTH = 128

_ROPE = {"rope_scaling": {"factor": 2.0, "type": "dynamic"}, "rope_theta": 1000000}


def _internlm2(vocab_size: int, layers: int) -> dict[str, Any]:
    return {
        "bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "initializer_range": 0.02,
        "intermediate_size": 3 * WIDTH,
        "max_position_embeddings": 4096,
        "num_attention_heads": 2,
        "num_hidden_layers": layers,
        "num_key_value_heads": 1,
        "pad_token_id": 2,
        "rms_norm_eps": 1e-05,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": vocab_size,
        **_ROPE,
    }


def tiny_chat_config(vocab_size: int) -> dict[str, Any]:
    """InternLM2ForCausalLM."""
    return {
        "architectures": ["InternLM2ForCausalLM"],
        "model_type": "internlm2",
        **_internlm2(vocab_size, layers=4),
    }


def shapes_internvl2_config(vocab_size: int) -> dict[str, Any]:
    """InternVLChatModel."""
    return {
        "architectures": ["InternVLChatModel"],
        "downsample_ratio": 0.5,
        "dynamic_image_size": True,
        "force_image_size": TILE_PX,
        "llm_config": {
            "architectures": ["InternLM2ForCausalLM"],
            "model_type": "internlm2",
            **_internlm2(vocab_size, layers=6),
        },
        "max_dynamic_patch": MAX_TILES,
        "min_dynamic_patch": 1,
        "model_type": "internvl_chat",
        "ps_version": "v2",
        "select_layer": -1,
        "template": "internlm2-chat",
        "torch_dtype": "bfloat16",
        "use_backbone_lora": 0,
        "use_llm_lora": 0,
        "use_thumbnail": True,
        "vision_config": {
            "architectures": ["InternVisionModel"],
            "attention_dropout": 0.0,
            "drop_path_rate": 0.0,
            "dropout": 0.0,
            "hidden_act": "gelu",
            "hidden_size": WIDTH,
            "image_size": TILE_PX,
            "initializer_factor": 1.0,
            "initializer_range": 0.02,
            "intermediate_size": 4 * WIDTH,
            "layer_norm_eps": 1e-06,
            "model_type": "intern_vit_6b",
            "norm_type": "layer_norm",
            "num_attention_heads": 2,
            "num_channels": 3,
            "num_hidden_layers": 4,
            "patch_size": PATCH_PX,
            "qk_normalization": False,
            "qkv_bias": True,
            "torch_dtype": "bfloat16",
            "use_flash_attn": True,
        },
    }


def shapes_xcomposer2_config(vocab_size: int) -> dict[str, Any]:
    """InternLMXComposer2ForCausalLM; ``vit_config`` and ``plora_rank`` say what the published models leave to
    their tensors."""
    return {
        "architectures": ["InternLMXComposer2ForCausalLM"],
        "model_type": "internlmxcomposer2",
        "img_size": TILE_PX,
        "max_length": 4096,
        "plora_rank": 32,
        "vit_config": {
            "hidden_size": WIDTH,
            "intermediate_size": 3 * WIDTH,
            "num_attention_heads": 2,
            "num_hidden_layers": 4,
            "patch_size": PATCH_PX,
        },
        **_internlm2(vocab_size, layers=6),
        "rope_scaling": {"factor": 1.0, "type": "dynamic"},
    }


def generation_config(turn_end_id: int, turn_start_id: int) -> dict[str, Any]:
    """What ends an answer: the end of a turn; a new turn's start, as the published InternVL2 has it; the end
    of text."""
    return {"eos_token_id": [turn_end_id, turn_start_id, 2]}
