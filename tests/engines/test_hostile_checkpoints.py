"""Checkpoints that want something else than to answer: none runs code of its own, and whatever is changed in
one is a sentence or a model that answers, never the end of the process or of its memory."""

from __future__ import annotations

import asyncio
import json
import os
import random
import runpy
import shutil
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from launcher.checkpoints import read_facts
from launcher.engines.base import EngineSpec, is_out_of_memory
from launcher.engines.transformers import TransformersEngine
from launcher.errors import CheckpointError
from launcher.families import model_sizes
from launcher.messages import ChatRequest, GenerationOptions, Message
from launcher.presets import BilingualText, MemorySettings, Preset
from tests.models.tiny import write_internlm2, write_internvl2, write_xcomposer2

WRITERS = {"internlm2": write_internlm2, "internvl2": write_internvl2, "xcomposer2": write_xcomposer2}
PRESET = Preset(
    name="tiny",
    title=BilingualText(en="Tiny", zh="小"),
    kind="vision",
    sources=("/somewhere",),
    memory=MemorySettings(session_tokens=1024),
)
ASKED = ChatRequest((Message("user", "What is it?"),), GenerationOptions(max_new_tokens=2))


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp(name)) for name, write in WRITERS.items()}


@pytest.fixture(params=WRITERS)
def folder(request: pytest.FixtureRequest, whole: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[request.param], tmp_path / "model"))


async def used(folder: Path) -> str:
    """What the launcher does with a checkpoint: reads its facts, loads it, asks it something."""
    facts = read_facts(folder)
    model_sizes(facts.config, facts.loaded_tensor_bytes, folder / "config.json")
    engine = TransformersEngine(EngineSpec("transformers", PRESET, folder, "cpu"))
    try:
        await engine.prepare()
        await engine.load(lambda _stage, _fraction: None)
        return "".join([chunk.text async for chunk in engine.stream(ASKED)])
    finally:
        await engine.close()


def changed(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **values}), encoding="utf-8")


@pytest.fixture
def evil(folder: Path, tmp_path: Path) -> Path:
    """A module in the checkpoint's folder which, once it is imported, leaves the file that is given."""
    mark = tmp_path / "it ran"
    (folder / "evil.py").write_text(
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"
        "class Evil:\n    @classmethod\n    def from_pretrained(cls, *args, **keys): return cls()\n"
    )
    runpy.run_path(str(folder / "evil.py"))
    mark.unlink()  # raises where the module does nothing: then the tests below would show nothing
    return mark


async def test_code_that_comes_with_a_checkpoint_never_runs(folder: Path, evil: Path) -> None:
    autos = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoProcessor", "AutoImageProcessor")
    changed(folder / "config.json", auto_map=dict.fromkeys(autos, "evil.Evil"), custom_generate="evil.Evil")
    changed(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", "evil.Evil"]})
    await used(folder)
    assert not evil.exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
async def test_a_class_that_only_the_checkpoint_knows_is_not_looked_for(
    folder: Path, evil: Path, file: str
) -> None:
    key = "model_type" if file == "config.json" else "tokenizer_class"
    autos = dict.fromkeys(("AutoConfig", "AutoTokenizer"), "evil.Evil")
    changed(folder / file, **{key: "Evil"}, auto_map=autos)
    with suppress(CheckpointError, ValueError):  # the worker says the second one in a sentence
        await used(folder)
    assert not evil.exists()


class _Runs:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {str(self.mark)!r}",)


async def test_a_pickle_among_the_weights_does_not_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (folder / "model.safetensors").unlink()
    torch.save({"model.norm.weight": _Runs(mark)}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin cannot be read"):
        await used(folder)
    assert not mark.exists()


@pytest.mark.parametrize("layers", [3, 1000])
def test_layers_that_the_weights_do_not_have_are_refused_before_they_are_built(
    whole: dict[str, Path], tmp_path: Path, layers: int
) -> None:
    for name, part in [("internlm2", ""), ("internvl2", "llm_config"), ("internvl2", "vision_config")]:
        folder = Path(shutil.copytree(whole[name], tmp_path / f"{name}{part}"))
        config = json.loads((folder / "config.json").read_text())
        (config[part] if part else config)["num_hidden_layers"] = layers
        (folder / "config.json").write_text(json.dumps(config))
        facts = read_facts(folder)
        with pytest.raises(CheckpointError, match=f"is {layers}; the weights hold 2 layers"):
            model_sizes(facts.config, facts.loaded_tensor_bytes)


def deep(levels: int) -> bytes:
    return b'{"x":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("tokenizer_config.json", b" " * (4 << 20) + b"{}", "does not hold a JSON object of at most 4194304"),
        ("generation_config.json", deep(33), "more than 32 deep"),
        ("added_tokens.json", deep(100_000), "cannot be read"),
        ("special_tokens_map.json", b'{"eos_token": ' + b"9" * 5000 + b"}", "cannot be read"),
        ("config.json", b'{"architectures": ["InternLM2ForCausalLM"], "x": ' + deep(32) + b"}", "32 deep"),
    ],
    ids=str,
)
def test_files_beside_the_weights_are_bounded(
    whole: dict[str, Path], tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    folder = Path(shutil.copytree(whole["internlm2"], tmp_path / "model"))
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=words) as told:
        read_facts(folder)
    assert str(folder / name) in told.value.message


def test_a_vocabulary_of_a_gigabyte_is_not_read(whole: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole["internlm2"], tmp_path / "model"))
    os.truncate(folder / "tokenizer.model", 1 << 30)
    with pytest.raises(CheckpointError, match="has 1073741824 bytes; no tokenizer has more"):
        read_facts(folder)


def tensors(*each: tuple[str, list[int], list[int]], data: int = 64) -> bytes:
    """A safetensors file whose header says this of its tensors."""
    header = {name: {"dtype": "U8", "shape": shape, "data_offsets": at} for name, shape, at in each}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


@pytest.mark.parametrize(
    "content",
    [
        tensors(("a", [64], [0, 64]), ("b", [32], [32, 64])),  # one lies in the other
        tensors(("a", [32], [0, 32]), ("b", [32], [32, 64]), ("c", [64], [0, 64])),
        tensors(("a", [65], [0, 65])),  # beyond the file
        tensors(("a", [64], [8, 72])),
        tensors(("a", [16], [0, 16]), ("b", [16], [32, 48]), data=48),  # a hole
        tensors(("a", [32], [0, 32])),  # bytes that nobody speaks of
        tensors(("a", [64], [64, 0])),
        tensors(("a", [2**63, 2], [0, 64])),
        tensors(("a", [64, 2**64 - 1], [0, 64])),
        tensors(("a", [8], [0, 64])),  # another length than its shape's
    ],
    ids=range(10),
)
def test_a_header_that_does_not_fit_its_file_is_refused(
    whole: dict[str, Path], tmp_path: Path, content: bytes
) -> None:
    folder = Path(shutil.copytree(whole["internlm2"], tmp_path / "model"))
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is broken or cut short"):
        read_facts(folder)


VALUES = (0, -1, 1, 2, 3, 7, 10**5, 2**31, 2**63, 1e308, float("nan"), "", "x", None, True, [], [[]], {})
FILES = ("config.json", "tokenizer_config.json", "generation_config.json")


def mutate(folder: Path, source: random.Random) -> None:
    """Changes values at any depth of the JSON files, or bytes of the header, of the vocabulary."""
    for _ in range(source.randint(1, 3)):
        kind = source.choice(["json", "json", "json", "header", "vocabulary"])
        if kind == "json":
            file = folder / source.choice(FILES)
            tree = inner = json.loads(file.read_text(encoding="utf-8"))
            while isinstance(next_inner := inner[(key := source.choice(sorted(inner)))], dict) and next_inner:
                inner = next_inner
            inner[key] = source.choice(VALUES)
            file.write_text(json.dumps(tree), encoding="utf-8")
            continue
        file = folder / ("model.safetensors" if kind == "header" else "tokenizer.model")
        content = bytearray(file.read_bytes())
        for _ in range(source.randint(1, 4)):
            content[source.randrange(min(len(content), 2000))] = source.randrange(256)
        file.write_bytes(bytes(content))


@pytest.mark.parametrize("seed", range(20))
async def test_no_change_ends_the_process_or_its_memory(folder: Path, seed: int) -> None:
    mutate(folder, random.Random(seed))
    failure: Exception | None = None
    try:
        await asyncio.wait_for(used(folder), timeout=60)
    except Exception as error:  # noqa: BLE001 - the worker makes a sentence of it
        failure = error
    assert not isinstance(failure, RecursionError | TimeoutError)
    assert not is_out_of_memory(failure)
