"""Writes the checkpoints of shipped presets at their published sizes with random weights: real memory and
speed, meaningless answers. Their tokenizers are the tests' own, whose tokens are among the published
vocabularies'.

Usage: python3 -m tests.gpu.full_size FOLDER PRESET...   (PRESET: one of WRITERS below)

They lie in FOLDER as the presets look for them below $LAUNCHER_MODELS.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from launcher import families
from launcher.presets import read_presets
from tests.models.tiny_generic import write_generic, write_internvl_qwen
from tests.models.tiny_qwen_vl import KINDS, write_qwen_vl
from tests.rounded_checkpoint import QWEN2_LINEAR, write_rounded

SPREAD = 0.02
TOWERS: dict[str, dict[str, Any]] = {
    "qwen2_vl": {"num_heads": 16, "hidden_size": 1536},
    "qwen2_5_vl": {"num_heads": 16, "out_hidden_size": 2048, "fullatt_block_indexes": [7, 15, 23, 31]},
    "qwen3_vl": {"num_heads": 16, "out_hidden_size": 2048},
    "qwen3_5": {"num_heads": 16, "out_hidden_size": 2048},
}
"""What memory does not depend on, and so no plan knows."""
NOT_NUMBERS = (
    "architectures",
    "model_type",
    "text_config",
    "vision_config",
    "torch_dtype",
    "tie_word_embeddings",
)


def qwen_vl(folder: Path, kind: str, published: str) -> None:
    config = families.KNOWN_CONFIGS[published]
    tower = {**KINDS[kind]["vision_config"], **config["vision_config"], **TOWERS[kind]}
    own = {key: value for key, value in config.items() if key not in NOT_NUMBERS}
    write_qwen_vl(folder, kind, tower=tower, spread=SPREAD, **own, **_text(config))


def _text(config: Mapping[str, Any]) -> dict[str, Any]:
    """The language model's numbers; which layers are linear follows from their interval."""
    text = dict(config.get("text_config", {}))
    return {**text, "layer_types": None} if "full_attention_interval" in text else text


def rounded_qwen_vl(folder: Path, kind: str, published: str) -> None:
    """Its language model rounded to four bits."""
    plain = folder.with_name(f"{folder.name}-plain")
    qwen_vl(plain, kind, published)
    write_rounded(plain, folder, _device(), QWEN2_LINEAR, keep="visual")
    shutil.rmtree(plain)


def internvl_qwen(folder: Path, kind: str, published: str) -> None:
    config = families.KNOWN_CONFIGS[published]
    picture = {key: value for key, value in config.items() if key not in ("llm_config", "vision_config")}
    tower = {"num_attention_heads": 16, **config["vision_config"]}
    write_internvl_qwen(folder, kind, spread=SPREAD, picture=picture, tower=tower, **config["llm_config"])


def text(folder: Path, architecture: str, published: str) -> None:
    write_generic(folder, architecture, spread=SPREAD, **families.KNOWN_CONFIGS[published])


WRITERS: dict[str, tuple[Callable[[Path, str, str], None], str, str]] = {
    "internvl3-1b": (internvl_qwen, "qwen2", "OpenGVLab/InternVL3-1B"),
    "internvl3_5-2b": (internvl_qwen, "qwen3", "OpenGVLab/InternVL3_5-2B"),
    "qwen2_5-vl-3b-instruct-awq": (rounded_qwen_vl, "qwen2_5_vl", "Qwen/Qwen2.5-VL-3B-Instruct"),
    "qwen3-1_7b": (text, "Qwen3ForCausalLM", "Qwen/Qwen3-1.7B"),
    "qwen3-vl-2b-instruct": (qwen_vl, "qwen3_vl", "Qwen/Qwen3-VL-2B-Instruct"),
    "qwen3_5-2b": (qwen_vl, "qwen3_5", "Qwen/Qwen3.5-2B"),
}
"""By preset: what writes it, which of its kinds, and whose sizes."""


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def folder_of(preset: str, models: Path) -> Path:
    """Where a shipped preset looks for its model below $LAUNCHER_MODELS."""
    first = read_presets().find(preset).sources[0]
    assert first.startswith("${LAUNCHER_MODELS}/"), first
    return models / first.partition("/")[2]


def write(preset: str, models: Path) -> Path:
    """Writes it if it is not there."""
    writer, kind, published = WRITERS[preset]
    folder = folder_of(preset, models)
    if not (folder / "config.json").exists():
        with torch.device(_device()):
            writer(folder, kind, published)
    return folder


def main(models: Path, presets: list[str]) -> None:
    for preset in presets:
        print(f"{preset}: {write(preset, models)}, random weights", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
