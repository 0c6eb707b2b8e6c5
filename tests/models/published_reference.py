"""InternLM2 and InternViT computed plainly from published tensors, for tests: no transformers, no cache,
float64."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

Tensors = Mapping[str, Tensor]


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-5) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight


def rotated(x: Tensor, position: int, theta: float) -> Tensor:
    """One head's vector at one position: pairs (i, i + half) turned by position / theta^(2i / size)."""
    half = x.shape[-1] // 2
    out = x.clone()
    for i in range(half):
        angle = position / theta ** (2 * i / x.shape[-1])
        a, b = x[i], x[i + half]
        out[i], out[i + half] = (
            a * math.cos(angle) - b * math.sin(angle),
            b * math.cos(angle) + a * math.sin(angle),
        )
    return out


def attention(x: Tensor, t: Tensors, prefix: str, heads: int, kv_heads: int, theta: float) -> Tensor:
    """Grouped-query attention straight from the packed rows: for each KV head its queries, then its key, then
    its value."""
    size, per_group = x.shape[-1] // heads, heads // kv_heads + 2
    rows = x @ t[f"{prefix}wqkv.weight"].T
    if f"{prefix}wqkv.bias" in t:
        rows = rows + t[f"{prefix}wqkv.bias"]
    out = torch.zeros_like(x)
    for head in range(heads):
        group, member = divmod(head, heads // kv_heads)

        def block(slot: int, group: int = group) -> Tensor:
            start = (group * per_group + slot) * size
            return rows[:, start : start + size]

        query, key, value = block(member), block(per_group - 2), block(per_group - 1)
        for n in range(len(x)):
            q = rotated(query[n], n, theta)
            scores = torch.stack([q @ rotated(key[m], m, theta) for m in range(n + 1)]) / math.sqrt(size)
            out[n, head * size : (head + 1) * size] = scores.softmax(0) @ value[: n + 1]
    out = out @ t[f"{prefix}wo.weight"].T
    return out + t[f"{prefix}wo.bias"] if f"{prefix}wo.bias" in t else out


def language_logits(
    x: Tensor, t: Tensors, prefix: str, layers: int, heads: int, kv_heads: int, theta: float
) -> Tensor:
    """Embeddings (n, hidden) -> logits (n, vocabulary)."""
    for n in range(layers):
        at = f"{prefix}model.layers.{n}."
        x = x + attention(
            rms_norm(x, t[f"{at}attention_norm.weight"]), t, f"{at}attention.", heads, kv_heads, theta
        )
        y = rms_norm(x, t[f"{at}ffn_norm.weight"])
        gated = functional.silu(y @ t[f"{at}feed_forward.w1.weight"].T) * (
            y @ t[f"{at}feed_forward.w3.weight"].T
        )
        x = x + gated @ t[f"{at}feed_forward.w2.weight"].T
    return rms_norm(x, t[f"{prefix}model.norm.weight"]) @ t[f"{prefix}output.weight"].T


def layer_norm(x: Tensor, t: Tensors, name: str, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return (
        centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt() * t[f"{name}.weight"]
        + t[f"{name}.bias"]
    )


def linear(x: Tensor, t: Tensors, name: str) -> Tensor:
    return x @ t[f"{name}.weight"].T + t[f"{name}.bias"]


def vision_attention(x: Tensor, t: Tensors, prefix: str, heads: int) -> Tensor:
    """(n, hidden): the packed rows are all queries, all keys, all values."""
    hidden = x.shape[-1]
    size = hidden // heads
    q, k, v = linear(x, t, f"{prefix}qkv").split(hidden, dim=-1)
    out = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        out.append((q[:, part] @ k[:, part].T / math.sqrt(size)).softmax(-1) @ v[:, part])
    return linear(torch.cat(out, -1), t, f"{prefix}proj")


def tile_embeddings(pixels: Tensor, t: Tensors, layers: int, heads: int, patch: int) -> Tensor:
    """One tile (3, s, s) -> what stands in its place in the prompt, (tokens, hidden of the language
    model)."""
    side = pixels.shape[-1] // patch
    weight = t["vision_model.embeddings.patch_embedding.weight"]
    bias = t["vision_model.embeddings.patch_embedding.bias"]
    patches = [
        (pixels[:, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch] * weight).sum((1, 2, 3)) + bias
        for r in range(side)
        for c in range(side)
    ]
    x = torch.cat([t["vision_model.embeddings.class_embedding"][0], torch.stack(patches)])
    x = x + t["vision_model.embeddings.position_embedding"][0]
    for n in range(layers):
        at = f"vision_model.encoder.layers.{n}."
        x = x + t[f"{at}ls1"] * vision_attention(layer_norm(x, t, f"{at}norm1", 1e-6), t, f"{at}attn.", heads)
        y = functional.gelu(linear(layer_norm(x, t, f"{at}norm2", 1e-6), t, f"{at}mlp.fc1"))
        x = x + t[f"{at}ls2"] * linear(y, t, f"{at}mlp.fc2")
    shuffled = shuffle(x[1:].view(side, side, -1))
    y = functional.gelu(linear(layer_norm(shuffled, t, "mlp1.0", 1e-5), t, "mlp1.1"))
    return linear(y, t, "mlp1.3")


def shuffle(grid: Tensor) -> Tensor:
    """(rows, columns, c) -> (rows * columns / 4, 4c): each 2 x 2 square, its rows one after the other,
    squares row by row."""
    rows, columns, _ = grid.shape
    return torch.stack(
        [
            torch.cat(
                [
                    grid[2 * r, 2 * c],
                    grid[2 * r, 2 * c + 1],
                    grid[2 * r + 1, 2 * c],
                    grid[2 * r + 1, 2 * c + 1],
                ]
            )
            for r in range(rows // 2)
            for c in range(columns // 2)
        ]
    )
