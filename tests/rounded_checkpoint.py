"""A checkpoint of the InternLM2 kind in AWQ's layout, its linear layers simply rounded to nearest: as large
and as fast as what `launcher quantize` makes of it, in seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.torch import save_file

from launcher.models.awq import packed, to_codes
from launcher.models.weights import CheckpointTensors
from launcher.quantizing.work import quantized_config

LINEAR = tuple(f".{name}.weight" for name in ("wqkv", "wo", "w1", "w2", "w3"))


def write_rounded(source: Path, target: Path, device: str = "cpu") -> None:
    """Writes the folder ``target``; rounds on ``device``."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.suffix in (".json", ".model", ".txt") and "index" not in file.name:
            shutil.copyfile(file, target / file.name)
    tensors, found = CheckpointTensors(source), {}
    for name in tensors.names():
        tensor = tensors.read(name)
        if name.endswith(LINEAR):
            packs = packed(to_codes(tensor.to(device)))
            found |= {name.removesuffix("weight") + part: each.cpu() for part, each in packs.items()}
        else:
            found[name] = tensor.half() if tensor.is_floating_point() else tensor
    save_file(found, target / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    (target / "config.json").write_text(json.dumps(quantized_config(config)), encoding="utf-8")
