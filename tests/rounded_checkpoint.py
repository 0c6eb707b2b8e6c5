"""A checkpoint in AWQ's layout, the linear layers of its language model simply rounded to nearest: as large
and as fast as one that was made with more care, in seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from launcher.models.awq import packed, to_codes
from launcher.models.weights import CheckpointTensors
from launcher.quantizing.work import quantized_config

LINEAR = tuple(f".{name}.weight" for name in ("wqkv", "wo", "w1", "w2", "w3"))
"""InternLM2's."""
QWEN2_LINEAR = ("_proj.weight",)


def write_rounded(
    source: Path, target: Path, device: str = "cpu", linear: tuple[str, ...] = LINEAR, keep: str = "\0"
) -> None:
    """Writes the folder ``target``; rounds on ``device`` the tensors whose names end so, but for those of the
    part ``keep``."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.suffix in (".json", ".model", ".txt", ".jinja") and "index" not in file.name:
            shutil.copyfile(file, target / file.name)
    tensors = CheckpointTensors(source)
    found: dict[str, Tensor] = {}
    for name in tensors.names():
        tensor = tensors.read(name)
        if name.endswith(linear) and keep not in name:
            packs = packed(to_codes(tensor.to(device)))
            found |= {name.removesuffix("weight") + part: each.cpu() for part, each in packs.items()}
        else:
            found[name] = tensor.half() if tensor.is_floating_point() else tensor
    save_file(found, target / "model.safetensors", metadata={"format": "pt"})
    config = quantized_config(json.loads((source / "config.json").read_text(encoding="utf-8")))
    if keep in "".join(tensors.names()):
        config["quantization_config"] = {**config["quantization_config"], "modules_to_not_convert": [keep]}
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
