"""The built-in models' trained weights in the layouts of other families: the same network said otherwise, so
that those families have known answers, too, and nothing more has to be trained or shipped.

InternLM2 is Llama with its names changed, and Llama is a Qwen2 whose biases are zero. Rotary scaling is left
out: it acts beyond 4096 positions alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from launcher.checkpoints.locating import BUILTIN
from launcher.models import internlm2, internvl2, register
from tests.models.tiny_internvl_hf import MARKS, TEMPLATE, write_processor

CHAT, SHAPES = BUILTIN / "tiny-chat", BUILTIN / "shapes-internvl2"
SHAPES_TILES = 4
"""That shapes-internvl2 was trained on."""
END = "<|im_end|>"
_NO_VIDEO = "<|plugin|>"
"""Videos need a token, and there is none to spare: one that no prompt of these has."""
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


def internlm3_chat(folder: Path) -> Path:
    """tiny-chat as an InternLM3ForCausalLM: Llama's names for its tensors, the same tokenizer.model."""
    folder.mkdir(parents=True, exist_ok=True)
    model = internlm2.load_model(CHAT, torch.bfloat16, "cpu")
    save_file(model.state_dict(), folder / "model.safetensors")
    fields = json.loads((CHAT / "config.json").read_text(encoding="utf-8"))
    del fields["rope_scaling"]
    own = {"architectures": ["InternLM3ForCausalLM"], "model_type": "internlm3", "qkv_bias": False}
    head_dim = fields["hidden_size"] // fields["num_attention_heads"]
    (folder / "config.json").write_text(json.dumps({**fields, **own, "head_dim": head_dim}), encoding="utf-8")
    settings = json.loads((CHAT / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "InternLM3Tokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    for name in ("tokenizer.model", "generation_config.json"):
        shutil.copy(CHAT / name, folder)
    return folder


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
    """shapes-internvl2 as transformers' own InternVLForConditionalGeneration, the -HF layout, where a chat
    template says how it was trained."""
    model = internvl2.load_model(SHAPES, torch.bfloat16, "cpu")
    text = model.config.text_config
    text.rope_parameters, text.architectures = _plain_rope(text), ["LlamaForCausalLM"]
    model.save_pretrained(folder)
    side = model.config.vision_config.image_size[0]
    write_processor(folder, side, model.config.image_seq_length, SHAPES_TILES)
    marks = {**MARKS, "video_token": _NO_VIDEO}
    form = TEMPLATE.replace("<|im_end|>\n", "<|im_end|>")  # no line end behind a turn
    return _with_tokenizer(folder, SHAPES, extra_special_tokens=marks, chat_template=form)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """``origin`` is the built-in model whose weights they are, ``write`` writes them into a folder;
    ``memory`` is what a preset has to say of it beside the origin's."""

    origin: str
    write: Callable[[Path], Path]
    memory: Mapping[str, int] = field(default_factory=dict)


REWRITTEN = {
    "llama-chat": Rewritten("tiny-chat", llama_chat),
    "internlm3-chat": Rewritten("tiny-chat", internlm3_chat),
    "qwen2-shapes": Rewritten("shapes-internvl2", qwen2_shapes),
    "hf-shapes": Rewritten("shapes-internvl2", hf_shapes, {"max_tiles": SHAPES_TILES}),
}


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


def _with_tokenizer(folder: Path, source: Path, **changes: Any) -> Path:
    """The source's tokenizer as a tokenizer.json of no class of its own, and its end tokens."""
    register()
    own = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    settings = {"chat_template": own.chat_template, **changes}
    PreTrainedTokenizerFast(
        tokenizer_object=own.backend_tokenizer,
        bos_token=own.bos_token,
        eos_token=END,
        pad_token=own.pad_token,
        unk_token=own.unk_token,
        **settings,
    ).save_pretrained(folder)
    ends = {"eos_token_id": [own.eos_token_id, own.convert_tokens_to_ids(END)]}
    (folder / "generation_config.json").write_text(json.dumps(ends), encoding="utf-8")
    return folder
