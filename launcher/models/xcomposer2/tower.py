"""From a picture to what stands for it in the language model: pixels, the CLIP tower, the projector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from launcher.models.xcomposer2.configuration import XComposer2Config

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def picture_pixels(pictures: Sequence[Image.Image], img_size: int) -> Tensor:
    """RGB pictures to ``pixel_values`` [n, 3, img_size, img_size], float32: squeezed bicubically to a square,
    nothing cropped."""
    resized = [
        np.asarray(p.convert("RGB").resize((img_size, img_size), Image.Resampling.BICUBIC)) for p in pictures
    ]
    scaled = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).float() / 255
    return (scaled - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


class XComposer2Vision(nn.Module):
    """The CLIP tower, nested as the checkpoint names it: ``vision_tower.vision_model``."""

    def __init__(self, config: CLIPVisionConfig) -> None:
        super().__init__()
        self.vision_tower: Any = nn.Module()
        self.vision_tower.vision_model = CLIPVisionModel(config)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """[n, 3, s, s] -> [n, tokens, width]: the last hidden state, neither normed nor with the class
        token."""
        states: Tensor = self.vision_tower.vision_model(pixel_values).last_hidden_state
        return states[:, 1:]

    def count_positions(self) -> None:
        """Computes the one buffer that no checkpoint holds, after the tower was built on the meta device."""
        embeddings = self.vision_tower.vision_model.embeddings
        device = embeddings.position_embedding.weight.device
        embeddings.position_ids = torch.arange(embeddings.num_positions, device=device).unsqueeze(0)


def build_projector(config: XComposer2Config) -> nn.Sequential:
    """Two layers from the tower's width to the language model's, GELU between."""
    width: int = config.clip_config().hidden_size
    return nn.Sequential(
        nn.Linear(width, config.hidden_size), nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size)
    )


def build_tower(config: XComposer2Config, dtype: torch.dtype, device: torch.device | str) -> XComposer2Vision:
    """The picture tower with room for its weights but none in it, on a device at once."""
    with torch.device("meta"):
        tower = XComposer2Vision(config.clip_config()).to(dtype)
    tower.to_empty(device=device)
    tower.count_positions()
    return tower.requires_grad_(False).eval()
