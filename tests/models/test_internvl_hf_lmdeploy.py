"""InternVL in transformers' own layout in LMDeploy's PyTorch engine: its own model code, input processor,
scheduler and prefix cache on the CPU against transformers' on the same tiny checkpoints."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    pytest.importorskip("lmdeploy", reason="LMDeploy is not installed")
    import lmdeploy.pytorch.nn  # noqa: F401 - while its CUDA backend can still be imported

    from tests.models.lmdeploy_on_cpu import ScheduledCpuEngine

from tests.models.cpu_comparisons import assert_same_answers, in_32_bits
from tests.models.internvl_hf_reference import Reference
from tests.models.tiny_internvl_hf import LANGUAGES, write_internvl_hf

TILE_TOKENS = 4


@pytest.fixture(scope="module", params=sorted(LANGUAGES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_internvl_hf(tmp_path_factory.mktemp("internvl"), request.param)
    return in_32_bits(folder, "text_config", "vision_config")


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
    second_turn = assert_same_answers(Engine(folder), Reference(folder), tmp_path, given)
    assert second_turn.cached_tokens > 32
