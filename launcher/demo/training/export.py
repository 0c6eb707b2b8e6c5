"""Writes a checkpoint folder, and reads one that a later run goes on from."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from launcher.demo.training.families import Family


def export(family: Family, model: nn.Module, folder: Path) -> None:
    """Writes config, tokenizer and bfloat16 weights in the published layout."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in family.files.items():
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "tokenizer.model").write_bytes(family.tokenizer_model)
    tensors = {name: t.to(torch.bfloat16).cpu().contiguous() for name, t in family.published(model).items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def resume(family: Family, model: nn.Module, folder: Path) -> None:
    """Puts the weights that an earlier run exported to ``folder`` into the model, rounded to bfloat16 as they
    were exported."""
    model.load_state_dict(family.load(folder, torch.float32, "cpu").state_dict())
