"""Writes a Qwen picture model of its published size with random weights: real memory and speed, meaningless
answers. The tokenizer is the tests' own, whose tokens are among the published vocabulary's.

Usage: python3 -m tests.gpu.full_size_qwen_vl KIND FOLDER   (KIND: qwen2_vl, qwen2_5_vl, qwen3_vl or qwen3_5)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from launcher import families
from tests.models.tiny_qwen_vl import KINDS, write_qwen_vl

PUBLISHED = {
    "qwen2_vl": "Qwen/Qwen2-VL-2B-Instruct",
    "qwen2_5_vl": "Qwen/Qwen2.5-VL-3B-Instruct",
    "qwen3_vl": "Qwen/Qwen3-VL-2B-Instruct",
    "qwen3_5": "Qwen/Qwen3.5-2B",
}
TOWERS: dict[str, dict[str, Any]] = {
    "qwen2_vl": {"num_heads": 16, "hidden_size": 1536},
    "qwen2_5_vl": {"num_heads": 16, "out_hidden_size": 2048, "fullatt_block_indexes": [7, 15, 23, 31]},
    "qwen3_vl": {"num_heads": 16, "out_hidden_size": 2048},
    "qwen3_5": {"num_heads": 16, "out_hidden_size": 2048},
}
"""What memory does not depend on, and so no plan knows."""
NOT_NUMBERS = ("architectures", "text_config", "vision_config", "torch_dtype", "tie_word_embeddings")


def main(kind: str, folder: Path) -> None:
    config = families.KNOWN_CONFIGS[PUBLISHED[kind]]
    tower = {**KINDS[kind]["vision_config"], **config["vision_config"], **TOWERS[kind]}
    own = {key: value for key, value in config.items() if key not in NOT_NUMBERS}
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        write_qwen_vl(folder, kind, tower=tower, spread=0.02, **own, **_text(config))
    print(f"{folder}: {PUBLISHED[kind]} at full size, random weights")


def _text(config: Mapping[str, Any]) -> dict[str, Any]:
    """The language model's numbers; which layers are linear follows from their interval."""
    text = dict(config.get("text_config", {}))
    return {**text, "layer_types": None} if "full_attention_interval" in text else text


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
