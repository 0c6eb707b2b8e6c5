"""Text models that transformers has a class for: built by AutoModelForCausalLM, filled by
``launcher.models.weights``, which names what is wrong with a file."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from launcher.models.awq import open_tensors
from launcher.models.loading import LoadedModel, LoadRequest
from launcher.models.weights import CheckpointTensors, TensorMap, Unfilled
from launcher.models.whole import filled

_HEAD = "lm_head.weight"
_FREQUENCIES = ".rotary_emb.inv_freq"
"""Old Llama checkpoints hold them for each layer; they follow from the config."""


def load_text_model(request: LoadRequest) -> LoadedModel:
    """A text model without code of its own.

    Raises:
        CheckpointError: the folder is incomplete, damaged, quantised in a way that is not known, or does not
            match its config.json.
    """
    config = AutoConfig.from_pretrained(request.folder, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False, attn_implementation="sdpa")
    return loaded_text_model(model, request)


def loaded_text_model(model: PreTrainedModel, request: LoadRequest) -> LoadedModel:
    """A model on the meta device, with the weights of a checkpoint that names them as it does.

    Raises:
        CheckpointError: see ``load_text_model``.
    """
    config = model.config
    tensors = open_tensors(request.folder, config)
    maps = [TensorMap(name, (name,)) for name, _ in model.named_parameters()]
    spare = frozenset(_not_needed(tensors, config))
    unfilled = Unfilled(model, maps, tensors, spare)
    return LoadedModel(
        filled(unfilled, "model", request.dtype, request.device), config.max_position_embeddings
    )


def _not_needed(tensors: CheckpointTensors, config: PreTrainedConfig) -> Iterator[str]:
    """A head that is the embedding once more, and what is computed."""
    for name in tensors.names():
        if name.endswith(_FREQUENCIES) or (name == _HEAD and config.tie_word_embeddings):
            yield name
