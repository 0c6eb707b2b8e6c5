"""InternVL in transformers' own layout in LMDeploy's PyTorch engine: its own model code, input processor,
scheduler and prefix cache on the CPU against transformers' on the same tiny checkpoints."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    pytest.importorskip("lmdeploy", reason="LMDeploy is not installed")
    import lmdeploy.pytorch.nn  # noqa: F401 - while its CUDA backend can still be imported

    from tests.models.lmdeploy_on_cpu import ScheduledCpuEngine

from launcher.messages import Message
from tests.models.internvl_hf_reference import Reference
from tests.models.qwen_vl_reference import noisy_pictures
from tests.models.tiny_internvl_hf import LANGUAGES, write_internvl_hf

NEW_TOKENS = 6
TILE_TOKENS = 4


@pytest.fixture(scope="module", params=sorted(LANGUAGES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In 32 bits: of 16 LMDeploy asks a GPU whether it has them."""
    folder = write_internvl_hf(tmp_path_factory.mktemp("internvl"), request.param)
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    for part in (config, config["text_config"], config["vision_config"]):
        part.update(torch_dtype="float32")
    file.write_text(json.dumps(config), encoding="utf-8")
    return folder


class Engine(ScheduledCpuEngine):
    blocks = 256
    modality = "image"


def given(engine: Engine, inputs: dict[str, Tensor], place: int) -> tuple[list[int], list[Any]]:
    """A conversation as LMDeploy's front half hands it over."""
    ids = inputs["input_ids"][0].tolist()
    starts = [at for at, one in enumerate(ids) if one == place and ids[at - 1] != place]
    ends = [at for at, one in enumerate(ids) if one != place and ids[at - 1] == place]
    counts = [end - start for start, end in zip(starts, ends, strict=True)]
    if not counts:
        return ids, []
    tiles = inputs["pixel_values"].split([count // TILE_TOKENS for count in counts])
    shown = [
        {"pixel_values": pixels, "image_tokens": count, "offset": start, "image_token_id": place}
        for pixels, count, start in zip(tiles, counts, starts, strict=True)
    ]
    found = engine.model.get_input_processor().preprocess_input(ids, shown)
    return ids, found.input_multimodals[engine.modality]


def test_answers_and_logits_are_transformers_own(folder: Path, tmp_path: Path) -> None:
    """Of a batch with two pictures, one picture and none; then of a second turn, which goes on from the
    cache."""
    reference, pictures, engine = Reference(folder), noisy_pictures(tmp_path), Engine(folder)
    place = reference.model.config.image_token_id
    first = [Message("user", "Which is larger?", (pictures["wide"], pictures["small"]))]
    talks = [first, [Message("user", "And this?", (pictures["tall"],))], [Message("user", "你好世界")]]
    second = [[*first, Message("assistant", "The first."), Message("user", "Why?", (pictures["small"],))]]
    for batch in (talks, second):
        inputs = [reference.inputs(talk) for talk in batch]
        found = engine.ask(*(given(engine, each, place) for each in inputs), new_tokens=NEW_TOKENS)
        for answer, each in zip(found, inputs, strict=True):
            with torch.no_grad():
                expected = reference.model(**each).logits[0]
                made = reference.model.generate(**each, max_new_tokens=NEW_TOKENS, do_sample=False)
            read = torch.cat(answer.logits)
            scale = float(expected.abs().max())
            torch.testing.assert_close(read, expected[-len(read) :], rtol=1e-3, atol=5e-4 * scale)
            said = made[0, each["input_ids"].shape[1] :].tolist()
            assert answer.tokens[: len(said)] == said
    assert found[0].cached_tokens > 32
