"""The worker processes that draw pictures and write conversations while the GPU trains.

Tiles come back through a block of shared memory cut into slots, everything else through a pipe. The processes
are forked before CUDA is touched; they end when told to, or with their parent.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkContext
from multiprocessing.queues import Queue
from typing import Protocol

import numpy as np

from launcher.demo.training.records import Record, Tiles

SLOT_TILES = 64
SLOTS_A_WORKER = 3
TEXT_RECORDS_A_BATCH = 64
GET_TIMEOUT_S = 300.0
"""No batch for that long means that every worker is stuck or dead."""


class RecordSource(Protocol):
    """What makes records; runs in the workers."""

    def training(self, seed: int) -> tuple[Record, Tiles]:
        """The record of a training seed."""
        ...

    def held_out(self, index: int) -> tuple[Record, Tiles]:
        """The record of a held-out picture."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Records from one worker; their tiles lie one after the other in ``slot``."""

    records: list[Record]
    tile_count: int
    slot: int
    held_out: bool


class Workers:
    """Starts the processes and hands out what they make; a context manager that stops them."""

    def __init__(
        self, source: RecordSource, count: int, tile_px: int, first_seed: int, held_out: int
    ) -> None:
        self._context: ForkContext = multiprocessing.get_context("fork")
        self._tile_shape = (SLOT_TILES, tile_px, tile_px, 3)
        slots = count * SLOTS_A_WORKER
        # RawArray picks /dev/shm where there is room and a temporary file where there is not.
        self._memory = self._context.RawArray("B", slots * int(np.prod(self._tile_shape)))
        self._tiles = np.frombuffer(self._memory, np.uint8).reshape(slots, *self._tile_shape)
        self._filled: Queue[Batch] = self._context.Queue()
        self._free = [self._context.SimpleQueue() for _ in range(count)]
        for worker in range(count):
            for slot in range(SLOTS_A_WORKER):
                self._free[worker].put(worker * SLOTS_A_WORKER + slot)
        self._processes = [
            self._context.Process(
                target=self._work, args=(source, worker, count, first_seed, held_out), daemon=True
            )
            for worker in range(count)
        ]

    def __enter__(self) -> Workers:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
        self._filled.cancel_join_thread()
        for process in self._processes:
            process.join()

    def get(self, wait: bool) -> Batch | None:
        """The next batch; None when there is none yet and ``wait`` is False.

        Raises:
            RuntimeError: a worker died, or nothing came for ``GET_TIMEOUT_S``.
        """
        try:
            return self._filled.get(timeout=GET_TIMEOUT_S) if wait else self._filled.get_nowait()
        except queue.Empty:
            dead = [process.exitcode for process in self._processes if not process.is_alive()]
            if dead or wait:
                raise RuntimeError(f"training workers stopped or hang; exit codes {dead}") from None
            return None

    def tiles(self, batch: Batch) -> Tiles:
        """The batch's tiles, [n, size, size, 3]; valid until ``give_back``."""
        return self._tiles[batch.slot, : batch.tile_count]

    def give_back(self, batch: Batch) -> None:
        """Lets the worker fill the slot again."""
        self._free[batch.slot // SLOTS_A_WORKER].put(batch.slot)

    def _work(self, source: RecordSource, worker: int, count: int, first_seed: int, held_out: int) -> None:
        os.nice(5)
        for index in range(worker, held_out, count):
            record, tiles = source.held_out(index)
            self._send([record], [tiles], worker, held_out=True)
        records: list[Record] = []
        drawn: list[Tiles] = []
        for record, tiles in _training(source, first_seed + worker, count):
            if sum(map(len, drawn)) + len(tiles) > SLOT_TILES or len(records) == TEXT_RECORDS_A_BATCH:
                self._send(records, drawn, worker, held_out=False)
                records, drawn = [], []
            records.append(record)
            drawn.append(tiles)

    def _send(self, records: list[Record], drawn: list[Tiles], worker: int, held_out: bool) -> None:
        slot = int(self._free[worker].get())
        place = 0
        for tiles in drawn:
            if len(tiles):
                self._tiles[slot, place : place + len(tiles)] = tiles
                place += len(tiles)
        self._filled.put(Batch(records, place, slot, held_out))


def _training(source: RecordSource, first_seed: int, step: int) -> Iterator[tuple[Record, Tiles]]:
    seed = first_seed
    while True:
        yield source.training(seed)
        seed += step
