"""InternLM-XComposer2-VL on transformers' Llama and CLIP parts: configuration, model, weights.

Modules are named as the tensors of the published checkpoints (``model.tok_embeddings``,
``model.layers.N.attention.wqkv``, ``vit.vision_tower.vision_model``, ``vision_proj``, ``output``), so that
loading and exporting are no mapping at all.

Does not own: prompts (launcher.families), tokenizers, files to RGB pictures (launcher.images), LMDeploy
(launcher.models.xcomposer2_lmdeploy). Source: arXiv 2401.16420; LMDeploy 0.7.3's converter for the tensor
names.
"""

from launcher.models.xcomposer2.configuration import ARCHITECTURE, MODEL_TYPE, XComposer2Config
from launcher.models.xcomposer2.model import XComposer2ForCausalLM, build_model
from launcher.models.xcomposer2.tower import MEAN, STD, build_projector, build_tower, picture_pixels
from launcher.models.xcomposer2.weights import (
    COMPUTED,
    POSITION_TABLE,
    load_model,
    published_shapes,
    published_tensors,
    read_sizes,
    resized_positions,
    tensor_maps,
    unfilled_model,
)

__all__ = [
    "ARCHITECTURE",
    "COMPUTED",
    "MEAN",
    "MODEL_TYPE",
    "POSITION_TABLE",
    "STD",
    "XComposer2Config",
    "XComposer2ForCausalLM",
    "build_model",
    "build_projector",
    "build_tower",
    "load_model",
    "picture_pixels",
    "published_shapes",
    "published_tensors",
    "read_sizes",
    "resized_positions",
    "tensor_maps",
    "unfilled_model",
]
