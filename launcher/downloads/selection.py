"""Which files of a repository a model needs: configs, tokenizer, weights; never code, never the same weights
twice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from launcher.checkpoints import CONFIG, INDEXES, TOKENIZERS
from launcher.downloads.hubs import RemoteFile, Repository
from launcher.errors import CheckpointError

_SMALL = (
    CONFIG,
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    *TOKENIZERS,
    "merges.txt",
    "vocab.txt",
    "spiece.model",
    "spm.model",
    "sentencepiece.model",
    "sentencepiece.bpe.model",
    "tiktoken.model",
    "tekken.json",
)
"""What transformers 5 and LMDeploy 0.18 read of a folder beside the weights, whatever the model."""
_TEMPLATES = re.compile(r"additional_chat_templates/[\w-][\w.-]*\.jinja")
"""The one folder that transformers looks into."""
_WEIGHTS = (
    ("model*.safetensors", INDEXES[0]),
    ("*.safetensors", INDEXES[0]),
    ("pytorch_model*.bin", INDEXES[1]),
)
"""Patterns in the order of preference, each with the index that goes with it."""


def needed_files(repository: Repository) -> tuple[RemoteFile, ...]:
    """The needed files in the order to fetch them: config.json comes last, so that a folder counts only once
    it is whole.

    Only files at the top of the repository and chat templates are taken: no name leads out of the folder they
    go to.

    Raises:
        CheckpointError: the repository holds no config, no tokenizer or no weights that can be used.
    """
    top = [file for file in repository.files if "/" not in file.name and "\\" not in file.name]
    small = [file for file in top if file.name in _SMALL and file.name != CONFIG]
    templates = [file for file in repository.files if _TEMPLATES.fullmatch(file.name)]
    config = [file for file in top if file.name == CONFIG]
    weights = _weights(top)
    _check_names([*templates, *weights])
    _check(repository, "config.json", bool(config))
    _check(repository, "a tokenizer", any(file.name in TOKENIZERS for file in small))
    _check(repository, "weights (*.safetensors or pytorch_model*.bin)", bool(weights))
    return (*small, *templates, *weights, *config)


def _weights(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    for pattern, index in _WEIGHTS:
        found = [file for file in files if fnmatchcase(file.name, pattern)]
        if found:
            return [
                *(file for file in files if file.name == index),
                *sorted(found, key=lambda file: file.name),
            ]
    return []


def _check_names(files: Sequence[RemoteFile]) -> None:
    """The other names are among those that are known. Letters that cannot be seen are in no published name:
    they end a path (NUL), steer a terminal, or make one name look like another."""
    for file in files:
        if not file.name.isprintable():
            raise CheckpointError(
                "The hub lists a file named {name}, which no file of a model is called",
                "Check the preset's sources, or take the other hub (--from).",
                name=ascii(file.name),
            )


def is_weights(name: str) -> bool:
    """Whether a needed file is one of weights."""
    return any(fnmatchcase(name, pattern) for pattern, _ in _WEIGHTS)


def _check(repository: Repository, part: str, present: bool) -> None:
    if not present:
        raise CheckpointError(
            "{name} on the hub holds no {part}: it is not a model that the launcher could run",
            "Check the preset's sources.",
            name=repository.source.name,
            part=part,
        )
