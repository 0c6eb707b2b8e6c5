"""Tiny real checkpoints for tests: random weights in the published layout, and a tokenizer trained on the
spot."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from sentencepiece import sentencepiece_model_pb2
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from launcher.models import internlm2, internlm3, internvl2, xcomposer2

TEXT = (
    "The quick brown fox jumps over the lazy dog, again and again. What colour is the star?",
    "def main(argv=None):\n    for i in range(10):\n        print(i, end='  ')\n\n\treturn 0",
    "图中有几个形状？星形是什么颜色？左上有一个红色星形，右下有一个蓝色圆形。你好世界",
    "aaaa aaaaaaaa    ====  ------  ababababab  hahahaha 哈哈哈哈 ....... \n\n\n\n ( ( ( ) ) )",
    "system user assistant 0123456789 3.14159 2024-01-01",
)
WHOLE = ("……", "——", "Ｅ", "Ｆ")
CHAT = ("<|plugin|>", "<|interpreter|>", "<|action_end|>", "<|action_start|>", "<|im_end|>", "<|im_start|>")
PICTURES = ("<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>")
UNUSED = tuple(f"[UNUSED_TOKEN_{n}]" for n in range(141, 147))


@lru_cache
def tokenizer_model(model_type: str = "bpe") -> bytes:
    """A ``tokenizer.model`` with InternLM2's settings, its last six pieces the ones that InternLM2
    renames."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*TEXT] * 20),
        model_writer=out,
        model_type=model_type,
        vocab_size=600,
        character_coverage=0.99,
        hard_vocab_limit=False,
        byte_fallback=True,
        split_digits=True,
        split_by_whitespace=False,
        max_sentencepiece_length=32,
        user_defined_symbols=list(WHOLE),
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        num_threads=1,
        minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(out.getvalue())
    for name in UNUSED:
        proto.pieces.add(piece=name, score=0.0, type=proto.SentencePiece.USER_DEFINED)
    return bytes(proto.SerializeToString())


def piece_count() -> int:
    return int(sentencepiece.SentencePieceProcessor(model_proto=tokenizer_model()).get_piece_size())


def tokenizer_config(kind: str) -> dict[str, Any]:
    """``tokenizer_config.json``; kind is "internlm2", "internlm3", "internvl2" or "xcomposer2"."""
    names = {0: "<unk>", 1: "<s>", 2: "</s>"}
    first = piece_count() - len(CHAT)
    if kind != "xcomposer2":
        names |= {first + n: name for n, name in enumerate(CHAT)}
    if kind == "internvl2":
        names |= {first + len(CHAT) + n: name for n, name in enumerate(PICTURES)}
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    own = {"xcomposer2": "InternLMXComposer2Tokenizer", "internlm3": "InternLM3Tokenizer"}
    name = own.get(kind, "InternLM2Tokenizer")
    return {
        "tokenizer_class": name,
        "auto_map": {"AutoTokenizer": [f"tokenization_{kind}.{name}", None]},
        "added_tokens_decoder": {str(i): {"content": name, **flags} for i, name in names.items()},
        "additional_special_tokens": [name for i, name in names.items() if i > 2],
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "</s>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
    }


def language_fields(**changes: Any) -> dict[str, Any]:
    """``config.json`` of a tiny InternLM2, spelt as published."""
    return {
        "architectures": ["InternLM2ForCausalLM"],
        "auto_map": {"AutoConfig": "configuration_internlm2.InternLM2Config"},
        "attn_implementation": "flash_attention_2",
        "model_type": "internlm2",
        "vocab_size": piece_count(),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "rope_theta": 1000000,
        "rope_scaling": {"factor": 2.0, "type": "dynamic"},
        "bias": False,
        "torch_dtype": "bfloat16",
        **changes,
    }


def picture_fields(**changes: Any) -> dict[str, Any]:
    """``config.json`` of a tiny InternVL2, spelt as published: 28-pixel tiles of 4 tokens."""
    return {
        "architectures": ["InternVLChatModel"],
        "auto_map": {"AutoConfig": "configuration_internvl_chat.InternVLChatConfig"},
        "model_type": "internvl_chat",
        "downsample_ratio": 0.5,
        "dynamic_image_size": True,
        "force_image_size": 28,
        "max_dynamic_patch": 12,
        "min_dynamic_patch": 1,
        "ps_version": "v2",
        "select_layer": -1,
        "use_thumbnail": True,
        "torch_dtype": "bfloat16",
        "vision_config": {
            "model_type": "intern_vit_6b",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 7,
        },
        "llm_config": language_fields(vocab_size=piece_count() + len(PICTURES)),
        **changes,
    }


def randomised(model: nn.Module, seed: int = 0, spread: float = 0.3) -> nn.Module:
    """Gives every parameter, norms and biases too, a value of its own, large enough that each one shows in
    the output."""
    device = next(model.parameters()).device
    source = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=source, device=device)
            parameter.copy_(drawn * spread + (1.0 if "norm" in name else 0.0))
    return model.eval()


def write_checkpoint(
    folder: Path, fields: Mapping[str, Any], tensors: Mapping[str, Tensor], kind: str
) -> Path:
    """A whole checkpoint folder in the published layout."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(fields), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(kind)), encoding="utf-8")
    (folder / "tokenizer.model").write_bytes(tokenizer_model())
    end = piece_count() - 2
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, end]}), encoding="utf-8")
    save_file(dict(tensors), folder / "model.safetensors")
    return folder


def write_internlm2(folder: Path, seed: int = 0, **changes: Any) -> Path:
    fields = language_fields(**changes)
    model = randomised(internlm2.build_model(internlm2.InternLM2Config(**fields)), seed)
    return write_checkpoint(folder, fields, internlm2.published_tensors(model), "internlm2")


def write_internlm3(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A tiny InternLM3: Llama's tensor names, InternLM2's kind of tokenizer. Rotary base and scaling are
    internlm3-8b-instruct's."""
    fields = {
        **language_fields(
            architectures=["InternLM3ForCausalLM"],
            auto_map={"AutoConfig": "configuration_internlm3.InternLM3Config"},
            model_type="internlm3",
            head_dim=8,
            qkv_bias=False,
            rms_norm_eps=1e-05,
            rope_theta=50000000,
            rope_scaling={"factor": 6.0, "rope_type": "dynamic"},
        ),
        **changes,
    }
    del fields["attn_implementation"]
    model = randomised(LlamaForCausalLM(internlm3.InternLM3Config(**fields)), seed)
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in model.state_dict().items()}
    return write_checkpoint(folder, fields, tensors, "internlm3")


def write_internvl2(folder: Path, seed: int = 0, **changes: Any) -> Path:
    fields = picture_fields(**changes)
    model = randomised(internvl2.build_model(internvl2.InternVLChatConfig(**fields)), seed)
    return write_checkpoint(folder, fields, internvl2.published_tensors(model), "internvl2")


def write_xcomposer2(folder: Path, seed: int = 0) -> Path:
    """A tiny XComposer2: pictures of 21 pixels, 9 tokens each."""
    fields = language_fields(
        architectures=["InternLMXComposer2ForCausalLM"],
        model_type="internlmxcomposer2",
        img_size=21,
        plora_rank=4,
        vit_config={
            "hidden_size": 64,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 1,
            "patch_size": 7,
        },
    )
    del fields["attn_implementation"]  # the published XComposer2 names none
    model = randomised(xcomposer2.build_model(xcomposer2.XComposer2Config(**fields)), seed)
    return write_checkpoint(folder, fields, xcomposer2.published_tensors(model), "xcomposer2")
