"""The fast tokenizer against SentencePiece itself."""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from launcher.errors import CheckpointError
from launcher.models.internlm2_decoder import StreamDecoder, join_pieces
from launcher.models.internlm2_tokenizer import (
    InternLM2Tokenizer,
    InternLMXComposer2Tokenizer,
    _convert_once,
)
from launcher.models.internlm3 import InternLM3Tokenizer
from tests.models.tiny import CHAT, PICTURES, UNUSED, WHOLE, piece_count, tokenizer_config, tokenizer_model

VECTORS = Path(__file__).with_name("internlm2_vectors.json")
PROCESSOR = sentencepiece.SentencePieceProcessor(model_proto=tokenizer_model())
KINDS = ("internlm2", "internlm3", "internvl2", "xcomposer2")


def write_tokenizer(folder: Path, kind: str, model: bytes | None = None, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.model").write_bytes(tokenizer_model() if model is None else model)
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(kind) | changes))
    types = {"internvl2": "internvl_chat", "xcomposer2": "internlmxcomposer2"}
    (folder / "config.json").write_text(json.dumps({"model_type": types.get(kind, kind)}))
    return folder


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, InternLM2Tokenizer]:
    root = tmp_path_factory.mktemp("tokenizers")
    return {
        kind: AutoTokenizer.from_pretrained(write_tokenizer(root / kind, kind), trust_remote_code=False)
        for kind in KINDS
    }


def special_ids(kind: str) -> dict[str, int]:
    return {entry["content"]: int(i) for i, entry in tokenizer_config(kind)["added_tokens_decoder"].items()}


def published_ids(text: str, kind: str) -> list[int]:
    """As the published Python tokenizer: special tokens first, SentencePiece for what lies between them."""
    special = special_ids(kind)
    ids = []
    for part in re.split("(" + "|".join(map(re.escape, special)) + ")", text):
        ids += [special[part]] if part in special else PROCESSOR.encode(part)
    return ids


pieces = st.sampled_from(
    [PROCESSOR.id_to_piece(i).replace("▁", " ") for i in range(259, piece_count() - len(UNUSED))]
)
repeated = st.builds(
    lambda unit, n: unit * n, st.text("ab-= \n.哈E…—", min_size=1, max_size=3), st.integers(1, 40)
)
texts = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.sampled_from(
            [
                *WHOLE,
                *CHAT,
                *PICTURES,
                "<s>",
                "</s>",
                "<unk>",
                "<0x41>",
                "▁",
                "\0",
                "  ",
                "\t\n",
                "🦊",
                "👩‍👩‍👧",
                "é",
                "e\u0301",
            ]
        ),
        pieces,
        repeated,
    ),
    max_size=8,
).map("".join)


@pytest.mark.parametrize("kind", KINDS)
@given(text=texts)
def test_the_ids_are_sentencepieces(tokenizers: dict[str, InternLM2Tokenizer], kind: str, text: str) -> None:
    tokenizer, expected = tokenizers[kind], published_ids(text, kind)
    assert tokenizer.encode(text, add_special_tokens=False) == expected
    assert tokenizer.encode(text) == [1, *expected]
    assert tokenizer(text)["attention_mask"] == [1] * (len(expected) + 1)


@given(ids=st.lists(st.integers(3, 258) | st.integers(3, piece_count() - 1), max_size=12))
def test_decoding_is_sentencepieces_for_any_ids(
    tokenizers: dict[str, InternLM2Tokenizer], ids: list[int]
) -> None:
    assert tokenizers["xcomposer2"].decode(ids) == PROCESSOR.decode(ids)


@given(text=texts)
def test_text_comes_back(tokenizers: dict[str, InternLM2Tokenizer], text: str) -> None:
    tokenizer = tokenizers["internvl2"]
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text.replace("▁", " ")


@given(text=texts)
def test_streaming_gives_whole_characters_as_soon_as_they_are_complete(
    tokenizers: dict[str, InternLM2Tokenizer], text: str
) -> None:
    tokenizer, decoder = tokenizers["internvl2"], StreamDecoder()
    tokens = tokenizer.convert_ids_to_tokens(tokenizer.encode(text, add_special_tokens=False))
    shown = ""
    for n, token in enumerate(tokens, 1):
        shown += decoder.add(token)
        assert shown == join_pieces(tokens[:n]).removesuffix(
            "\ufffd" * (len(join_pieces(tokens[:n])) - len(shown))
        )
    assert shown == text.replace("▁", " ")
    assert decoder.finish() == ""


@given(ids=st.lists(st.integers(3, 258) | st.integers(3, piece_count() - 1), max_size=12))
def test_streaming_any_ids_gives_what_decoding_them_at_once_gives(ids: list[int]) -> None:
    decoder = StreamDecoder()
    tokens = [PROCESSOR.id_to_piece(i) for i in ids]
    assert "".join(map(decoder.add, tokens)) + decoder.finish() == PROCESSOR.decode(ids)


def test_half_a_character_waits() -> None:
    decoder = StreamDecoder()
    assert [decoder.add(f"<0x{byte:02X}>") for byte in "🦊".encode()] == ["", "", "", "🦊"]
    assert decoder.add("<0xE4>") == ""
    assert decoder.add("a") == "\ufffda"
    assert decoder.add("<0xE4>") == ""
    assert decoder.finish() == "\ufffd"


def test_ids_and_sizes_are_the_published_ones(tokenizers: dict[str, InternLM2Tokenizer]) -> None:
    for kind in KINDS:
        tokenizer = tokenizers[kind]
        assert tokenizer.vocab_size == piece_count()
        assert len(tokenizer) == piece_count() + (len(PICTURES) if kind == "internvl2" else 0)
        assert {name: tokenizer.convert_tokens_to_ids(name) for name in special_ids(kind)} == special_ids(
            kind
        )
        assert (
            tokenizer.bos_token_id,
            tokenizer.eos_token_id,
            tokenizer.pad_token_id,
            tokenizer.unk_token_id,
        ) == (1, 2, 2, 0)
        assert set(tokenizer.all_special_tokens) == set(special_ids(kind))
        assert tokenizer.is_fast
    assert isinstance(tokenizers["xcomposer2"], InternLMXComposer2Tokenizer)
    assert isinstance(tokenizers["internlm3"], InternLM3Tokenizer)


def test_a_renamed_token_no_longer_answers_to_its_old_name(tokenizers: dict[str, InternLM2Tokenizer]) -> None:
    end = piece_count() - 2
    assert tokenizers["xcomposer2"].encode("[UNUSED_TOKEN_145]", add_special_tokens=False) == [end]
    renamed = tokenizers["internvl2"].encode("[UNUSED_TOKEN_145]", add_special_tokens=False)
    assert end not in renamed
    assert tokenizers["internvl2"].decode(renamed) == "[UNUSED_TOKEN_145]"
    assert tokenizers["internvl2"].decode([end]) == "<|im_end|>"
    assert tokenizers["internvl2"].decode([end], skip_special_tokens=True) == ""


def test_the_chat_template_gives_one_bos(tokenizers: dict[str, InternLM2Tokenizer]) -> None:
    tokenizer = tokenizers["internlm2"]
    tokenizer.chat_template = (
        "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
    )
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], return_dict=False)
    assert ids == [1, *PROCESSOR.encode("hi")]


def test_a_wrong_id_is_named(tmp_path: Path) -> None:
    config = tokenizer_config("internlm2")
    added = config["added_tokens_decoder"]
    added[str(piece_count() + 5)] = added.pop(str(piece_count() - 1))
    with pytest.raises(CheckpointError, match=r"<\|im_start\|> has id"):
        AutoTokenizer.from_pretrained(write_tokenizer(tmp_path, "internlm2", added_tokens_decoder=added))


@pytest.mark.parametrize(
    "content", [b"", b"version https://git-lfs", tokenizer_model("unigram")], ids=["empty", "text", "unigram"]
)
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer\.model cannot be read"):
        AutoTokenizer.from_pretrained(write_tokenizer(tmp_path, "internlm2", content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer\.model cannot be read"):
        InternLM2Tokenizer(vocab_file=str(tmp_path / "tokenizer.model"))


def load(folder: Path) -> list[int]:
    """Ids by a tokenizer that is loaded as in a new process."""
    _convert_once.cache_clear()
    ids: list[int] = AutoTokenizer.from_pretrained(folder)("The star  好")["input_ids"]
    return ids


def test_the_conversion_is_kept_and_made_anew_when_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_tokenizer(tmp_path / "model", "internlm2")
    ids = load(folder)
    (kept,) = (tmp_path / "cache" / "launcher" / "tokenizers").iterdir()
    written = kept.stat()
    assert load(folder) == ids
    assert kept.stat().st_mtime_ns == written.st_mtime_ns
    kept.write_bytes(kept.read_bytes()[:1000])
    assert load(folder) == ids
    assert kept.stat().st_size == written.st_size
    load(write_tokenizer(tmp_path / "other", "internvl2"))
    assert len(list(kept.parent.iterdir())) == 2


def test_a_cache_that_cannot_be_written_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load(write_tokenizer(tmp_path / "model", "internlm2"))[0] == 1


def test_several_at_once_convert_and_read_the_same_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write_tokenizer(tmp_path / "model", "internlm2")
    found: list[list[int]] = []
    threads = [threading.Thread(target=lambda: found.append(load(folder))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [load(folder)] * 6
    (kept,) = (tmp_path / "cache" / "launcher" / "tokenizers").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) & 0o077 == 0


def test_tokenizers_of_one_process_share_no_settings(tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path, "internlm2")
    first, second = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    first.add_tokens(["star"])
    first("The star", truncation=True, max_length=2)
    assert second.encode("The star", add_special_tokens=False) == PROCESSOR.encode("The star")
    assert len(first) == len(second) + 1


def real_folders() -> list[Path]:
    root = os.environ.get("LAUNCHER_MODELS")
    names = ("internvl2-2b", "internlm2-chat-1_8b", "internlm-xcomposer2-vl-1_8b")
    return [folder for name in names if root and (folder := Path(root) / name / "tokenizer.model").is_file()]


@pytest.mark.skipif(
    not real_folders(), reason="LAUNCHER_MODELS names no folder with a published tokenizer.model"
)
def test_the_published_vocabulary_gives_the_kept_ids() -> None:
    cases = json.loads(VECTORS.read_text(encoding="utf-8"))
    for path in real_folders():
        tokenizer = AutoTokenizer.from_pretrained(path.parent, trust_remote_code=False)
        name = path.parent.name
        for case in cases:
            if name in case["models"]:
                assert tokenizer.encode(case["text"], add_special_tokens=False) == case["ids"], (
                    name,
                    case["text"],
                )
