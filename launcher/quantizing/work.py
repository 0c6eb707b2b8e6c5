"""The folder beside the target where a checkpoint is made: finished files stay there, so that a run that was
killed is gone on with; it becomes the target when it is whole.

A file is written under another name and moved to its own when all of it is on the disk. config.json comes
last: without it no folder is taken for a model.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from launcher.checkpoints import CONFIG, INDEXES
from launcher.errors import CheckpointError
from launcher.models.awq import CONFIG as AWQ_CONFIG

_ASKED = "asked"
"""Says in the work folder what was asked; its lock is held by who works there."""
_PART = ".part"
_COPIED = (".json", ".model", ".txt", ".jinja")
"""Ends of the names of what lies beside the weights: tokenizer, templates, settings."""
_DTYPES = ("torch_dtype", "dtype")


class WorkFolder:
    """Where the checkpoint ``target`` is made."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.unfinished")

    @contextmanager
    def claimed(self, asked: str) -> Iterator[None]:
        """Holds the folder. What lies there is kept if it was asked for in the same words, else deleted.

        Raises:
            CheckpointError: another process works there.
            OSError: the system refuses.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _ASKED).open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CheckpointError(
                    "Another process makes {target} now",
                    "Wait for it, or name another folder with --to.",
                    target=self.target,
                ) from error
            lock.seek(0)
            if lock.read() != asked:
                self._clear()
                lock.truncate(0)
                lock.write(asked)
                lock.flush()
            yield

    def _clear(self) -> None:
        for file in self.path.iterdir():
            if file.name != _ASKED:
                file.unlink()

    def has(self, name: str) -> bool:
        """Whether a weight file is there, whole."""
        try:
            with safe_open(self.path / name, framework="pt") as opened:
                return bool(opened.keys())
        except (SafetensorError, OSError):
            return False

    def finished_bytes(self) -> int:
        """Bytes of the weight files that are there."""
        return sum(file.stat().st_size for file in self.path.glob("*.safetensors"))

    def save(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Writes a weight file. Raises OSError where the system refuses, and leaves no part of it."""
        part = self.path / (name + _PART)
        try:
            save_file(dict(tensors), part, metadata={"format": "pt"})
            _to_disk(part)
            part.replace(self.path / name)
        except SafetensorError as error:  # the library's word for what the system said
            raise OSError(str(error)) from error
        finally:
            part.unlink(missing_ok=True)

    def complete(self, source: Path) -> None:
        """Adds all that lies beside the weights of ``source``: tokenizer, index, and config.json."""
        for file in sorted(source.iterdir()):
            if file.is_file() and file.name.endswith(_COPIED) and file.name not in (CONFIG, *INDEXES):
                shutil.copyfile(file, self.path / file.name)
        self._write(INDEXES[0], json.dumps(self._index(), indent=2))
        config = json.loads((source / CONFIG).read_text(encoding="utf-8"))
        self._write(CONFIG, json.dumps(quantized_config(config), indent=2, ensure_ascii=False))

    def become_target(self) -> None:
        """Puts the folder in the target's place, whole, in one move."""
        (self.path / _ASKED).unlink()
        self.path.rename(self.target)

    def remove(self) -> None:
        """Deletes the folder."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _index(self) -> dict[str, Any]:
        names: dict[str, str] = {}
        total = 0
        for file in sorted(self.path.glob("*.safetensors")):
            with safe_open(file, framework="pt") as opened:
                names |= dict.fromkeys(opened.keys(), file.name)
            total += file.stat().st_size
        return {"metadata": {"total_size": total}, "weight_map": dict(sorted(names.items()))}

    def _write(self, name: str, text: str) -> None:
        part = self.path / (name + _PART)
        part.write_text(text, encoding="utf-8")
        _to_disk(part)
        part.replace(self.path / name)


def quantized_config(config: dict[str, Any]) -> dict[str, Any]:
    """config.json of the same model in four bits: all else is float16, the only type beside which LMDeploy
    reads them."""
    changed = dict(config) | {"quantization_config": AWQ_CONFIG, "torch_dtype": "float16"}
    for key, part in config.items():
        if key in _DTYPES:
            changed[key] = "float16"
        elif isinstance(part, dict) and any(name in part for name in _DTYPES):
            changed[key] = part | {name: "float16" for name in _DTYPES if name in part}
    if isinstance(language := changed.get("llm_config"), dict):
        changed["llm_config"] = language | {"quantization_config": AWQ_CONFIG}
    return changed


def _to_disk(file: Path) -> None:
    with file.open("rb") as opened, contextlib.suppress(OSError):  # not every file system can
        os.fsync(opened.fileno())
