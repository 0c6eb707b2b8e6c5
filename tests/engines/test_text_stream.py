"""Text as it comes, up to a stop text."""

from __future__ import annotations

import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from launcher.engines.text_stream import TextStream
from launcher.models.internlm2_decoder import InternLM2Decoder
from tests.models.tiny import tokenizer_model

PROCESSOR = sentencepiece.SentencePieceProcessor(model_proto=tokenizer_model())


class Pieces:
    """What a stream uses of a tokenizer."""

    all_special_ids = (0, 1, 2)

    def convert_ids_to_tokens(self, token_id: int) -> str | None:
        return PROCESSOR.id_to_piece(token_id) if token_id < len(PROCESSOR) else None


def streamed(text: str, stops: tuple[str, ...]) -> tuple[list[str], bool]:
    """All tokens go in, also those after a stop text: an engine may hand over several at once."""
    stream = TextStream(InternLM2Decoder(Pieces()), stops)
    shown = [stream.add(token_id) for token_id in PROCESSOR.encode(text)]
    return [*shown, stream.finish()], stream.stopped


words = st.text("ab哈🦊 \n", max_size=30)


@given(text=words, stops=st.lists(st.text("ab哈🦊 \n", max_size=4), max_size=3))
def test_the_text_ends_before_the_stop_text_that_is_complete_first(text: str, stops: list[str]) -> None:
    shown, stopped = streamed(text, tuple(stops))
    complete = [(text.index(stop) + len(stop), text.index(stop)) for stop in stops if stop and stop in text]
    assert "".join(shown) == text[: min(complete)[1] if complete else len(text)]
    assert stopped == bool(complete)


@given(text=words)
def test_without_stop_texts_nothing_is_held_back_but_half_characters(text: str) -> None:
    stream, shown = TextStream(InternLM2Decoder(Pieces())), ""
    for n, token_id in enumerate(ids := PROCESSOR.encode(text), 1):
        shown += stream.add(token_id)
        assert shown == PROCESSOR.decode(ids[:n]).rstrip("\ufffd")
    assert stream.finish() == ""


def test_a_stop_text_across_tokens_is_never_shown_in_part() -> None:
    shown, stopped = streamed("say STOP now", ("STOP",))
    assert ("".join(shown), stopped) == ("say ", True)
    assert not any("S" in part for part in shown)


@given(
    tokens=st.lists(st.sampled_from([*PROCESSOR.encode("ab哈🦊 \nThe quick brown fox"), 3 + 0xE4, 3 + 0x92])),
    stops=st.lists(
        st.sampled_from(["a", "ab", "uic", "\ufffd", "哈\ufffd", "k b", " ", "\n", "🦊T"]), max_size=3
    ),
)
def test_an_answer_is_its_whole_text_up_to_the_first_stop(tokens: list[int], stops: list[str]) -> None:
    """Also where a stop text lies inside one token's piece, or becomes complete as the answer ends."""
    whole = TextStream(InternLM2Decoder(Pieces()))
    text = "".join(map(whole.add, tokens)) + whole.finish()
    stream = TextStream(InternLM2Decoder(Pieces()), stops)
    shown = "".join(map(stream.add, tokens)) + stream.finish()
    complete = [(text.index(stop) + len(stop), text.index(stop)) for stop in stops if stop in text]
    assert shown == text[: min(complete)[1] if complete else len(text)]
    assert stream.stopped == bool(complete)


def test_special_tokens_have_no_text_and_half_a_character_ends_as_a_mark() -> None:
    stream = TextStream(InternLM2Decoder(Pieces()))
    assert stream.add(1) == ""
    assert stream.add(len(PROCESSOR)) == ""  # the rest of a padded vocabulary
    assert stream.add(3 + 0xE4) == ""
    assert stream.finish() == "\ufffd"
