"""The InternLM2 tokenizer as a fast one, built from the checkpoint's ``tokenizer.model``.

A ``tokenizer.model`` is SentencePiece BPE without any text normalisation: no dummy prefix, spaces kept,
spaces written as "▁", unknown characters as bytes. The published tokenizer is a Python wrapper that splits
the text at special tokens and hands the rest to SentencePiece; here the same ids come from the ``tokenizers``
library in one pass.

Three things differ on purpose. Where ``tokenizer_config.json`` gives an id that SentencePiece calls
[UNUSED_TOKEN_n] a new name (<|im_end|> and others), the old name is plain text: the published tokenizer lets
it forge the new token. Decoding is SentencePiece's, with no clean-up of spaces before punctuation. And the
conversion (about a second for 92,000 pieces) is kept in the process and in the user's cache folder, keyed by
what it was made from.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from sentencepiece import sentencepiece_model_pb2 as sentencepiece_model
from tokenizers import AddedToken, Tokenizer, decoders, normalizers
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from launcher.errors import CheckpointError
from launcher.families.common.sentence_pieces import parse, unreadable
from launcher.models.internlm2_decoder import NUL_PIECE, SPACE, join_pieces
from launcher.user_folders import cache_folder

# Part of the cache key: counts up when the conversion changes.
_CONVERSION = 2

_Piece = sentencepiece_model.ModelProto.SentencePiece


class InternLM2Tokenizer(PreTrainedTokenizerFast):
    """Reads ``tokenizer.model``; takes the arguments of ``tokenizer_config.json``. Adds a BOS like the
    published tokenizer.

    Raises:
        CheckpointError: the file cannot be read or is not the kind of model described above, or an added
            token's id is not the one that the checkpoint gives it.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": "tokenizer.model"}
    model_input_names: ClassVar[list[str]] = ["input_ids", "attention_mask"]

    def __init__(
        self, vocab_file: str, added_tokens_decoder: Mapping[int, AddedToken] | None = None, **kwargs: Any
    ) -> None:
        added = dict(added_tokens_decoder or {})
        names = {token_id: str(token) for token_id, token in added.items()}
        kwargs.setdefault("add_bos_token", True)
        kwargs.setdefault("clean_up_tokenization_spaces", False)
        for key, token in (
            ("unk_token", "<unk>"),
            ("bos_token", "<s>"),
            ("eos_token", "</s>"),
            ("pad_token", "</s>"),
        ):
            kwargs.setdefault(key, token)
        self._tokenizer = load_converted(Path(vocab_file), names)
        super().__init__(vocab_file=vocab_file, added_tokens_decoder=added, **kwargs)
        self._check_ids(vocab_file, names)

    @classmethod
    def convert_to_native_format(cls, **kwargs: Any) -> dict[str, Any]:
        """Keeps transformers from converting ``tokenizer.model`` its own way before ``__init__`` sees it."""
        kwargs.pop("trust_remote_code", None)
        return kwargs

    def convert_tokens_to_string(self, tokens: Sequence[str | None]) -> str:
        """Joins pieces as SentencePiece does: each byte that is no part of a character becomes one U+FFFD."""
        return join_pieces(token for token in tokens if token is not None)

    def _decode(self, token_ids: int | Sequence[int], skip_special_tokens: bool = False, **_: Any) -> str:
        ids = [token_ids] if isinstance(token_ids, int) else list(token_ids)
        return self.convert_tokens_to_string(
            self.convert_ids_to_tokens(ids, skip_special_tokens=skip_special_tokens)
        )

    def _check_ids(self, vocab_file: str, names: Mapping[int, str]) -> None:
        for token_id, name in names.items():
            if (found := self.convert_tokens_to_ids(name)) != token_id:
                raise CheckpointError(
                    "{path}: token {name} has id {found}, tokenizer_config.json says {expected}",
                    hint="tokenizer.model and tokenizer_config.json are not of the same model; download"
                    " both again.",
                    path=vocab_file,
                    name=name,
                    found=found,
                    expected=token_id,
                )


class InternLMXComposer2Tokenizer(InternLM2Tokenizer):
    """The same under the name that XComposer2's ``tokenizer_config.json`` asks for."""


def load_converted(vocab_file: Path, names: Mapping[int, str]) -> Tokenizer:
    """The ``tokenizers`` form of a ``tokenizer.model`` in which ``names`` renames ids; from the cache where
    it is there.

    Raises:
        CheckpointError: the file cannot be read or is of another kind.
    """
    try:
        content = vocab_file.read_bytes()
    except OSError as error:
        raise unreadable(vocab_file, error.strerror or str(error)) from error
    kept = _convert_once(vocab_file, content, tuple(sorted(names.items())))
    # What a tokenizer changes is its own; the vocabulary, which takes the time, is shared. LMDeploy loads it
    # six times.
    tokenizer = Tokenizer(kept.model)
    tokenizer.normalizer, tokenizer.decoder = kept.normalizer, kept.decoder
    tokenizer.add_tokens(list(kept.get_added_tokens_decoder().values()))
    return tokenizer


@lru_cache(maxsize=4)
def _convert_once(vocab_file: Path, content: bytes, names: tuple[tuple[int, str], ...]) -> Tokenizer:
    key = hashlib.sha256(content)
    key.update(json.dumps([_CONVERSION, names]).encode())
    cached = _cache_folder() / f"{key.hexdigest()}.json"
    with contextlib.suppress(
        Exception
    ):  # not there, cut short, or of another tokenizers version: all are made anew
        return Tokenizer.from_file(str(cached))
    tokenizer = convert(parse(content, vocab_file), dict(names))
    with contextlib.suppress(OSError):  # a cache that cannot be written costs a second at the next start
        _write_whole(cached, tokenizer.to_str())
    return tokenizer


def _cache_folder() -> Path:
    return cache_folder() / "tokenizers"


def _write_whole(target: Path, text: str) -> None:
    """Another process sees the whole file or none: written beside it, then renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=target.parent, suffix=".part", delete=False, encoding="utf-8"
    ) as file:
        part = Path(file.name)
        try:
            file.write(text)
            file.close()
            part.replace(target)
        except OSError:
            part.unlink(missing_ok=True)
            raise


def convert(model: Any, names: Mapping[int, str]) -> Tokenizer:
    """A parsed SentencePiece model -> an equal ``tokenizers`` one, in which the ids in ``names`` have these
    names."""
    pieces = [
        names.get(token_id, NUL_PIECE if piece.piece == "\0" else piece.piece)
        for token_id, piece in enumerate(model.pieces)
    ]
    vocab = {piece: token_id for token_id, piece in enumerate(pieces)}
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type == _Piece.NORMAL}
    bpe = BPE(
        vocab=vocab, merges=merges(scores), unk_token=pieces[model.trainer_spec.unk_id], byte_fallback=True
    )
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    whole = [piece for piece, entry in zip(pieces, model.pieces, strict=True) if _is_whole(piece, entry)]
    tokenizer.add_tokens([AddedToken(piece, normalized=False, special=False) for piece in whole])
    return tokenizer


def _is_whole(name: str, entry: Any) -> bool:
    """Whether SentencePiece finds this piece in any text before it merges anything; a renamed one is not text
    any more."""
    return bool(entry.type == _Piece.USER_DEFINED and entry.piece == name)


def merges(scores: Mapping[str, float]) -> list[tuple[str, str]]:
    """The pairs that SentencePiece would join, the first to be joined first.

    SentencePiece joins the pair whose whole has the best score, the leftmost of equals; ``tokenizers`` wants
    a strict order of pairs. Two different pairs can only compete for one whole where they overlap (x y z with
    xy = yz), and then the left one, whose right part y also begins the whole, has to come first.
    """
    ranked = sorted((piece for piece in scores if len(piece) > 1), key=lambda piece: -scores[piece])
    pairs = []
    for piece in ranked:
        splits = [
            (piece[:i], piece[i:])
            for i in range(len(piece) - 1, 0, -1)
            if piece[:i] in scores and piece[i:] in scores
        ]
        pairs += sorted(splits, key=lambda pair: not piece.startswith(pair[1]))
    return pairs
