"""Why an architecture has no family here: LMDeploy dropped it, it needs code that comes with it, it is none
to talk to, or nobody has written its family yet. Names are those of LMDeploy 0.18's own tables
(``turbomind/supported_models.py``, ``pytorch/models/module_map.py``, ``vl/model/``);
tests/families/test_lmdeploy_tables.py goes through all of them."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.errors import UnsupportedModel

DROPPED = {
    "BaiChuanForCausalLM": "Baichuan",
    "BaichuanForCausalLM": "Baichuan and Baichuan2",
    "InternLM2VEForCausalLM": "Mono-InternVL",
    "InternLMForCausalLM": "InternLM",
    "InternLMXComposerForCausalLM": "InternLM-XComposer",
    "MllamaForConditionalGeneration": "Llama 3.2 Vision",
    "QWenLMHeadModel": "Qwen and Qwen-VL",
    "Starcoder2ForCausalLM": "StarCoder2",
}
"""What LMDeploy served once, and what it is called. Most went with its pull request 4693 of June 2026."""

NEED_REMOTE_CODE = frozenset(
    {
        "ChatGLMForConditionalGeneration",
        "ChatGLMModel",
        "CogVLMForCausalLM",
        "DeepseekForCausalLM",
        "DeepseekVLV2ForCausalLM",
        "InternS1ForConditionalGeneration",
        "InternS1ProForConditionalGeneration",
        "InternS1_1_ForConditionalGeneration",
        "InternS2MobiusForCausalLM",
        "InternS2MobiusForConditionalGeneration",
        "InternS2PreviewForCausalLM",
        "InternS2PreviewForConditionalGeneration",
        "KimiK25ForConditionalGeneration",
        "MetaMoeForConditionalGeneration",
        "MiniCPMV",
        "MolmoForCausalLM",
        "MultiModalityCausalLM",
        "PhiMoEForCausalLM",
        "Phi3VForCausalLM",
        "SDARForCausalLM",
        "SDARMoeForCausalLM",
    }
)
"""What LMDeploy lists and transformers 5 does not know: config or tokenizer come as code beside the
weights."""

NOT_FOR_CHAT = frozenset(
    {
        "DFlashDraftModel",
        "DeepseekMTPModel",
        "DeepseekV32MTPModel",
        "Eagle3DeepseekV2ForCausalLM",
        "Eagle3LlamaForCausalLM",
        "EagleLlamaForCausalLM",
        "Glm4MoeMTPModel",
        "GlmMoeDsaMTPModel",
        "HYV3MTP",
        "InternLM2ForRewardModel",
        "Qwen2ForRewardModel",
        "Qwen3_5MTPModel",
    }
)
"""Models that judge answers, or draft for another model."""

NOT_YET = frozenset(
    {
        "DeepseekV2ForCausalLM",
        "DeepseekV32ForCausalLM",
        "DeepseekV3ForCausalLM",
        "DeepseekV4ForCausalLM",
        "Gemma2ForCausalLM",
        "Gemma3ForCausalLM",
        "Gemma3ForConditionalGeneration",
        "GemmaForCausalLM",
        "Glm4ForCausalLM",
        "Glm4MoeForCausalLM",
        "Glm4MoeLiteForCausalLM",
        "Glm4vForConditionalGeneration",
        "GlmMoeDsaForCausalLM",
        "GptOssForCausalLM",
        "HYV3ForCausalLM",
        "InternVLChatModel",
        "InternVLForConditionalGeneration",
        "Kimi_K25ForConditionalGeneration",
        "Llama4ForConditionalGeneration",
        "LlavaForConditionalGeneration",
        "LlavaNextForConditionalGeneration",
        "MiniCPM3ForCausalLM",
        "MistralForCausalLM",
        "MixtralForCausalLM",
        "Phi3ForCausalLM",
        "Qwen2MoeForCausalLM",
        "Qwen3MoeForCausalLM",
        "Qwen3NextForCausalLM",
        "Qwen3OmniMoeForConditionalGeneration",
        "Qwen3VLMoeForConditionalGeneration",
        "Qwen3_5MoeForConditionalGeneration",
    }
)
"""What LMDeploy serves and no family here answers for."""


def refusal(
    name: str, language: str, *, brings_code: bool, file: object, known: Sequence[str], instead: str
) -> UnsupportedModel:
    """Why a model has no family here.

    Args:
        name: its architecture.
        language: that of the language model inside, "" for none.
        brings_code: whether its config.json names code that lies beside it.
        file: its config.json.
        known: the architectures that have a family.
        instead: the presets that can be taken instead.
    """
    values = {
        "architecture": f"{name} with {language}" if language else name,
        "file": file,
        "known": ", ".join(known),
        "instead": instead,
    }
    for part in (language, name):
        if part in DROPPED:
            return UnsupportedModel(
                "{file} is that of {model} ({architecture}), which LMDeploy 0.18 no longer serves; older"
                " releases did",
                "Take {instead}.",
                model=DROPPED[part],
                **values,
            )
    if name in NOT_FOR_CHAT:
        return UnsupportedModel(
            "{file} is that of no model to talk to: {architecture} judges answers or drafts for another"
            " model",
            "Take {instead}.",
            **values,
        )
    if name in NEED_REMOTE_CODE or (brings_code and name not in NOT_YET):
        return UnsupportedModel(
            "{architecture} in {file} needs code that comes with the checkpoint, which the launcher never"
            " runs",
            "Take {instead}.",
            **values,
        )
    if name in NOT_YET:
        return UnsupportedModel(
            "{architecture} in {file} is served by LMDeploy, but the launcher has no family for it",
            "It runs {known}. Take {instead}, or write a family: docs/how-to/add-a-family.md.",
            **values,
        )
    return UnsupportedModel(
        "{architecture} in {file} is not an architecture that the launcher runs",
        "It runs {known}. Take {instead}.",
        **values,
    )
