"""The training loop: time-boxed AdamW with a cosine schedule over the clock, loss on answers alone.

An auxiliary loss asks every picture token which shape lies under it and where in the picture that is, at
first strongly, at the
end not at all: it gets the vision tower going long before the language model can read it, and makes places
    easy to read. For XComposer2 a share of every batch runs with PLoRA off and another picture's tokens, so
    that the base weights learn to say nothing
about pictures: without PLoRA, answers fall to chance.
"""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from launcher.demo.training.families import Family
from launcher.demo.training.store import Store, TrainingBatch
from launcher.demo.training.workers import Workers

LOG_EVERY_S = 10.0
INTAKE_A_STEP = 32
WARM_UP_STEPS = 200
GRADIENT_CLIP = 1.0
AUXILIARY_WEIGHT = 0.5
AUXILIARY_END = 0.8
"""Share of the time after which the auxiliary loss is gone."""
PLORA_OFF_SHARE = 0.2
PLORA_OFF_WEIGHT = 1.0
CELL_LABELS = 1 + 4 * 8
PLACES = 9


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """What a run may change. ``kind_weights`` weighs an answer token's loss by its mark; index 0 is no
    answer."""

    batch: int
    learning_rate: float
    weight_decay: float
    kind_weights: tuple[float, ...]
    kind_names: tuple[str, ...]
    train_s: float
    max_steps: int | None
    seed: int


class Trainer:
    """One run. ``train`` returns when the time is up."""

    def __init__(
        self,
        family: Family,
        model: nn.Module,
        store: Store,
        settings: LoopSettings,
        log: Callable[[str], None],
    ) -> None:
        self._family, self._model, self._store, self._settings, self._log = (
            family,
            model,
            store,
            settings,
            log,
        )
        self._device = next(model.parameters()).device
        self._weights = torch.tensor(settings.kind_weights, device=self._device)
        width = family.head(model).in_features
        self._cell_head = nn.Linear(width, 2 * CELL_LABELS + PLACES + 2).to(self._device)
        self._optimizer = self._make_optimizer()
        self._rng = random.Random(settings.seed)
        self._sums = torch.zeros(len(settings.kind_weights), 3, device=self._device)
        self._auxiliary = torch.zeros((), device=self._device)
        self.steps = 0

    def train(self, workers: Workers) -> None:
        """Steps until the time is up, taking in whatever the workers have made between steps."""
        start = logged = time.monotonic()
        while (
            elapsed := time.monotonic() - start
        ) < self._settings.train_s and self.steps != self._settings.max_steps:
            self._take_in(workers)
            progress = elapsed / self._settings.train_s
            if self._settings.max_steps:
                progress = max(progress, self.steps / self._settings.max_steps)
            self._step(self._store.sample(self._settings.batch, self._rng), progress)
            if time.monotonic() - logged > LOG_EVERY_S:
                self._report(elapsed)
                logged = time.monotonic()
        self._report(time.monotonic() - start)

    def _take_in(self, workers: Workers) -> None:
        """What the workers have ready, but no more than a step's time is worth."""
        for _ in range(INTAKE_A_STEP):
            batch = workers.get(wait=False)
            if batch is None:
                return
            self._store.take(workers, batch)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        parameters = [*self._model.parameters(), *self._cell_head.parameters()]
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": self._settings.weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        cuda = self._device.type == "cuda"
        return torch.optim.AdamW(groups, lr=self._settings.learning_rate, betas=(0.9, 0.98), fused=cuda)

    def _learning_rate(self, progress: float) -> float:
        warm_up = min(1.0, (self.steps + 1) / WARM_UP_STEPS)
        return (
            self._settings.learning_rate
            * warm_up
            * (0.01 + 0.99 * (1 + math.cos(math.pi * min(progress, 1.0))) / 2)
        )

    def _step(self, batch: TrainingBatch, progress: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate(progress)
        auxiliary_weight = AUXILIARY_WEIGHT * max(0.0, 1 - progress / AUXILIARY_END)
        with autocast(self._device):
            loss = self._loss(batch, auxiliary_weight)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._model.parameters(), GRADIENT_CLIP)
        self._optimizer.step()
        self.steps += 1

    def _loss(self, batch: TrainingBatch, auxiliary_weight: float) -> Tensor:
        features = None
        auxiliary = torch.zeros((), device=self._device)
        if batch.tiles is not None and batch.cells is not None:
            features = self._family.see(self._model, self._family.pixels(batch.tiles))
            if auxiliary_weight > 0:
                auxiliary = self._cell_loss(features, batch.cells)
        loss = self._answer_loss(batch.ids, batch.marks, features) + auxiliary_weight * auxiliary
        self._auxiliary = auxiliary.detach()
        if self._family.switch_plora is not None and features is not None:
            loss = loss + self._loss_without_plora(batch, features)
        return loss

    def _cell_loss(self, features: Tensor, cells: Tensor) -> Tensor:
        """All labels of every picture token; empty cells count a tenth, for they are most."""
        weight = torch.ones(CELL_LABELS, device=self._device)
        weight[0] = 0.1
        under, centre, place, middle = (
            self._cell_head(features).float().split((CELL_LABELS, CELL_LABELS, PLACES, 2), dim=1)
        )
        loss = functional.cross_entropy(under, cells[:, 0], weight=weight)
        loss = loss + functional.cross_entropy(centre, cells[:, 1], weight=weight)
        placed = cells[:, 2] > 0
        if placed.any():
            loss = loss + functional.cross_entropy(place[placed], cells[placed, 2] - 1)
            loss = loss + 10 * functional.l1_loss(middle[placed], (cells[placed, 3:] - 1) / 254)
        return loss

    def _answer_loss(self, ids: Tensor, marks: Tensor, features: Tensor | None) -> Tensor:
        logits, targets, kinds = answer_logits(self._family, self._model, ids, marks, features)
        losses = functional.cross_entropy(logits.float(), targets, reduction="none")
        with torch.no_grad():
            right = (logits.argmax(-1) == targets).float()
            self._sums.index_add_(0, kinds, torch.stack([torch.ones_like(losses), losses, right], 1))
        weights = self._weights[kinds]
        return (losses * weights).sum() / weights.sum()

    def _loss_without_plora(self, batch: TrainingBatch, features: Tensor) -> Tensor:
        """A few rows with PLoRA off and their pictures exchanged: what can be said then is what the question
        alone tells."""
        assert self._family.switch_plora is not None
        assert self._family.picture_token_id is not None
        rows = max(2, int(len(batch.ids) * PLORA_OFF_SHARE))
        ids, marks = batch.ids[:rows], batch.marks[:rows]
        count = int(torch.eq(ids, self._family.picture_token_id).sum())
        others = torch.roll(features, shifts=features.shape[0] // 2 // 256 * 256, dims=0)[:count]
        self._family.switch_plora(self._model, False)
        try:
            logits, targets, kinds = answer_logits(self._family, self._model, ids, marks, others.detach())
        finally:
            self._family.switch_plora(self._model, True)
        weights = self._weights[kinds]
        losses = functional.cross_entropy(logits.float(), targets, reduction="none")
        return PLORA_OFF_WEIGHT * (losses * weights).sum() / weights.sum()

    def _report(self, elapsed: float) -> None:
        sums = self._sums.cpu().clone()
        self._sums.zero_()
        kinds = " ".join(
            f"{name} {loss / count:.3f}/{right / count:.3f}"
            for name, (count, loss, right) in zip(self._settings.kind_names, sums[1:].tolist(), strict=True)
            if count
        )
        rate = self._optimizer.param_groups[0]["lr"]
        self._log(
            f"{elapsed:6.1f} s  step {self.steps}  drawn {self._store.records_seen}  kept"
            f" {len(self._store)}  "
            f"lr {rate:.2e}  cells {float(self._auxiliary):.3f}  loss/right tokens: {kinds}"
        )


def autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """bfloat16 arithmetic over float32 weights on a GPU; plain float32 elsewhere."""
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else contextlib.nullcontext()


def answer_logits(
    family: Family, model: nn.Module, ids: Tensor, marks: Tensor, features: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, target ids and marks of every answer token of a batch: [n, vocabulary], [n], [n]."""
    hidden = family.think(model, ids[:, :-1], features)
    places = marks[:, 1:] > 0
    logits: Tensor = family.head(model)(hidden[places])
    return logits, ids[:, 1:][places], marks[:, 1:][places].long()
