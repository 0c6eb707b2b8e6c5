"""Checkpoints on this machine: where they are (``locating``) and what their folders hold (``facts``, of which
``weights`` reads the weights' headers, ``small_files`` and ``vocabulary`` the rest); owns neither downloading
nor what a model needs."""

from launcher.checkpoints.facts import (
    CONFIG,
    CheckpointFacts,
    facts_from_config,
    facts_in_config,
    read_facts,
)
from launcher.checkpoints.locating import (
    MODELS_VARIABLE,
    Absent,
    Hub,
    Located,
    download_commands,
    folder_meant,
    hub_cache,
    locate,
    modelscope_cache,
    own_folder,
    quantized_folder,
)
from launcher.checkpoints.small_files import (
    MAX_JSON_BYTES,
    MAX_TOKENIZER_BYTES,
    TOKENIZERS,
    content,
    own_preprocessing,
)
from launcher.checkpoints.vocabulary import Vocabulary, added_tokens
from launcher.checkpoints.weights import INDEXES, WeightFile, weight_bytes

__all__ = [
    "CONFIG",
    "INDEXES",
    "MAX_JSON_BYTES",
    "MAX_TOKENIZER_BYTES",
    "MODELS_VARIABLE",
    "TOKENIZERS",
    "Absent",
    "CheckpointFacts",
    "Hub",
    "Located",
    "Vocabulary",
    "WeightFile",
    "added_tokens",
    "content",
    "download_commands",
    "facts_from_config",
    "facts_in_config",
    "folder_meant",
    "hub_cache",
    "locate",
    "modelscope_cache",
    "own_folder",
    "own_preprocessing",
    "quantized_folder",
    "read_facts",
    "weight_bytes",
]
