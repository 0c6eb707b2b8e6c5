"""What an InternLM-XComposer2-VL is: the published config.json, and what it leaves to the tensors."""

from __future__ import annotations

from typing import Any

from transformers import CLIPVisionConfig, LlamaConfig

MODEL_TYPE = "internlmxcomposer2"
ARCHITECTURE = "InternLMXComposer2ForCausalLM"
CLIP_LARGE = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 14,
}


class XComposer2Config(LlamaConfig):
    """What the published config.json holds, and what it leaves to the tensors.

    Args:
        img_size: side of the square picture, pixels.
        image_token_id: marks a picture's places in ``input_ids``; ``<unk>``, which SentencePiece's byte
            fallback never gives.
        plora_rank: r of every Plora_A and Plora_B.
        plora_scale: alpha / r. 0 switches PLoRA off.
        vit_config: keyword arguments of CLIPVisionConfig where the tower is not CLIP ViT-L/14.
    """

    model_type = MODEL_TYPE

    pad_token_id: int | None = 2
    rms_norm_eps: float = 1e-5
    bias: bool = False
    img_size: int = 490
    image_token_id: int = 0
    plora_rank: int = 256
    plora_scale: float = 1.0
    vit_config: dict[str, Any] | None = None

    def clip_config(self) -> CLIPVisionConfig:
        """The picture tower's sizes: CLIP ViT-L/14, changed by ``vit_config``, at ``img_size``."""
        config = CLIPVisionConfig(**(CLIP_LARGE | (self.vit_config or {}) | {"image_size": self.img_size}))
        config._attn_implementation = self._attn_implementation
        return config

    @property
    def grid_side(self) -> int:
        """Patches along one side of the picture."""
        patch: int = (self.vit_config or {}).get("patch_size", CLIP_LARGE["patch_size"])
        return self.img_size // patch

    @property
    def picture_tokens(self) -> int:
        """Tokens that one picture takes in the sequence."""
        return self.grid_side**2
