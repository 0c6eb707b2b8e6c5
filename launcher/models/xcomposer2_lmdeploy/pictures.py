"""A request's pictures: their pixels, their places in the prompt, and both as LMDeploy's engine takes them.

Pictures are found by their places in each sequence, not by their token id: a text may hold that id.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lmdeploy.pytorch.engine.input_process import BaseModelInputProcessor, PreprocessInputResult
from lmdeploy.pytorch.multimodal.data_type import MultiModalData
from lmdeploy.vl.model.base import VisionModel
from PIL import Image
from torch import Tensor
from transformers import AutoTokenizer

from launcher.errors import RequestError
from launcher.families import TEMPLATES
from launcher.models.weights import CheckpointTensors
from launcher.models.xcomposer2 import ARCHITECTURE, picture_pixels, read_sizes

_TEMPLATE = TEMPLATES["xcomposer2"]
PLACE = str(_TEMPLATE.picture_token)
"""Stands for a picture in a prompt."""


class XComposer2VisionModel(VisionModel):
    """What LMDeploy runs before the engine: pictures to pixels, the prompt to token ids with places for them.

    LMDeploy knows its newer way of doing this by the parameters of ``preprocess``, and keeps its prefix cache
    for that one alone.
    """

    _arch = ARCHITECTURE

    def build_preprocessor(self, trust_remote_code: bool = False) -> None:  # noqa: ARG002 - LMDeploy's signature
        """Reads the picture's size from the checkpoint, and its tokenizer."""
        read_sizes(self.hf_config, CheckpointTensors(Path(self.model_path)))
        self.image_token_id = self.hf_config.image_token_id
        self._tokenizer = AutoTokenizer.from_pretrained(self.model_path, trust_remote_code=False)
        self.processor = self._pixels_of

    def _pixels_of(self, picture: Image.Image, _options: dict[str, Any]) -> Tensor:
        """A picture's pixels [1, 3, s, s]; found and called as LMDeploy's own vision models do it."""
        return picture_pixels([picture], self.hf_config.img_size)

    @staticmethod
    def get_input_prompt(
        messages: list[dict[str, Any]],
        chat_template: Any,
        tools: list[object] | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """The prompt with ``PLACE`` where a picture is, and nowhere else."""
        turns = [{**message, "content": _as_text(message["content"])} for message in messages]
        return str(chat_template.messages2prompt(turns, tools=tools, **(chat_template_kwargs or {})))

    def preprocess(
        self,
        messages: list[dict[str, Any]],
        input_prompt: str,
        mm_processor_kwargs: dict[str, Any] | None = None,  # noqa: ARG002 - LMDeploy's signature
    ) -> dict[str, Any]:
        """The prompt's token ids, with a BOS before them and ``image_tokens`` places for each picture, and
        the pictures' pixels.

        Raises:
            RequestError: the prompt has more or fewer places than there are pictures.
        """
        pictures = [picture for _, picture, _ in self.collect_multimodal_items(messages)]
        first, *others = input_prompt.split(PLACE)
        if len(others) != len(pictures):
            raise RequestError(
                "the prompt has {places} picture tokens but its pictures need {needed}",
                places=len(others),
                needed=len(pictures),
            )
        input_ids: list[int] = [self._tokenizer.bos_token_id, *self._encode(first)]
        found = []
        for picture, text in zip(pictures, others, strict=True):
            found.append(self._found(picture, offset=len(input_ids)))
            input_ids += [self.image_token_id] * self.hf_config.picture_tokens + self._encode(text)
        return {"input_ids": input_ids, "multimodal": found}

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def _found(self, picture: Image.Image, offset: int) -> dict[str, Any]:
        """What the input processor reads of a picture whose places begin at ``offset``."""
        return {
            "pixel_values": self.processor(picture, {}).to(self.mm_feature_dtype or torch.float32),
            "offset": offset,
            "image_tokens": self.hf_config.picture_tokens,
            "image_token_id": self.image_token_id,
        }


def _as_text(content: str | list[dict[str, Any]]) -> str:
    """LMDeploy's content as text. A place that somebody typed is no picture's: prompts come defused, others
    are defused here."""
    if isinstance(content, str):
        return content.replace(PLACE, _TEMPLATE.defuse(PLACE))
    return "".join(_as_text(item["text"]) if item["type"] == "text" else PLACE for item in content)


class XComposer2InputProcessor(BaseModelInputProcessor):
    """A request's pictures as LMDeploy's multimodal data, which also keys its prefix cache by their
    content."""

    def preprocess_input(
        self, input_ids: list[int], input_mms: list[dict[str, Any]] | None = None, **_: Any
    ) -> PreprocessInputResult:
        """Each picture with its place in the sequence."""
        pictures = [
            MultiModalData(
                data=found["pixel_values"],
                start=found["offset"],
                end=found["offset"] + found["image_tokens"],
                meta={"image_token_id": found["image_token_id"]},
            )
            for found in input_mms or ()
        ]
        return PreprocessInputResult(
            input_ids=input_ids, input_multimodals={"image": pictures} if pictures else None
        )
