"""What transformers by itself makes of a tiny InternVL in its own layout: its processor, the folder's chat
template and ``generate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoTokenizer, InternVLProcessor
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from launcher.messages import Message
from tests.engines.on_transformers import LENGTH


class PictureProcessor(InternVLProcessor):  # type: ignore[misc]
    """transformers' own without its part for videos, which needs torchvision."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        return type(argument)


def processor(folder: Path, most_tiles: int | None = None) -> PictureProcessor:
    """``most_tiles``: of one picture, where it is not what the folder says."""
    changes = {} if most_tiles is None else {"max_patches": most_tiles}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return PictureProcessor(
        image_processor=GotOcr2ImageProcessorPil.from_pretrained(folder, **changes),
        tokenizer=tokenizer,
        video_processor=None,
        image_seq_length=4,
        chat_template=tokenizer.chat_template,
    )


class Reference:
    """transformers' alone."""

    def __init__(self, folder: Path, most_tiles: int | None = None) -> None:
        self._processor = processor(folder, most_tiles)
        self.model: Any = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)

    def inputs(self, talk: Sequence[Message]) -> dict[str, Tensor]:
        """Several pictures of a turn have their number before them, as InternVL's makers write it."""
        turns, shown = list[dict[str, Any]](), list[Path]()
        for each in talk:
            turns.append({"role": each.role, "content": _content(each, len(shown))})
            shown += each.pictures
        text = self._processor.apply_chat_template(turns, add_generation_prompt=True)
        pictures = [Image.open(path) for path in shown] or None
        return dict(self._processor(text=[text], images=pictures, return_tensors="pt"))

    def answer(self, talk: Sequence[Message]) -> tuple[str, int, int]:
        """Text, and tokens of the prompt and of its pictures."""
        inputs = self.inputs(talk)
        tokenizer = self._processor.tokenizer
        ends = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
        made = self.model.generate(**inputs, max_new_tokens=LENGTH, do_sample=False, eos_token_id=ends)
        prompt = inputs["input_ids"][0]
        said = [one for one in made[0, len(prompt) :].tolist() if one not in ends]
        assert len(said) > 3
        places = int((prompt == self.model.config.image_token_id).sum())
        return tokenizer.decode(said, skip_special_tokens=True), len(prompt), places


def _content(message: Message, before: int) -> list[dict[str, str]]:
    parts = list[dict[str, str]]()
    for number, _ in enumerate(message.pictures, before + 1):
        label = f"Image-{number}: " if len(message.pictures) > 1 else ""
        parts += [{"type": "text", "text": label}, {"type": "image"}]
    return [*parts, {"type": "text", "text": message.text}]
