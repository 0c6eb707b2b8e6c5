"""Whether a checkpoint that is here is whole: all that can be known of its small files and of its weights'
headers, so that nothing of it is refused once it loads."""

from __future__ import annotations

from pathlib import Path

from launcher.checkpoints import (
    CONFIG,
    MAX_TOKENIZER_BYTES,
    CheckpointFacts,
    added_tokens,
    content,
)
from launcher.errors import CheckpointError
from launcher.families import TOKENIZER_S_OWN, Family, ModelSizes, sentence_pieces
from launcher.memory import wished_pictures
from launcher.presets import Preset


def check_whole(
    preset: Preset, folder: Path, facts: CheckpointFacts, family: Family, sizes: ModelSizes
) -> None:
    """Makes sure of it.

    Raises:
        CheckpointError: a file is broken or lacks something, or files are not of the same model.
        PresetError: the preset asks of pictures what there is not.
    """
    pictures = wished_pictures(sizes.pictures, preset.memory)
    if facts.folder is None:
        return  # it is assessed before it is fetched
    family.check_here(facts.config, facts.tensor_shapes, folder / CONFIG, folder)
    _check_bits(folder, facts)
    if facts.preprocessing is not None:
        family.check_preprocessing(facts.preprocessing.values, facts.preprocessing.file, pictures)
    form = str(family.template_name(facts.config))
    if family.reads_sentence_pieces:
        file = folder / sentence_pieces.FILE
        model = sentence_pieces.parse(content(file, MAX_TOKENIZER_BYTES), file)
        sentence_pieces.check_added(model, added_tokens(folder), family.picture_token, file)
    elif family.picture_token and facts.vocabulary is not None:
        facts.vocabulary.check_token(family.picture_token)
    if form == TOKENIZER_S_OWN and facts.chat_template:
        from launcher.families.common.chat_templates import check_template  # Jinja: 30 ms

        check_template(facts.chat_template, family.picture_marks, folder)


def check_processor(folder: Path, facts: CheckpointFacts, family: Family) -> None:
    """Makes sure that LMDeploy finds transformers' processor for pictures, which it loads though it is shown
    ours.

    Raises:
        CheckpointError: no file of the checkpoint says what it is.
    """
    if family.pixels and facts.preprocessing is not None and not facts.preprocessing.values:
        raise CheckpointError(
            "{folder} holds no {name}",
            "Download the model again; files that are whole are not fetched twice.",
            folder=folder,
            name=facts.preprocessing.file.name,
        )


def _check_bits(folder: Path, facts: CheckpointFacts) -> None:
    """Of its weights, as config.json says them, against what the files hold."""
    if not facts.tensors:
        return
    if facts.quantization is None and facts.has_four_bits:
        raise CheckpointError(
            "{folder}: the weights have four bits, and config.json does not say so",
            "Weights and config.json are not of the same model; download both again.",
            folder=folder,
        )
    if facts.quantization is not None and facts.quantization.is_awq and not facts.has_four_bits:
        raise CheckpointError(
            "{folder}: config.json says that the weights have four bits ({method}), and none has",
            "Weights and config.json are not of the same model; download both again.",
            folder=folder,
            method=facts.quantization.method,
        )
