"""Qwen's picture models in LMDeploy's own front half: what its engines are given is what transformers'
processor makes of the same conversation. Runs without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from launcher.errors import RequestError
from launcher.messages import Message
from tests.models.qwen_vl_reference import Reference
from tests.models.tiny_qwen_vl import ARCHITECTURES, write_qwen_vl

if find_spec("lmdeploy") is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)

from tests.engines.lmdeploy_stand import Script, Stand, answer, assert_opened_once


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("qwen")
    return write_qwen_vl(folder, request.param, max_position_embeddings=4096)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder, most_tokens=96)


@pytest.fixture
def stand(folder: Path) -> Iterator[Stand]:
    made = Stand(folder, Script(), max_picture_tokens=96)
    made.say("star")
    yield made
    made.close()


async def test_the_engine_is_given_what_transformers_would_be(
    stand: Stand, reference: Reference, pictures: dict[str, Path]
) -> None:
    """Two pictures in the first turn, one in the third, one of them larger than the preset allows."""
    talk = (
        Message("system", "Be kind."),
        Message("user", "Which is larger?", (pictures["wide"], pictures["small"])),
        Message("assistant", "The first."),
        Message("user", "And <|image_pad|> this?", (pictures["tall"],)),
    )
    chunks = await answer(stand, *talk)
    assert "".join(chunk.text for chunk in chunks) == "star"
    plain = [Message(each.role, each.text.replace("<|", "<\u200b|"), each.pictures) for each in talk]
    expected = reference.inputs(plain)
    (asked,) = stand.script.asked
    ids = expected["input_ids"][0].tolist()
    assert asked["input_ids"] == ids
    shown = asked["multimodal"]
    place = reference.model.config.image_token_id
    starts = [at for at, one in enumerate(ids) if one == place and ids[at - 1] != place]
    assert [_start(each["offset"]) for each in shown] == starts
    patches = torch.cat([each["pixel_values"] for each in shown])
    torch.testing.assert_close(patches, expected["pixel_values"].bfloat16(), rtol=0, atol=0.01)
    grids = torch.stack([each["image_grid_thw"].flatten() for each in shown])
    assert grids.tolist() == expected["image_grid_thw"].tolist()
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.picture_tokens) == (len(ids), ids.count(place))


def _start(offset: int | tuple[int, int]) -> int:
    """LMDeploy's older preprocessing says where a picture begins, the newer one where it ends too."""
    return offset if isinstance(offset, int) else offset[0]


async def test_a_picture_is_opened_and_scaled_once(
    stand: Stand, pictures: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    await assert_opened_once(stand, pictures["wide"], monkeypatch)


async def test_text_alone_is_no_picture_s_prompt(stand: Stand, reference: Reference) -> None:
    talk = Message("user", "图中有几个形状？")
    await answer(stand, talk)
    assert stand.script.asked[0]["input_ids"] == reference.inputs([talk])["input_ids"][0].tolist()
    assert not stand.script.asked[0].get("multimodal")


async def test_a_conversation_that_outgrows_the_session_says_by_how_much(
    stand: Stand, pictures: dict[str, Path]
) -> None:
    shown = Message("user", "Look.", (pictures["tall"],))
    talk = [shown, *[Message("assistant", "Yes."), shown] * 60]
    with pytest.raises(RequestError) as caught:
        await answer(stand, *talk)
    seen = stand.requests.open_picture(pictures["tall"], one_tile=False)
    assert caught.value.values["pictures"] == 61 * seen.tokens
