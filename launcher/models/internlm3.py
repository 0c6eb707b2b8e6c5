"""InternLM3 as transformers' Llama: its tensors bear Llama's names already. Its config here, as transformers
has one in its newest releases alone; its tokenizer is InternLM2's kind of SentencePiece model.

One switch differs: what adds biases to queries, keys and values (``qkv_bias``) is not what adds them to all
other layers (``bias``). Llama has one for all of attention, so both have to say the same; every published
model says no to both.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from launcher.models.generic import loaded_text_model
from launcher.models.internlm2_tokenizer import InternLM2Tokenizer
from launcher.models.loading import LoadedModel, LoadRequest


class InternLM3Config(LlamaConfig):
    """``config.json`` of an InternLM3 checkpoint; the two biases by their published names too, which LMDeploy
    reads."""

    model_type = "internlm3"
    attribute_map: ClassVar[dict[str, str]] = {"qkv_bias": "attention_bias", "bias": "mlp_bias"}

    vocab_size: int = 128512
    hidden_size: int = 4096
    intermediate_size: int = 10240
    num_hidden_layers: int = 48
    num_attention_heads: int = 32
    num_key_value_heads: int | None = 2
    max_position_embeddings: int = 32768
    rms_norm_eps: float = 1e-5
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    pad_token_id: int | None = 2
    head_dim: int | None = 128

    def __post_init__(self, **kwargs: Any) -> None:
        # transformers writes into these dicts; they are the caller's.
        for name in ("rope_parameters", "rope_scaling"):
            if kwargs.get(name):
                kwargs[name] = dict(kwargs[name])
        super().__post_init__(**kwargs)


class InternLM3Tokenizer(InternLM2Tokenizer):
    """The same under the name that InternLM3's ``tokenizer_config.json`` asks for."""


def load(request: LoadRequest) -> LoadedModel:
    """InternLM3ForCausalLM: text alone.

    Raises:
        CheckpointError: the folder is incomplete, damaged, quantised in a way that is not known, or does not
            match its config.json.
    """
    config = InternLM3Config.from_pretrained(request.folder)
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    return loaded_text_model(model, request)
