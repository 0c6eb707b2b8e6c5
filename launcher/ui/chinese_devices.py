"""The Chinese of the picture of a device's memory."""

from __future__ import annotations

DEVICES = {
    "GPU {number}": "GPU {number}",
    "Memory": "内存",
    "{device}: {used:.1f} of {total:.1f} GiB in use": "{device}：已用 {used:.1f} / {total:.1f} GiB",
    "{device}: models hold {used:.1f} of {total:.1f} GiB": "{device}：模型占用 {used:.1f} / {total:.1f} GiB",
    "{name}: {held:.1f} GiB, measured": "{name}：{held:.1f} GiB（实测）",
    "{name}: {held:.1f} GiB, as planned": "{name}：{held:.1f} GiB（计划）",
    "{name}, asleep: {held:.1f} GiB, measured": "{name}，浅睡：{held:.1f} GiB（实测）",
    "{name}, asleep: {held:.1f} GiB, as planned": "{name}，浅睡：{held:.1f} GiB（计划）",
    "{whole} (planned: weights {weights:.1f}, KV cache {cache:.1f})": (
        "{whole}，其中计划用于权重 {weights:.1f}、KV 缓存 {cache:.1f}"
    ),
    "{whole} (weights {weights:.1f}, KV cache {cache:.1f})": (
        "{whole}，其中权重 {weights:.1f}、KV 缓存 {cache:.1f}"
    ),
    "{name}: weights {size:.1f} GiB, as planned": "{name}：权重 {size:.1f} GiB（计划）",
    "{name}: KV cache {size:.1f} GiB, as planned": "{name}：KV 缓存 {size:.1f} GiB（计划）",
    "{name}: the rest {size:.1f} GiB": "{name}：其余 {size:.1f} GiB",
    "Others: {held:.1f} GiB, measured": "其他程序：{held:.1f} GiB（实测）",
    "Others, with 1 GiB that models leave them: {held:.1f} GiB, measured": (
        "其他程序，包括模型留给它们的 1 GiB：{held:.1f} GiB（实测）"
    ),
    "Free: {free:.1f} GiB": "空闲：{free:.1f} GiB",
    "Models may hold {budget:.1f} GiB together": "模型合计最多可用 {budget:.1f} GiB",
}
