"""The command line of the training program; run from the repository's root.

    python3 -m launcher.demo.training shapes-internvl2 --minutes 8 --out FOLDER

``--minutes`` bounds the whole run, start to exported folder. What comes out: the checkpoint, which
``--resume`` goes on from, and ``accuracy.json`` and ``accuracy.md`` with the held-out accuracy of the
exported, rounded weights.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import torch

from launcher.demo.conversations import CHAT_KINDS
from launcher.demo.training import evaluation
from launcher.demo.training.configs import MAX_TILES, TILE_PX
from launcher.demo.training.export import export, resume
from launcher.demo.training.families import make_family
from launcher.demo.training.loop import LoopSettings, Trainer
from launcher.demo.training.records import KIND_NAMES
from launcher.demo.training.store import Store
from launcher.demo.training.workers import Workers

SEEDS_A_RUN = 100_000_000
"""Training seeds start at ``--seed`` times this, so that a run that goes on with another seed draws new
pictures."""
RECORD_CAPACITY = 200_000
TILE_BYTES = 3 * TILE_PX * TILE_PX
SHAPES_KIND_WEIGHTS = {"describe": 0.5, "outside": 0.3, "no_picture": 0.3, "absent": 0.7}
"""Weight of an answer token's loss where it is not 1: long answers weigh more than short ones as it is."""
CHAT_KIND_WEIGHTS = {"outside": 0.1, "greet": 0.1, "tell_name": 0.5, "recall": 0.7}


def main() -> None:
    """Trains, exports and evaluates one model."""
    run = Run(_parse(sys.argv[1:]))
    run.train()
    run.evaluate()


class Run:
    """One run of the program, from its arguments to the folder it leaves."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._started = time.monotonic()
        self._arguments = arguments
        torch.manual_seed(arguments.seed)
        torch.set_float32_matmul_precision("high")
        tokenizer = arguments.resume and (arguments.resume / "tokenizer.model").read_bytes()
        self._family = make_family(arguments.name, tokenizer)
        self._is_text = self._family.picture_token_id is None
        self._kind_names = CHAT_KINDS if self._is_text else KIND_NAMES
        self._tile_px = 1 if self._is_text else TILE_PX
        self._steps = 0

    def train(self) -> None:
        """Trains and exports; the workers are forked before CUDA is touched."""
        arguments = self._arguments
        first_seed = arguments.seed * SEEDS_A_RUN
        with Workers(
            self._family.source, arguments.workers, self._tile_px, first_seed, arguments.held_out
        ) as workers:
            self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            self._log(f"{arguments.workers} workers, {self._device}, torch {torch.__version__}")
            model = self._family.with_picture_token(self._family.build().to(self._device))
            if arguments.resume:
                resume(self._family, model, arguments.resume)
            self._log(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters")
            store = self._fill_stores(workers)
            train_s = arguments.minutes * 60 - arguments.reserve_s - (time.monotonic() - self._started)
            trainer = Trainer(self._family, model, store, self._settings(train_s), self._log)
            trainer.train(workers)
        self._steps = trainer.steps
        export(self._family, model, arguments.out)
        self._log(f"exported to {arguments.out}")

    def evaluate(self) -> None:
        """Held-out accuracy of the exported, rounded weights, computed in float32 and in bfloat16."""
        tables = {}
        for title, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
            model = self._family.load(self._arguments.out, dtype, str(self._device))
            self._family.with_picture_token(model)
            tables[title] = evaluation.evaluate(self._family, model, self._held_out, self._kind_names)
            self._log(f"evaluated in {title}")
        if self._family.switch_plora is not None:
            self._family.switch_plora(model, False)
            tables["without PLoRA"] = evaluation.evaluate(
                self._family, model, self._held_out, self._kind_names
            )
        facts: dict[str, object] = {
            "steps": self._steps,
            "seconds": round(time.monotonic() - self._started),
            **{name: str(value) for name, value in vars(self._arguments).items()},
        }
        evaluation.write(self._arguments.out, tables, facts)
        self._log("done\n" + evaluation.as_markdown(tables))

    def _fill_stores(self, workers: Workers) -> Store:
        """Takes in the held-out pictures, which the workers draw first, and the first training pictures."""
        arguments = self._arguments
        tiles = 1 if self._is_text else max(256, int(arguments.buffer_gib * 2**30 / TILE_BYTES))
        held_out_tiles = 1 if self._is_text else (MAX_TILES + 1) * arguments.held_out
        store = Store(tiles, RECORD_CAPACITY, self._tile_px, self._device)
        self._held_out = Store(held_out_tiles, arguments.held_out, self._tile_px, self._device)
        while len(store) < arguments.warm_up_records or self._held_out.records_seen < arguments.held_out:
            batch = workers.get(wait=True)
            assert batch is not None
            (self._held_out if batch.held_out else store).take(workers, batch)
        self._log(f"{len(self._held_out)} held-out records, {len(store)} training records to begin with")
        return store

    def _settings(self, train_s: float) -> LoopSettings:
        arguments = self._arguments
        weights = CHAT_KIND_WEIGHTS if self._is_text else SHAPES_KIND_WEIGHTS
        return LoopSettings(
            batch=arguments.batch,
            learning_rate=arguments.learning_rate,
            weight_decay=arguments.weight_decay,
            kind_weights=(0.0, *(weights.get(name, 1.0) for name in self._kind_names)),
            kind_names=tuple(self._kind_names),
            train_s=train_s,
            max_steps=arguments.max_steps,
            seed=arguments.seed,
        )

    def _log(self, text: str) -> None:
        print(f"[{self._arguments.name} {time.monotonic() - self._started:6.1f} s] {text}", flush=True)  # noqa: T201


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m launcher.demo.training", description=__doc__)
    parser.add_argument("name", choices=["shapes-internvl2", "shapes-xcomposer2", "tiny-chat"])
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--minutes", type=float, default=8.0, help="whole run, start to export")
    parser.add_argument(
        "--reserve-s", type=float, default=40.0, help="kept of that for export and evaluation"
    )
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    parser.add_argument("--batch", type=int, default=128, help="conversations a step")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--buffer-gib", type=float, default=24.0, help="GPU memory for tiles")
    parser.add_argument("--warm-up-records", type=int, default=2000, help="drawn before the first step")
    parser.add_argument("--held-out", type=int, default=600, help="held-out pictures of the evaluation")
    parser.add_argument("--max-steps", type=int, help="stop earlier than the time is up")
    parser.add_argument(
        "--seed", type=int, default=1, help="take another one for a run that goes on: it draws new pictures"
    )
    parser.add_argument("--resume", type=Path, help="checkpoint folder to go on from")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
