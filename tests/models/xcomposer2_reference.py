"""XComposer2 written down plainly from the architecture page: no class of transformers or of ours, no cache,
one sequence.

It is slow on purpose: each step is one line of the page. Everything is computed in the dtype of the weights
it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

VISION = "vit.vision_tower.vision_model."


@dataclass(frozen=True)
class Sizes:
    layers: int
    heads: int
    kv_heads: int
    vision_layers: int
    vision_heads: int
    patch: int
    rope_theta: float = 1e6
    rms_eps: float = 1e-5
    vision_eps: float = 1e-5


def reference_logits(
    weights: dict[str, Tensor], sizes: Sizes, parts: list[list[int] | Tensor], plora: bool = True
) -> Tensor:
    """Logits [tokens, vocabulary] of a sequence given as text parts (token ids) and pictures ([3, s, s]), in
    order."""
    rows, is_picture = [], []
    for part in parts:
        if isinstance(part, Tensor):
            embedded = projector(weights, vision_tower(weights, sizes, part))
        else:
            embedded = weights["model.tok_embeddings.weight"][
                torch.tensor(part, dtype=torch.long, device=_device(weights))
            ]
        rows.append(embedded)
        is_picture += [isinstance(part, Tensor)] * len(embedded)
    x = torch.cat(rows)
    picture = torch.tensor(is_picture, device=x.device) & plora
    for n in range(sizes.layers):
        x = decoder_layer(weights, sizes, f"model.layers.{n}.", x, picture)
    return rms_norm(x, weights["model.norm.weight"], sizes.rms_eps) @ weights["output.weight"].T


def _device(weights: dict[str, Tensor]) -> torch.device:
    return weights["output.weight"].device


def plora_linear(weights: dict[str, Tensor], name: str, x: Tensor, picture: Tensor) -> Tensor:
    """W x for text; W x + B (A x) for picture tokens (alpha / r = 1)."""
    plain = x @ weights[name + ".weight"].T
    low_rank = x @ weights[name + ".Plora_A.weight"].T @ weights[name + ".Plora_B.weight"].T
    return torch.where(picture[:, None], plain + low_rank, plain)


def decoder_layer(weights: dict[str, Tensor], sizes: Sizes, name: str, x: Tensor, picture: Tensor) -> Tensor:
    x = x + attention(
        weights, sizes, name, rms_norm(x, weights[name + "attention_norm.weight"], sizes.rms_eps), picture
    )
    y = rms_norm(x, weights[name + "ffn_norm.weight"], sizes.rms_eps)
    gate = plora_linear(weights, name + "feed_forward.w1", y, picture)
    up = plora_linear(weights, name + "feed_forward.w3", y, picture)
    return x + plora_linear(weights, name + "feed_forward.w2", gate * torch.sigmoid(gate) * up, picture)


def attention(weights: dict[str, Tensor], sizes: Sizes, name: str, x: Tensor, picture: Tensor) -> Tensor:
    qkv = plora_linear(weights, name + "attention.wqkv", x, picture)
    queries_a_group = sizes.heads // sizes.kv_heads
    d = qkv.shape[1] // (sizes.heads + 2 * sizes.kv_heads)
    heads = list(qkv.split(d, dim=1))  # in the order of the rows: per KV head its queries, one key, one value
    future = torch.ones(len(x), len(x), dtype=torch.bool, device=x.device).triu(1)
    mixed = []
    for _ in range(sizes.kv_heads):
        group, heads = heads[: queries_a_group + 2], heads[queries_a_group + 2 :]
        key, value = rotate(group[-2], sizes.rope_theta), group[-1]
        for query in group[:-2]:
            scores = rotate(query, sizes.rope_theta) @ key.T / math.sqrt(d)
            mixed.append(softmax(scores.masked_fill(future, -math.inf)) @ value)
    return plora_linear(weights, name + "attention.wo", torch.cat(mixed, dim=1), picture)


def rotate(x: Tensor, theta: float) -> Tensor:
    """Rotary embedding, first half paired with second half."""
    half = x.shape[1] // 2
    frequency = theta ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = torch.arange(len(x), device=x.device, dtype=torch.float32)[:, None] * frequency
    a, b = x[:, :half], x[:, half:]
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=1)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    return (wide / (wide.square().mean(dim=1, keepdim=True) + eps).sqrt()).to(x.dtype) * weight


def softmax(x: Tensor) -> Tensor:
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    shifted = (wide - wide.amax(dim=1, keepdim=True)).exp()
    return (shifted / shifted.sum(dim=1, keepdim=True)).to(x.dtype)


def vision_tower(weights: dict[str, Tensor], sizes: Sizes, picture: Tensor) -> Tensor:
    """CLIP: [3, s, s] -> [patches, width]; the last layer's output, no final norm, no class token."""
    p = sizes.patch
    side = picture.shape[1] // p
    patches = (
        picture.to(weights["output.weight"])
        .view(3, side, p, side, p)
        .permute(1, 3, 0, 2, 4)
        .reshape(side * side, -1)
    )
    x = patches @ weights[VISION + "embeddings.patch_embedding.weight"].flatten(1).T
    x = torch.cat([weights[VISION + "embeddings.class_embedding"][None], x])
    x = x + weights[VISION + "embeddings.position_embedding.weight"]
    x = layer_norm(weights, VISION + "pre_layrnorm", x, sizes.vision_eps)
    for n in range(sizes.vision_layers):
        name = f"{VISION}encoder.layers.{n}."
        normed = layer_norm(weights, name + "layer_norm1", x, sizes.vision_eps)
        x = x + vision_attention(weights, sizes, name + "self_attn.", normed)
        wide = linear(
            weights, name + "mlp.fc1", layer_norm(weights, name + "layer_norm2", x, sizes.vision_eps)
        )
        x = x + linear(weights, name + "mlp.fc2", wide * torch.sigmoid(1.702 * wide))
    return x[1:]


def vision_attention(weights: dict[str, Tensor], sizes: Sizes, name: str, x: Tensor) -> Tensor:
    d = x.shape[1] // sizes.vision_heads
    query, key, value = (
        linear(weights, name + kind, x).split(d, dim=1) for kind in ("q_proj", "k_proj", "v_proj")
    )
    mixed = [softmax(q @ k.T / math.sqrt(d)) @ v for q, k, v in zip(query, key, value, strict=True)]
    return linear(weights, name + "out_proj", torch.cat(mixed, dim=1))


def projector(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    wide = linear(weights, "vision_proj.0", x)
    return linear(weights, "vision_proj.2", wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2))))


def linear(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


def layer_norm(weights: dict[str, Tensor], name: str, x: Tensor, eps: float) -> Tensor:
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    centred = wide - wide.mean(dim=1, keepdim=True)
    scaled = centred / (centred.square().mean(dim=1, keepdim=True) + eps).sqrt()
    return scaled.to(x.dtype) * weights[name + ".weight"] + weights[name + ".bias"]
