"""The training program writes exactly what an engine reads: the same ids, pixels, weights and greedy
answers."""

from __future__ import annotations

import math
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from launcher.demo.known_answers import held_out_scene
from launcher.demo.pictures import as_opened, draw_scene
from launcher.demo.questions import ask
from launcher.demo.training.evaluation import evaluate
from launcher.demo.training.export import export, resume
from launcher.demo.training.families import Family, make_family
from launcher.demo.training.loop import LoopSettings, Trainer
from launcher.demo.training.records import KIND_NAMES, Record, ShapesRecords, label_cells
from launcher.demo.training.store import Store
from launcher.demo.training.workers import Batch, Workers
from launcher.families import TEMPLATES, build_prompt, model_sizes
from launcher.families.common.pictures import TileBudget
from launcher.messages import Message
from launcher.models.internlm2_tokenizer import InternLM2Tokenizer
from launcher.models.tiles import cut_tiles, to_pixels

NAMES = ("shapes-internvl2", "shapes-xcomposer2", "tiny-chat")


@pytest.fixture(scope="module", params=NAMES)
def family(request: pytest.FixtureRequest) -> Family:
    return make_family(request.param)


@pytest.fixture(scope="module")
def exported(family: Family, tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, Path]:
    torch.manual_seed(0)
    model = family.with_picture_token(family.build())
    folder = tmp_path_factory.mktemp(family.name)
    export(family, model, folder)
    return model, folder


def test_the_fast_tokenizer_gives_the_trainings_ids(
    family: Family, exported: tuple[torch.nn.Module, Path]
) -> None:
    fast = InternLM2Tokenizer.from_pretrained(exported[1])
    rng = random.Random(0)
    texts = [
        "Anna 小明 🙂\tx  y",
        "<|im_start|>user\nReverse zebra.<|im_end|>\n<|im_start|>assistant\narbez.<|im_end|>\n",
    ]
    for seed in range(100):
        question = ask(
            draw_scene(seed),
            rng.choice(("colour", "exists", "count", "outside")),
            rng.choice(("en", "zh")),
            rng,
        )
        texts += [question.text, question.answer] if question else []
    if family.name == "shapes-xcomposer2":  # its tokenizer leaves the chat tokens' old names as they are
        texts[1] = (
            texts[1].replace("<|im_start|>", "[UNUSED_TOKEN_146]").replace("<|im_end|>", "[UNUSED_TOKEN_145]")
        )
    for text in texts:
        assert fast.encode(text, add_special_tokens=False) == family.encoder.encode(text), text
    assert len(fast) == family.encoder.size


def test_a_reloaded_checkpoint_is_the_model_rounded(
    family: Family, exported: tuple[torch.nn.Module, Path]
) -> None:
    model, folder = exported
    loaded = family.with_picture_token(family.load(folder, torch.float32, "cpu"))
    rounded = {name: p.detach().to(torch.bfloat16).float() for name, p in model.named_parameters()}
    assert rounded.keys() == dict(loaded.named_parameters()).keys()
    for name, parameter in loaded.named_parameters():
        assert torch.equal(parameter, rounded[name]), name
    assert (folder / "model.safetensors").stat().st_size < 5.3e6


def test_a_run_goes_on_from_the_rounded_weights(
    family: Family, exported: tuple[torch.nn.Module, Path]
) -> None:
    model, folder = exported
    other = family.build()
    resume(family, other, folder)
    for (name, a), (_, b) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(a.detach().to(torch.bfloat16).float(), b), name


def test_conversations_are_the_engines_prompts_and_pixels() -> None:
    family = make_family("shapes-internvl2")
    assert isinstance(family.source, ShapesRecords)
    record, tiles = family.source.held_out(3)
    scene = held_out_scene(3)
    picture = as_opened(scene)
    budget = model_sizes(family.files["config.json"]).pictures
    assert isinstance(budget, TileBudget)
    rule = budget.rule
    cut = cut_tiles(picture, rule)
    assert torch.allclose(family.pixels(torch.from_numpy(tiles)), to_pixels(cut), atol=1e-5)
    conversation = record.conversations[0]
    answer_ids = conversation.ids[conversation.marks > 0]
    prompt_ids = conversation.ids[: len(conversation.ids) - len(answer_ids)].tolist()
    assert prompt_ids.count(family.picture_token_id) == 64 * len(cut) == 64 * record.tile_count
    question = family.encoder.decode(prompt_ids).split("user\n\n", 1)[1].rsplit("assistant", 1)[0]
    prompt = build_prompt([Message("user", question, (Path("x.png"),))], TEMPLATES["internvl2"])
    expected = family.encoder.encode("<s>" + prompt.replace("<IMG_CONTEXT>", "<IMG_CONTEXT>" * 64 * len(cut)))
    assert prompt_ids == expected
    assert answer_ids[-1] == family.encoder.special_ids["<|im_end|>"]


def test_several_turns_are_one_prompt_after_the_other() -> None:
    family = make_family("shapes-internvl2")
    assert isinstance(family.source, ShapesRecords)
    writer = family.source._writer
    conversation = writer.write([("How many shapes?", "Two.", 1), ("有几个圆形？", "一个。", 2)], [64], [0])
    turns = [
        Message("user", "How many shapes?", (Path("x.png"),)),
        Message("assistant", "Two."),
        Message("user", "有几个圆形？"),
    ]
    prompt = build_prompt(turns, TEMPLATES["internvl2"]).replace("<IMG_CONTEXT>", "<IMG_CONTEXT>" * 64)
    assert conversation.ids.tolist() == family.encoder.encode("<s>" + prompt + "一个。<|im_end|>")
    assert Counter(conversation.marks.tolist())[2] == len(family.encoder.encode("一个。<|im_end|>"))


def test_cells_name_the_shape_that_lies_under_them() -> None:
    scene = next(s for s in map(draw_scene, range(100)) if len(s.shapes) == 2)
    labels = label_cells(scene, [(0.0, 0.0, 1.0, 1.0)], 16)
    assert labels.shape[0] == 256
    centres = Counter(labels[:, 1].tolist())
    assert sum(count for label, count in centres.items() if label) in (
        2,
        3,
        4,
        6,
        8,
    )  # a middle on an edge counts twice
    assert set(labels[:, 0].tolist()) - {0} == set(centres) - {0}


class _OnePicture:
    """The same record again and again: what can be learnt by heart must be."""

    def __init__(self, family: Family) -> None:
        assert isinstance(family.source, ShapesRecords)
        drawn = (family.source.held_out(index) for index in range(100))
        record, self._tiles = next((record, tiles) for record, tiles in drawn if len(tiles) == 1)
        self._record = Record(record.tile_count, record.cells, record.conversations[:2])

    def training(self, seed: int) -> tuple[Record, np.ndarray]:
        return self._record, self._tiles

    def held_out(self, index: int) -> tuple[Record, np.ndarray]:
        return self._record, self._tiles


def test_training_learns_a_picture_by_heart_and_evaluation_sees_it() -> None:
    torch.manual_seed(0)
    family = make_family("shapes-internvl2")
    model = family.with_picture_token(family.build())
    store = Store(400, 100, 224, torch.device("cpu"))
    weights = (0.0, *[1.0] * 40)
    names = tuple(map(str, range(40)))
    with Workers(_OnePicture(family), 1, 224, 0, 1) as workers:
        while not len(store):
            batch = workers.get(wait=True)
            assert batch is not None
            store.take(workers, batch)
        settings = LoopSettings(2, 1e-2, 0.0, weights, names, math.inf, 25, 0)
        before = evaluate(family, model, store, [*KIND_NAMES])
        trainer = Trainer(family, model, store, settings, lambda text: None)
        trainer.train(workers)
    after = evaluate(family, model, store, [*KIND_NAMES])
    assert all(
        share == 0 for kind in before.values() for title, share in kind.items() if "asked" not in title
    )
    assert any(share == 1 for kind in after.values() for title, share in kind.items() if "asked" not in title)


def test_a_dead_worker_is_an_error_not_a_wait() -> None:
    class Dies:
        def training(self, seed: int) -> tuple[Record, np.ndarray]:
            os._exit(3)

        def held_out(self, index: int) -> tuple[Record, np.ndarray]:
            raise AssertionError

    with Workers(Dies(), 1, 1, 0, 0) as workers:
        workers._processes[0].join()
        with pytest.raises(RuntimeError, match=r"exit codes \[3\]"):
            workers.get(wait=False)


def test_the_store_forgets_the_oldest_and_never_mixes_tiles() -> None:
    class NoWorkers:
        def __init__(self) -> None:
            self.next = 0

        def tiles(self, batch: Batch) -> np.ndarray:
            return np.concatenate(
                [np.full((r.tile_count, 1, 1, 3), r.cells[0, 0], np.uint8) for r in batch.records]
            )

        def give_back(self, batch: Batch) -> None:
            pass

    rng = random.Random(0)
    store = Store(50, 1000, 1, torch.device("cpu"))
    for number in range(300):
        counts = [rng.randint(1, 5) for _ in range(rng.randint(1, 4))]
        records = [Record(count, np.full((count, 5), number % 250, np.uint8), ()) for count in counts]
        store.take(NoWorkers(), Batch(records, sum(counts), 0, False))  # type: ignore[arg-type]
        for kept in store._kept:
            held = store._tiles[kept.start : kept.start + kept.record.tile_count, 0, 0, 0]
            assert (held == int(kept.record.cells[0, 0])).all()
    assert len(store) > 5
