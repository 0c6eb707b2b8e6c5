"""The three model families behind one interface: how each is built, sees pictures, runs and is written out.

The models themselves are ``launcher.models``'; pictures and prompts are cut and written with the engine's own
code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from launcher.demo.conversations import chat_corpus
from launcher.demo.tokenizers import PICTURE_TOKENS, Encoder, shapes_corpus, tokenizer_config, train_tokenizer
from launcher.demo.training import configs
from launcher.demo.training.chat_records import ChatRecords
from launcher.demo.training.configs import MAX_TILES, TILE_PX, FamilyName
from launcher.demo.training.positions import start_positions
from launcher.demo.training.records import ConversationWriter, PictureRule, ShapesRecords, Tiles
from launcher.demo.training.workers import RecordSource
from launcher.families import TEMPLATES, model_sizes
from launcher.families.common.pictures import TileBudget
from launcher.families.common.tile_grid import choose_grid
from launcher.models import internlm2, internvl2, xcomposer2
from launcher.models.tiles import cut_tiles

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, slots=True)
class Family:
    """One family. The callables take the model first.

    Attributes:
        name: also the checkpoint's folder name.
        encoder: the tokenizer.
        tokenizer_model: content of ``tokenizer.model``.
        files: JSON files of the checkpoint by name.
        source: makes the training records.
        picture_token_id: None for a text model.
        cells_a_side: picture tokens along a tile's side; 0 for a text model.
        build: a model with random weights.
        see: normalised pixels [n, 3, s, s] -> picture tokens [n x cells, width].
        think: ids [b, s], picture tokens or None -> hidden states [b, s, width].
        head: the output layer.
        published: weights under the checkpoint's names.
        load: reads an exported checkpoint: folder, dtype, device.
        mean_std: of a pixel's channels.
        switch_plora: turns PLoRA on or off, for the family that has it.
    """

    name: FamilyName
    encoder: Encoder
    tokenizer_model: bytes
    files: Mapping[str, Mapping[str, Any]]
    source: RecordSource
    picture_token_id: int | None
    cells_a_side: int
    build: Callable[[], nn.Module]
    see: Callable[[Any, Tensor], Tensor]
    think: Callable[[Any, Tensor, Tensor | None], Tensor]
    head: Callable[[Any], nn.Linear]
    published: Callable[[Any], dict[str, Tensor]]
    load: Callable[..., nn.Module]
    mean_std: tuple[tuple[float, ...], tuple[float, ...]] = _IMAGENET
    switch_plora: Callable[[Any, bool], None] | None = None

    def with_picture_token(self, model: nn.Module) -> nn.Module:
        """Tells the model's config which id marks a picture's places: InternVL2's config.json does not."""
        if self.picture_token_id is not None:
            config: Any = model.config
            config.image_token_id = self.picture_token_id
        return model

    def pixels(self, tiles: Tensor) -> Tensor:
        """uint8 tiles [n, s, s, 3] -> normalised pixels [n, 3, s, s], the arithmetic of the engine's own
        preprocessing."""
        mean, std = (torch.tensor(values, device=tiles.device).view(1, 3, 1, 1) for values in self.mean_std)
        return (tiles.permute(0, 3, 1, 2).float().div(255) - mean) / std


def make_family(name: FamilyName, tokenizer_model: bytes | None = None) -> Family:
    """The family of that name, with the tokenizer of an earlier run or one trained now."""
    make, corpus, pieces = {
        "shapes-internvl2": (_shapes_internvl2, shapes_corpus, configs.SHAPES_PIECES - len(PICTURE_TOKENS)),
        "shapes-xcomposer2": (_shapes_xcomposer2, shapes_corpus, configs.SHAPES_PIECES),
        "tiny-chat": (_tiny_chat, chat_corpus, configs.CHAT_PIECES),
    }[name]
    return make(tokenizer_model or train_tokenizer(corpus(), pieces))


def _shapes_internvl2(tokenizer_model: bytes) -> Family:
    encoder = Encoder.of(tokenizer_model, with_pictures=True)
    picture_token_id = encoder.special_ids["<IMG_CONTEXT>"]
    config = configs.shapes_internvl2_config(encoder.size)
    chat_config = internvl2.InternVLChatConfig(**config)
    budget = model_sizes(config).pictures
    assert isinstance(budget, TileBudget)
    rule = PictureRule(_tile_cutter(budget), cells_a_side=8, tile_limits=(MAX_TILES, 1, 2, 3))
    return Family(
        name="shapes-internvl2",
        encoder=encoder,
        tokenizer_model=tokenizer_model,
        files=_files(config, encoder, tokenizer_config(encoder, with_pictures=True)),
        source=ShapesRecords(ConversationWriter(encoder, TEMPLATES["internvl2"], picture_token_id), rule),
        picture_token_id=picture_token_id,
        cells_a_side=8,
        build=lambda: _new_internvl2(chat_config),
        see=_internvl2_features,
        think=_internvl2_hidden,
        head=lambda model: model.lm_head,
        published=internvl2.published_tensors,
        load=internvl2.load_model,
    )


def _tile_cutter(
    budget: TileBudget,
) -> Callable[[Image.Image, int], tuple[Tiles, list[tuple[float, float, float, float]]]]:
    def cut(picture: Image.Image, limit: int) -> tuple[Tiles, list[tuple[float, float, float, float]]]:
        rule = budget.limited(limit).rule
        columns, rows = choose_grid(picture.width, picture.height, rule)
        tiles = np.stack([np.asarray(tile) for tile in cut_tiles(picture, rule)])
        boxes = [
            (c / columns, r / rows, (c + 1) / columns, (r + 1) / rows)
            for r in range(rows)
            for c in range(columns)
        ]
        return tiles, boxes + [(0.0, 0.0, 1.0, 1.0)] * (len(tiles) - len(boxes))

    return cut


def _new_internvl2(config: internvl2.InternVLChatConfig) -> nn.Module:
    model: nn.Module = internvl2.build_model(config)
    start_positions(model.get_parameter("model.vision_tower.embeddings.position_embeddings"))
    return model


def _internvl2_features(model: Any, pixels: Tensor) -> Tensor:
    features = model.model.get_image_features(pixel_values=pixels)
    tokens: Tensor = features if isinstance(features, Tensor) else features.pooler_output
    return tokens.flatten(0, 1)


def _internvl2_hidden(model: Any, ids: Tensor, features: Tensor | None) -> Tensor:
    embeddings = _with_pictures(
        model.get_input_embeddings()(ids), ids == model.config.image_token_id, features
    )
    hidden: Tensor = model.model.language_model(inputs_embeds=embeddings, use_cache=False).last_hidden_state
    return hidden


def _with_pictures(embeddings: Tensor, places: Tensor, features: Tensor | None) -> Tensor:
    if features is None:
        return embeddings
    return embeddings.masked_scatter(places.unsqueeze(-1), features.to(embeddings.dtype))


def _shapes_xcomposer2(tokenizer_model: bytes) -> Family:
    encoder = Encoder.of(tokenizer_model, with_pictures=False)
    config = configs.shapes_xcomposer2_config(encoder.size)
    model_config = xcomposer2.XComposer2Config(**config)
    cells_a_side = TILE_PX // configs.PATCH_PX
    rule = PictureRule(_squeeze, cells_a_side, tile_limits=(1,))
    picture_token_id = model_config.image_token_id
    return Family(
        name="shapes-xcomposer2",
        encoder=encoder,
        tokenizer_model=tokenizer_model,
        files=_files(config, encoder, _xcomposer2_tokenizer_config(encoder)),
        source=ShapesRecords(ConversationWriter(encoder, TEMPLATES["xcomposer2"], picture_token_id), rule),
        picture_token_id=picture_token_id,
        cells_a_side=cells_a_side,
        build=lambda: _new_xcomposer2(model_config),
        see=lambda model, pixels: model.picture_embeddings(pixels),
        think=_xcomposer2_hidden,
        head=lambda model: model.output,
        published=xcomposer2.published_tensors,
        load=xcomposer2.load_model,
        mean_std=(xcomposer2.MEAN, xcomposer2.STD),
        switch_plora=_switch_plora,
    )


def _squeeze(picture: Image.Image, limit: int) -> tuple[Tiles, list[tuple[float, float, float, float]]]:
    del limit
    return np.asarray(picture.resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC))[None], [
        (0.0, 0.0, 1.0, 1.0)
    ]


def _xcomposer2_tokenizer_config(encoder: Encoder) -> dict[str, Any]:
    config = tokenizer_config(encoder, with_pictures=False)
    config["added_tokens_decoder"] = {
        i: token for i, token in config["added_tokens_decoder"].items() if int(i) < 3
    }
    del config["additional_special_tokens"], config["chat_template"]
    name = "InternLMXComposer2Tokenizer"
    return config | {
        "auto_map": {"AutoTokenizer": [f"tokenization_internlm_xcomposer2.{name}", None]},
        "tokenizer_class": name,
    }


def _new_xcomposer2(config: xcomposer2.XComposer2Config) -> nn.Module:
    model = xcomposer2.build_model(config)
    start_positions(model.get_parameter("vit.vision_tower.vision_model.embeddings.position_embedding.weight"))
    return model


def _xcomposer2_hidden(model: Any, ids: Tensor, features: Tensor | None) -> Tensor:
    places = ids == model.config.image_token_id
    embeddings = _with_pictures(model.get_input_embeddings()(ids), places, features)
    rows = None if features is None else places.flatten().nonzero().squeeze(1)
    hidden: Tensor = model.model(
        inputs_embeds=embeddings, use_cache=False, picture_rows=rows
    ).last_hidden_state
    return hidden


def _switch_plora(model: Any, on: bool) -> None:
    for module in model.modules():
        if hasattr(module, "Plora_A"):
            module.scale = model.config.plora_scale if on else 0.0


def _tiny_chat(tokenizer_model: bytes) -> Family:
    encoder = Encoder.of(tokenizer_model, with_pictures=False)
    config = configs.tiny_chat_config(encoder.size)
    return Family(
        name="tiny-chat",
        encoder=encoder,
        tokenizer_model=tokenizer_model,
        files=_files(config, encoder, tokenizer_config(encoder, with_pictures=False)),
        source=ChatRecords(ConversationWriter(encoder, TEMPLATES["internlm2"], picture_token_id=0)),
        picture_token_id=None,
        cells_a_side=0,
        build=lambda: internlm2.build_model(internlm2.InternLM2Config(**config)),
        see=_sees_nothing,
        think=lambda model, ids, _features: model.model(input_ids=ids, use_cache=False).last_hidden_state,
        head=lambda model: model.lm_head,
        published=internlm2.published_tensors,
        load=internlm2.load_model,
    )


def _sees_nothing(_model: Any, _pixels: Tensor) -> Tensor:
    raise AssertionError("a text model was given a picture")


def _files(config: dict[str, Any], encoder: Encoder, tokenizer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    ids = encoder.special_ids
    return {
        "config.json": config,
        "generation_config.json": configs.generation_config(ids["<|im_end|>"], ids["<|im_start|>"]),
        "tokenizer_config.json": tokenizer,
    }
