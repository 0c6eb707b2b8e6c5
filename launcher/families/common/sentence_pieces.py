"""``tokenizer.model`` of InternLM's models: a SentencePiece model, read and checked. What is made of it is
``launcher.models.internlm2_tokenizer``'s."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launcher.errors import CheckpointError

FILE = "tokenizer.model"


def parse(content: bytes, file: object) -> Any:
    """The model that the bytes are, SentencePiece's ``ModelProto``.

    Args:
        content: of the file.
        file: what errors call it.

    Raises:
        CheckpointError: they are none, or one of another kind than InternLM's.
    """
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2  # 30 ms that only these models cost

    model = sentencepiece_model_pb2.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise unreadable(file, str(error)) from error
    normalizer, trainer = model.normalizer_spec, model.trainer_spec
    unused = sentencepiece_model_pb2.ModelProto.SentencePiece.UNUSED
    known = (
        trainer.model_type == trainer.BPE
        and trainer.byte_fallback
        and not normalizer.precompiled_charsmap
        and not normalizer.add_dummy_prefix
        and not normalizer.remove_extra_whitespaces
        and normalizer.escape_whitespaces
        and all(piece.type != unused for piece in model.pieces)
    )
    if not known:
        raise unreadable(
            file, "it is not BPE with byte fallback and without normalisation, as InternLM2's is"
        )
    return model


def check_added(model: Any, added: Mapping[int, str], needed: str, file: Path) -> None:
    """Makes sure that the tokens which tokenizer_config.json adds are those that the model was trained on.

    Args:
        model: as ``parse`` gives it.
        added: the tokens by their numbers; one that the model has is renamed.
        needed: a token that there has to be; "" for none.
        file: of the model.

    Raises:
        CheckpointError: one is missing.
    """
    beyond = sorted(number for number in added if number >= len(model.pieces))
    for found, expected in enumerate(beyond, start=len(model.pieces)):
        if found != expected:
            raise CheckpointError(
                "{path}: token {name} has id {found}, tokenizer_config.json says {expected}",
                hint="tokenizer.model and tokenizer_config.json are not of the same model; download"
                " both again.",
                path=file,
                name=added[expected],
                found=found,
                expected=expected,
            )
    if needed and needed not in added.values() and all(piece.piece != needed for piece in model.pieces):
        raise CheckpointError(
            "{folder}: the tokenizer has no token {token}",
            hint="Download tokenizer.model and tokenizer_config.json again.",
            folder=file.parent,
            token=needed,
        )


def unreadable(file: object, reason: str) -> CheckpointError:
    """The file cannot be read."""
    return CheckpointError(
        "{path} cannot be read: {reason}",
        hint="Download tokenizer.model into the model's folder again.",
        path=file,
        reason=reason,
    )
