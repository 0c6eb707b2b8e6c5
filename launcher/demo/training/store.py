"""The replay buffer: tiles on the GPU, everything else in memory; hands out batches ready for the model.

Drawing a picture costs a CPU more than training on it costs the GPU, so each is kept and used several times,
each time with another of its conversations, until newer ones need its room.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from launcher.demo.training.records import Conversation, Record
from launcher.demo.training.workers import Batch, Workers


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """One step's data.

    Attributes:
        ids: [b, s] int64, padded on the right.
        marks: [b, s] uint8, 0 where no answer token stands.
        tiles: [n, size, size, 3] uint8, in the order of the ids' pictures; None without pictures.
        cells: [n x cells, 5] int64, labels of the auxiliary loss.
    """

    ids: Tensor
    marks: Tensor
    tiles: Tensor | None
    cells: Tensor | None


@dataclass(frozen=True, slots=True)
class _Kept:
    record: Record
    start: int


class Store:
    """Holds records and their tiles, the oldest making room for the newest."""

    def __init__(self, tile_capacity: int, record_capacity: int, tile_px: int, device: torch.device) -> None:
        self._device = device
        self._tiles = torch.zeros((tile_capacity, tile_px, tile_px, 3), dtype=torch.uint8, device=device)
        self._kept: deque[_Kept] = deque()
        self._record_capacity = record_capacity
        self._cursor = 0
        self.records_seen = 0

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, workers: Workers, batch: Batch) -> None:
        """Copies a worker's batch in and gives the slot back."""
        start = self._make_room(batch.tile_count)
        if batch.tile_count:
            self._tiles[start : start + batch.tile_count].copy_(torch.from_numpy(workers.tiles(batch)))
        workers.give_back(batch)
        for record in batch.records:
            self._kept.append(_Kept(record, start))
            start += record.tile_count
        self._cursor = start
        self.records_seen += len(batch.records)
        while len(self._kept) > self._record_capacity:
            self._kept.popleft()

    def _make_room(self, tile_count: int) -> int:
        """Where the next tiles go; forgets the records whose tiles lie there."""
        start = self._cursor
        if start + tile_count > len(self._tiles):
            # The rest of the ring stays empty this round: forget the records there as well, for they are the
            # oldest.
            while self._kept and self._kept[0].start >= start:
                self._kept.popleft()
            start = 0
        while self._kept and self._overlaps(self._kept[0], start, tile_count):
            self._kept.popleft()
        return start

    def _overlaps(self, kept: _Kept, start: int, tile_count: int) -> bool:
        # A record without tiles goes with its neighbours: else it would keep the ones behind it from being
        # seen.
        return kept.start < start + tile_count and start < kept.start + max(kept.record.tile_count, 1)

    def sample(self, size: int, rng: random.Random) -> TrainingBatch:
        """A batch of ``size`` conversations about as many records, drawn at random."""
        chosen = [self._kept[rng.randrange(len(self._kept))] for _ in range(size)]
        return self._batch(chosen, [rng.choice(kept.record.conversations) for kept in chosen])

    def every_conversation(self, size: int) -> Iterator[TrainingBatch]:
        """All conversations of all records, in batches of about ``size``; for evaluation."""
        pairs = [(kept, conversation) for kept in self._kept for conversation in kept.record.conversations]
        pairs.sort(key=lambda pair: len(pair[1].ids))
        for i in range(0, len(pairs), size):
            part = pairs[i : i + size]
            yield self._batch([kept for kept, _ in part], [conversation for _, conversation in part])

    def _batch(self, chosen: Sequence[_Kept], conversations: Sequence[Conversation]) -> TrainingBatch:
        length = max(len(conversation.ids) for conversation in conversations)
        ids = np.full((len(conversations), length), 2, np.int64)
        marks = np.zeros((len(conversations), length), np.uint8)
        for row, conversation in enumerate(conversations):
            ids[row, : len(conversation.ids)] = conversation.ids
            marks[row, : len(conversation.marks)] = conversation.marks
        tile_rows = np.concatenate([np.arange(k.start, k.start + k.record.tile_count) for k in chosen])
        cells = np.concatenate([kept.record.cells for kept in chosen])
        seen = len(tile_rows) > 0
        return TrainingBatch(
            ids=self._put(ids),
            marks=self._put(marks),
            tiles=self._tiles.index_select(0, self._put(tile_rows)) if seen else None,
            cells=self._put(cells.astype(np.int64)) if seen else None,
        )

    def _put(self, array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        return (
            tensor.pin_memory().to(self._device, non_blocking=True) if self._device.type == "cuda" else tensor
        )
