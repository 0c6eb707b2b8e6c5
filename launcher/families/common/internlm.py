"""What the families share whose language model and vocabulary are InternLM2's."""

from __future__ import annotations

import re
from typing import Any

from launcher.families.common.config_part import ConfigPart
from launcher.families.common.prompts import ChatTemplate
from launcher.families.common.tensor_shapes import Asked

MARKUP = re.compile(
    r"<\|(?:im_start|im_end|action_start|action_end|interpreter|plugin)\|>"
    r"|</?(?:s|img)>|<(?:unk|IMG_CONTEXT|IMAGE_TOKEN|ImageHere)>|\[UNUSED_TOKEN_\d+\]"
)
"""What can open or close a turn, a picture place or the text itself, in any of the vocabularies and in
LMDeploy (<IMAGE_TOKEN>). InternVL2's grounding marks are none of it (``internvl.GROUNDING``)."""

INTERNLM2 = ChatTemplate("<|im_start|>", "<|im_end|>", MARKUP)
"""The prompt form of InternLM2, 2.5 and 3."""

DECODER = "launcher.models.internlm2_decoder:InternLM2Decoder"


def asked_biases(config: ConfigPart) -> Asked:
    """InternLM2's attention has biases where its config says so."""
    return Asked(switches=dict.fromkeys(("wqkv.bias", "wo.bias"), bool(config.values.get("bias"))))


CHAT_1_8B: dict[str, Any] = {
    "architectures": ["InternLM2ForCausalLM"],
    "model_type": "internlm2",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "vocab_size": 92544,
    "max_position_embeddings": 32768,
    "torch_dtype": "bfloat16",
}
"""internlm2-chat-1_8b, cut down to what memory depends on; the picture models of its size have it inside."""
