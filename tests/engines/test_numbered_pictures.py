"""Several pictures are numbered for the model as its makers number them: from the page's box to the tokens
that the transformers engine reads, and to LMDeploy's messages, which are the same text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from launcher.engines.kept import Kept
from launcher.engines.transformers_prompt import PromptMaker
from launcher.families import TEMPLATES
from launcher.messages import GenerationOptions
from launcher.models import register
from launcher.models.loading import PictureReader
from launcher.ui.conversation import Exchange, Settings, Typed, to_request
from tests.models.tiny import write_internvl2, write_xcomposer2

TOKENS = 2
"""Of a picture."""
NO_TOKEN = -1

ONE = "<img><IMG_CONTEXT><IMG_CONTEXT></img>\n"
PROMPTS = {
    "internvl2": (
        f"<|im_start|>user\n{ONE}what?<|im_end|><|im_start|>assistant\na star<|im_end|>"
        f"<|im_start|>user\nImage-2: {ONE}Image-3: {ONE}and these?<|im_end|><|im_start|>assistant\n"
    ),
    "xcomposer2": (
        "[UNUSED_TOKEN_146]user\n##what?[UNUSED_TOKEN_145]\n"
        "[UNUSED_TOKEN_146]assistant\na star[UNUSED_TOKEN_145]\n"
        "[UNUSED_TOKEN_146]user\n####and these?[UNUSED_TOKEN_145]\n[UNUSED_TOKEN_146]assistant\n"
    ),
}
"""InternVL's makers write "Image-1: <image>\\n"; those of XComposer2-VL set pictures side by side without a
word (numbers came with XComposer2.5), written "#" a token here."""


def written(ids: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """The prompt behind its BOS, as text."""
    runs = groupby(ids, key=lambda each: each == NO_TOKEN)
    parts = [
        "#" * len(run) if is_picture else tokenizer.decode(run)
        for is_picture, each in runs
        if (run := list(each))
    ]
    return "".join(parts).removeprefix("<s>")


def reader(token_id: int) -> PictureReader:
    return PictureReader(
        token_id=token_id,
        max_tiles=1,
        grid=lambda _picture, _one_tile: (1, TOKENS),
        to_pixels=lambda _picture, _one: torch.zeros(1, 3, 2, 2),
        see=lambda pixels: pixels,
        arguments=lambda _ids, _seen: {},
    )


@pytest.mark.parametrize(
    ("form", "write"), [("internvl2", write_internvl2), ("xcomposer2", write_xcomposer2)]
)
def test_what_is_asked_in_the_box_is_numbered_in_tokens(
    form: str, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    register()
    tokenizer = AutoTokenizer.from_pretrained(write(tmp_path / "model"))
    pictures = tuple(tmp_path / f"{number}.png" for number in range(3))
    for number, picture in enumerate(pictures):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(picture)
    before = Exchange(Typed("what?", pictures[:1]), "a star")
    request = to_request([before], Typed("and these?", pictures[1:]), Settings("", GenerationOptions()))

    is_known = form == "internvl2"  # XComposer2's mark is no token: LMDeploy and transformers are given an id
    token_id = tokenizer.convert_tokens_to_ids(TEMPLATES[form].picture_token) if is_known else NO_TOKEN
    prompt = PromptMaker(TEMPLATES[form], tokenizer, 4096, reader(token_id), Kept(1 << 20)).make(request)
    assert written(prompt.ids, tokenizer) == PROMPTS[form]
    assert prompt.picture_tokens == 3 * TOKENS
