"""What transformers and LMDeploy lack for these checkpoints: configs, tokenizers, tensor names, tiles and
prompts.

Importing this package imports neither torch nor transformers; ``register`` does, and the model files do.
"""

from __future__ import annotations


def register() -> None:
    """Makes transformers' AutoConfig and AutoTokenizer read the checkpoints with ``trust_remote_code=False``;
    idempotent."""
    from transformers import AutoConfig, AutoTokenizer

    from launcher.models.internlm2 import InternLM2Config
    from launcher.models.internlm2_tokenizer import InternLM2Tokenizer, InternLMXComposer2Tokenizer
    from launcher.models.internlm3 import InternLM3Config, InternLM3Tokenizer
    from launcher.models.internvl2 import InternVisionConfig, InternVLChatConfig
    from launcher.models.xcomposer2 import XComposer2Config

    ours = (InternLM2Config, InternLM3Config, InternVisionConfig, InternVLChatConfig, XComposer2Config)
    for config in ours:
        AutoConfig.register(config.model_type, config, exist_ok=True)
    for config in (InternLM2Config, InternVLChatConfig):
        AutoTokenizer.register(config, fast_tokenizer_class=InternLM2Tokenizer, exist_ok=True)
    AutoTokenizer.register(InternLM3Config, fast_tokenizer_class=InternLM3Tokenizer, exist_ok=True)
    AutoTokenizer.register(XComposer2Config, fast_tokenizer_class=InternLMXComposer2Tokenizer, exist_ok=True)
