"""The built-in models' trained weights in the layouts of other families: the same network said otherwise, so
that those families have known answers, too, and nothing more has to be trained or shipped.

InternLM2 is Llama with its names changed, and Llama is a Qwen2 whose biases are zero. Rotary scaling is left
out: it acts beyond 4096 positions alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from launcher.checkpoints.locating import BUILTIN
from launcher.models import internlm2, internvl2, register

CHAT, SHAPES = BUILTIN / "tiny-chat", BUILTIN / "shapes-internvl2"
END = "<|im_end|>"
SHARED = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "tie_word_embeddings",
    "vocab_size",
)
"""What Llama's config and Qwen2's say with the same words."""


def llama_chat(folder: Path) -> Path:
    """tiny-chat as a LlamaForCausalLM."""
    model = internlm2.load_model(CHAT, torch.bfloat16, "cpu")
    model.config.rope_parameters = _plain_rope(model.config)
    model.save_pretrained(folder)
    return _with_tokenizer(folder, CHAT)


def qwen2_shapes(folder: Path) -> Path:
    """shapes-internvl2 with a Qwen2 inside, in its makers' layout."""
    folder.mkdir(parents=True, exist_ok=True)
    source = internvl2.load_model(SHAPES, torch.bfloat16, "cpu")
    fields = json.loads((SHAPES / "config.json").read_text(encoding="utf-8"))
    fields["llm_config"] = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "torch_dtype": "bfloat16",
        **_qwen2_fields(source.config.text_config),
    }
    target = internvl2.build_model(internvl2.InternVLChatConfig(**fields)).to(torch.bfloat16)
    save_file(internvl2.published_tensors(_copied(source, target)), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(fields), encoding="utf-8")
    return _with_tokenizer(folder, SHAPES)


def hf_shapes(folder: Path) -> Path:
    """shapes-internvl2 as transformers' own InternVLForConditionalGeneration, the -HF layout."""
    model = internvl2.load_model(SHAPES, torch.bfloat16, "cpu")
    model.config.text_config.rope_parameters = _plain_rope(model.config.text_config)
    model.save_pretrained(folder)
    return _with_tokenizer(folder, SHAPES)


REWRITTEN: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "llama-chat": ("tiny-chat", llama_chat),
    "qwen2-shapes": ("shapes-internvl2", qwen2_shapes),
}
"""The built-in model whose weights they are, and what writes them."""


def _plain_rope(config: Any) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": config.rope_parameters["rope_theta"]}


def _qwen2_fields(config: Any) -> dict[str, Any]:
    return {name: getattr(config, name) for name in SHARED} | {
        "rope_theta": _plain_rope(config)["rope_theta"]
    }


def _copied(source: nn.Module, target: nn.Module) -> nn.Module:
    """``target`` with all weights of ``source``; what it has beside them are biases, and zero."""
    missing, unexpected = target.load_state_dict(source.state_dict(), strict=False)
    assert not unexpected
    assert all(name.endswith("_proj.bias") for name in missing)
    with torch.no_grad():
        for name in missing:
            target.get_parameter(name).zero_()
    return target.eval()


def _with_tokenizer(folder: Path, source: Path) -> Path:
    """The source's tokenizer as a tokenizer.json of no class of its own, and its end tokens."""
    register()
    own = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    PreTrainedTokenizerFast(
        tokenizer_object=own.backend_tokenizer,
        bos_token=own.bos_token,
        eos_token=END,
        pad_token=own.pad_token,
        unk_token=own.unk_token,
        chat_template=own.chat_template,
    ).save_pretrained(folder)
    ends = {"eos_token_id": [own.eos_token_id, own.convert_tokens_to_ids(END)]}
    (folder / "generation_config.json").write_text(json.dumps(ends), encoding="utf-8")
    return folder
