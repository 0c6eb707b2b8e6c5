"""What transformers by itself makes of a tiny Qwen picture model: its own preprocessing, chat template and
``generate``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from launcher.messages import Message
from tests.engines.on_transformers import LENGTH

_KERNELS = (
    "torch_chunk_gated_delta_rule",
    "torch_recurrent_gated_delta_rule",
    "causal_conv1d_fn",
    "causal_conv1d_update",
)
"""What transformers leaves to packages of kernels for GPUs, where those are installed."""


def _without_kernels(module: ModuleType) -> None:
    """This is computed on the CPU, where such kernels fail; LMDeploy may have imported them here before."""
    for name in _KERNELS:
        if (function := getattr(module, name, None)) is not None:
            setattr(module, name, inspect.unwrap(function))


class Reference:
    """transformers' alone."""

    def __init__(self, folder: Path, most_tokens: int | None = None) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        _without_kernels(sys.modules[type(self.model).__module__])
        self._processor = Qwen2VLImageProcessorPil.from_pretrained(folder)
        if most_tokens is not None:
            side = self._processor.patch_size * self._processor.merge_size
            least = min(self._processor.size["shortest_edge"], most_tokens * side**2 // 4)
            self._processor.size = {"shortest_edge": least, "longest_edge": most_tokens * side**2}

    def inputs(self, talk: Sequence[Message]) -> dict[str, Tensor]:
        turns = [{"role": each.role, "content": self._content(each)} for each in talk]
        text = self.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=False, enable_thinking=False
        )
        shown = [Image.open(path) for each in talk for path in each.pictures]
        seen = self._processor(images=shown, return_tensors="pt") if shown else {}
        place = self.model.config.image_token_id
        ids = list[int]()
        grids = iter(seen.get("image_grid_thw", []))
        for one in self.tokenizer.encode(text, add_special_tokens=False):
            ids += [one] * (int(next(grids).prod()) // 4 if one == place else 1)
        row = torch.tensor([ids])
        kinds = {"mm_token_type_ids": (row == place).int()} if shown else {}
        return {"input_ids": row, "attention_mask": torch.ones_like(row), **kinds, **seen}

    def answer(self, talk: Sequence[Message]) -> tuple[str, int, int]:
        """Text, and tokens of the prompt and of its pictures."""
        inputs = self.inputs(talk)
        ends = self.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
        made = self.model.generate(**inputs, max_new_tokens=LENGTH, do_sample=False, eos_token_id=ends)
        prompt = inputs["input_ids"][0]
        said = [one for one in made[0, len(prompt) :].tolist() if one not in ends]
        assert len(said) > 3
        places = int((prompt == self.model.config.image_token_id).sum())
        return self.tokenizer.decode(said, skip_special_tokens=True), len(prompt), places

    @staticmethod
    def _content(message: Message) -> str | list[dict[str, str]]:
        if not message.pictures:
            return message.text
        return [*({"type": "image"} for _ in message.pictures), {"type": "text", "text": message.text}]
