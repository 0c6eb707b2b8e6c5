"""How often the answers are exactly right on held-out pictures, by kind and language.

An answer counts when greedy decoding gives exactly the known one. That needs no decoding: greedy decoding
gives it if and only if, with the known answer's tokens put in, every next token is the most likely one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from launcher.demo.training.families import Family
from launcher.demo.training.loop import answer_logits
from launcher.demo.training.store import Store, TrainingBatch
from launcher.demo.wordings import LANGUAGES

EVALUATION_BATCH = 128
Accuracy = dict[str, dict[str, float]]
"""Kind, then language, then the share of right answers."""


@torch.inference_mode()
def evaluate(family: Family, model: nn.Module, store: Store, kind_names: Sequence[str]) -> Accuracy:
    """Shares of right answers over all held-out conversations in ``store``, in the model's own precision."""
    asked: Counter[int] = Counter()
    right: Counter[int] = Counter()
    for batch in store.every_conversation(EVALUATION_BATCH):
        marks, is_right = _answers(family, model, batch)
        asked.update(marks)
        right.update(mark for mark, good in zip(marks, is_right, strict=True) if good)
    table: Accuracy = {}
    for mark in sorted(asked):
        number, language = (mark - 1) % 16, LANGUAGES[(mark - 1) // 16]
        table.setdefault(kind_names[number], {})[language] = round(right[mark] / asked[mark], 4)
        table[kind_names[number]][f"{language} asked"] = asked[mark]
    return table


def _answers(family: Family, model: nn.Module, batch: TrainingBatch) -> tuple[list[int], list[bool]]:
    """Each row's mark, and whether its whole answer is right."""
    features = None
    if batch.tiles is not None:
        pixels = family.pixels(batch.tiles).to(next(model.parameters()).dtype)
        features = family.see(model, pixels)
    logits, targets, _ = answer_logits(family, model, batch.ids, batch.marks, features)
    rows = (batch.marks[:, 1:] > 0).nonzero()[:, 0]
    wrong: Tensor = torch.zeros(len(batch.ids), device=rows.device).index_add_(
        0, rows, (logits.argmax(-1) != targets).float()
    )
    return batch.marks.amax(1).tolist(), (wrong == 0).tolist()


def as_markdown(tables: dict[str, Accuracy]) -> str:
    """One table: a row for each kind, a column for each precision and language."""
    columns = [(title, language) for title in tables for language in LANGUAGES]
    lines = ["| kind | " + " | ".join(f"{title}, {language}" for title, language in columns) + " |"]
    lines.append("| --- " * (len(columns) + 1) + "|")
    kinds = list(dict.fromkeys(kind for table in tables.values() for kind in table))
    for kind in kinds:
        shares = [tables[title].get(kind, {}).get(language) for title, language in columns]
        lines.append(
            f"| {kind} | " + " | ".join("-" if s is None else f"{100 * s:.1f} %" for s in shares) + " |"
        )
    return "\n".join(lines) + "\n"


def write(folder: Path, tables: dict[str, Accuracy], facts: dict[str, object]) -> None:
    """Writes ``accuracy.json`` and ``accuracy.md``."""
    (folder / "accuracy.json").write_text(
        json.dumps({"facts": facts, "tables": tables}, indent=1) + "\n", encoding="utf-8"
    )
    (folder / "accuracy.md").write_text(as_markdown(tables), encoding="utf-8")
