"""Text as it comes against the whole answer's, for tokenizers of both kinds."""

from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from launcher.models.tokenizer_decoder import TokenizerDecoder
from tests.models.tiny_generic import qwen_tokenizer


@lru_cache
def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    if kind == "bytes":
        return qwen_tokenizer()
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256)), "▁", "a", "▁b", "你", "▁▁"]
    made = Tokenizer(
        models.BPE({piece: n for n, piece in enumerate(pieces)}, [], byte_fallback=True, unk_token="<unk>")
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1),
        ]
    )
    made.add_special_tokens(pieces[:3])
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>")


@pytest.mark.parametrize("kind", ["bytes", "pieces"])
@given(ids=st.lists(st.integers(0, 420), max_size=30))
def test_the_pieces_of_an_answer_are_its_text(kind: str, ids: list[int]) -> None:
    """Ids beyond the vocabulary too, as padded embeddings have them. A tokenizer with a token for each byte
    takes text back where bytes are broken; nothing may fail there."""
    decoder = TokenizerDecoder(tokenizer(kind))
    text = "".join(map(decoder.add, ids)) + decoder.finish()
    whole = tokenizer(kind).backend_tokenizer.decode(ids, skip_special_tokens=True)
    assert text == whole or (kind == "pieces" and "\ufffd" in whole)


def test_half_a_character_waits_and_added_tokens_are_text_or_nothing() -> None:
    qwen = qwen_tokenizer()
    decoder = TokenizerDecoder(qwen)
    ids = qwen.encode("狐", add_special_tokens=False)
    assert len(ids) > 1
    assert [decoder.add(one) for one in ids] == [*[""] * (len(ids) - 1), "狐"]
    think, end = qwen.convert_tokens_to_ids(["<think>", "<|im_end|>"])
    assert (decoder.add(think), decoder.add(end), decoder.add(ids[0])) == ("<think>", "", "")
    assert decoder.finish() == "\ufffd"
