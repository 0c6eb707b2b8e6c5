"""How the models of each family load on transformers, and how they read pictures."""

from __future__ import annotations

from transformers import InternVLForConditionalGeneration

from launcher.families.common.pictures import TileBudget
from launcher.models import internlm2, internvl2, xcomposer2
from launcher.models.loading import LoadedModel, LoadRequest, PictureReader, picture_token_id
from launcher.models.tiles import cut_tiles, to_pixels


def load_internlm2(request: LoadRequest) -> LoadedModel:
    """InternLM2ForCausalLM: text alone."""
    model = internlm2.load_model(request.folder, request.dtype, request.device)
    return LoadedModel(model, model.config.max_position_embeddings)


def load_internvl2(request: LoadRequest) -> LoadedModel:
    """InternVLChatModel: a picture is its tiles and a thumbnail."""
    config = internvl2.InternVLChatConfig.from_pretrained(request.folder)
    model = internvl2.load_model(request.folder, request.dtype, request.device)
    return LoadedModel(model, config.llm_config.max_position_embeddings, internvl2_reader(model, request))


def internvl2_reader(model: InternVLForConditionalGeneration, request: LoadRequest) -> PictureReader:
    """How an InternVL reads pictures; tells the model its picture token."""
    tiles, token_id = request.pictures, picture_token_id(request)
    assert isinstance(tiles, TileBudget)
    model.config.image_token_id = token_id
    budgets = {False: tiles, True: tiles.coarse()}
    return PictureReader(
        token_id,
        tiles.limit,
        grid=lambda picture, one_tile: (1, budgets[one_tile].tokens(picture.width, picture.height)),
        to_pixels=lambda picture, one_tile: to_pixels(cut_tiles(picture, budgets[one_tile].rule)),
        see=lambda pixels: (
            model.get_image_features(
                pixels, vision_feature_layer=-1, vision_feature_select_strategy="default"
            ).pooler_output
        ),
        arguments=lambda ids, seen: {
            "inputs_embeds": internvl2.with_pictures(model.get_input_embeddings()(ids), ids == token_id, seen)
        },
    )


def load_xcomposer2(request: LoadRequest) -> LoadedModel:
    """InternLMXComposer2ForCausalLM: a picture is squeezed to one square."""
    model = xcomposer2.load_model(request.folder, request.dtype, request.device)
    return LoadedModel(model, model.config.max_position_embeddings, xcomposer2_reader(model))


def xcomposer2_reader(model: xcomposer2.XComposer2ForCausalLM) -> PictureReader:
    """How an XComposer2 reads pictures."""
    config = model.config
    return PictureReader(
        config.image_token_id,
        None,
        grid=lambda _picture, _one_tile: (1, int(config.picture_tokens)),
        to_pixels=lambda picture, _one_tile: xcomposer2.picture_pixels([picture], config.img_size),
        see=model.picture_embeddings,
        arguments=lambda ids, seen: {"input_ids": ids, "picture_embeddings": seen},
    )
