"""Writes a checkpoint folder, and the float32 state that a later run can go on from."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from launcher.demo.training.families import Family

STATE_FILE = "state.safetensors"
"""Float32 weights under the module's own names; not part of the checkpoint."""
QUIET_POSITIONS = 0.15
"""Standard deviation under which a position table of an earlier run counts as not learnt."""


def export(family: Family, model: nn.Module, folder: Path) -> None:
    """Writes config, tokenizer and bfloat16 weights in the published layout, and ``STATE_FILE`` beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in family.files.items():
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "tokenizer.model").write_bytes(family.tokenizer_model)
    tensors = {name: t.to(torch.bfloat16).cpu().contiguous() for name, t in family.published(model).items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    state = {name: parameter.detach().float().cpu().contiguous() for name, parameter in model.named_parameters()}
    save_file(state, folder / STATE_FILE)


def resume(model: nn.Module, folder: Path) -> None:
    """Puts the float32 state of an earlier run into the model; every parameter has to be there."""
    state = load_file(folder / STATE_FILE)
    parameters = dict(model.named_parameters())
    if state.keys() != parameters.keys():
        raise ValueError(f"{folder / STATE_FILE} is of another model: {sorted(state.keys() ^ parameters.keys())[:4]}")
    with torch.no_grad():
        for name, parameter in parameters.items():
            # A table from before ``positions`` existed is too quiet to be read: it is added to the new one, not put in its place.
            quiet = "embeddings.position_embedding" in name and state[name].std() < QUIET_POSITIONS
            parameter.copy_(parameter.cpu() + state[name] if quiet else state[name])
