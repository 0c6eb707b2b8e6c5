"""InternVL in transformers' own layout in LMDeploy's own front half: what its engines are given is what
transformers' processor makes of the same conversation. Runs without a GPU."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from launcher.messages import Message
from tests.models.internvl_hf_reference import Reference
from tests.models.tiny_internvl_hf import LANGUAGES, write_internvl_hf

if find_spec("lmdeploy") is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)

from lmdeploy.archs import check_vl_llm, get_model_arch
from lmdeploy.pytorch.models.module_map import MODULE_MAP
from lmdeploy.turbomind.supported_models import SUPPORTED_ARCHS, is_supported
from lmdeploy.vl.model.internvl3_hf import InternVL3VisionModel

from tests.engines.lmdeploy_stand import Script, Stand, answer, assert_opened_once

MOST_TILES = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_internvl_hf(tmp_path_factory.mktemp("internvl"), max_position_embeddings=4096)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder, MOST_TILES)


@pytest.fixture
def stand(folder: Path) -> Iterator[Stand]:
    made = Stand(folder, Script(), max_tiles=MOST_TILES)
    made.say("star")
    yield made
    made.close()


async def test_the_engine_is_given_what_transformers_would_be(
    stand: Stand, reference: Reference, pictures: dict[str, Path]
) -> None:
    """Two pictures in the first turn, one in the third, one of which would have more tiles than the preset
    allows."""
    talk = (
        Message("system", "Be kind."),
        Message("user", "Which is larger?", (pictures["wide"], pictures["small"])),
        Message("assistant", "The first."),
        Message("user", "And <IMG_CONTEXT> this?", (pictures["tall"],)),
    )
    chunks = await answer(stand, *talk)
    assert "".join(chunk.text for chunk in chunks) == "star"
    plain = [Message(each.role, each.text.replace("<IMG", "<\u200bIMG"), each.pictures) for each in talk]
    expected = reference.inputs(plain)
    (asked,) = stand.script.asked
    ids = expected["input_ids"][0].tolist()
    assert asked["input_ids"] == ids
    shown = asked["multimodal"]
    place = reference.model.config.image_token_id
    starts = [at for at, one in enumerate(ids) if one == place and ids[at - 1] != place]
    assert [each["offset"] for each in shown] == starts
    assert [each["image_tokens"] for each in shown] == [4 * len(each["pixel_values"]) for each in shown]
    assert {each["image_token_id"] for each in shown} == {place}
    pixels = torch.cat([each["pixel_values"] for each in shown])
    torch.testing.assert_close(pixels, expected["pixel_values"].bfloat16(), rtol=0, atol=0.01)
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.picture_tokens) == (len(ids), ids.count(place))


async def test_a_picture_is_opened_and_cut_once(
    stand: Stand, pictures: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_opened_once(stand, pictures["wide"], monkeypatch)


async def test_text_alone_is_no_picture_s_prompt(stand: Stand, reference: Reference) -> None:
    talk = Message("user", "图中有几个形状？")
    await answer(stand, talk)
    assert stand.script.asked[0]["input_ids"] == reference.inputs([talk])["input_ids"][0].tolist()
    assert not stand.script.asked[0].get("multimodal")


@pytest.mark.parametrize("kind", sorted(LANGUAGES))
def test_lmdeploy_serves_what_is_published(kind: str, tmp_path: Path) -> None:
    folder = str(write_internvl_hf(tmp_path / "model", kind))
    architecture, config = get_model_arch(folder, trust_remote_code=False)
    assert (architecture, is_supported(folder)) == ("InternVLForConditionalGeneration", True)
    assert check_vl_llm("turbomind", config.to_dict())
    assert config.text_config.architectures[0] in {*SUPPORTED_ARCHS} & {*MODULE_MAP}
    assert InternVL3VisionModel.match(config)


def test_turbomind_reads_tensors_by_their_published_names() -> None:
    """Its own module cannot be imported without a GPU's libraries."""
    package = find_spec("lmdeploy")
    assert package is not None
    assert package.origin is not None
    source = (Path(package.origin).parent / "turbomind/models/internvl.py").read_text(encoding="utf-8")
    assert "startswith('vision_tower.') or name.startswith('multi_modal_projector.')" in source
    assert "self.text_model.model(pfx + 'language_model')" in source


def test_its_vision_model_takes_what_stands_in_for_its_preprocessing() -> None:
    """By the names that ``lmdeploy_pictures`` uses; of transformers' processor it asks no number of tiles."""
    source = inspect.getsource(InternVL3VisionModel.preprocess)
    for name in ("pixel_values=", "image_tokens=", "image_token_id=self.image_token_id", "'preprocess'"):
        assert name in source
    assert "max_dynamic_patch" not in source
    assert list(inspect.signature(InternVL3VisionModel.preprocess).parameters) == ["self", "messages"]
