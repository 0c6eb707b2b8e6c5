"""A model in four bits beside its original, by what both say of conversations that neither was fitted to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from launcher.errors import EngineError
from launcher.models.layered import LayeredModel
from launcher.quantizing.prompts import Sample, Step

MOST_GROWTH = 1.25
"""Of the perplexity: published four-bit models of this size stay within a few hundredths of 1."""
LEAST_SAME = 0.75
"""Share of prompts whose likeliest first token is the original's: of 16 or 32 prompts some are close
calls."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a model makes of the conversations: perplexity on those about pictures and on the others, nan
    where there are none, and the likeliest first token of each answer."""

    pictures: float
    texts: float
    first_tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The original's figures and those of its form in four bits."""

    original: Figures
    four_bits: Figures

    @property
    def same_first(self) -> int:
        """How many first tokens are the same."""
        pairs = zip(self.original.first_tokens, self.four_bits.first_tokens, strict=True)
        return sum(one == other for one, other in pairs)

    @property
    def growth(self) -> float:
        """How many times the perplexity has become, at worst."""
        pairs = (
            (self.original.pictures, self.four_bits.pictures),
            (self.original.texts, self.four_bits.texts),
        )
        return max(after / before for before, after in pairs if not math.isnan(before))

    def check(self) -> None:
        """Raises EngineError where the model in four bits is not what it was; a figure that is no number is
        far off, too."""
        total = len(self.original.first_tokens)
        if self.growth <= MOST_GROWTH and self.same_first >= LEAST_SAME * total:
            return
        raise EngineError(
            "In four bits the model is not what it was: perplexity {growth:.2f} times its own, {same} of"
            " {total} first tokens the same",
            "Give it more to read (--samples), or pictures and texts such as it is used for (--images,"
            " --texts). Nothing was written.",
            growth=self.growth,
            same=self.same_first,
            total=total,
        )


def measured(model: LayeredModel, samples: Sequence[Sample], step: Step) -> Figures:
    """A model's figures, one layer in memory at a time."""
    reads = [sample.read for sample in samples]
    for number in range(model.layers):
        with model.held(model.layer_path(number)) as layer:
            reads = [model.run(layer, read) for read in reads]
        step()
    losses: dict[bool, list[float]] = {True: [], False: []}
    firsts = []
    with model.held(*model.end_paths):
        for sample, read in zip(samples, reads, strict=True):
            first = min(sample.scored_from, sample.answer_at) - 1
            logits = model.logits(read.states[0, first:])
            firsts.append(int(logits[sample.answer_at - 1 - first].argmax()))
            scored = logits[sample.scored_from - 1 - first : -1]
            targets = torch.tensor(sample.ids[sample.scored_from :])
            losses[sample.has_picture] += functional.cross_entropy(scored, targets, reduction="none").tolist()
    return Figures(_perplexity(losses[True]), _perplexity(losses[False]), tuple(firsts))


def _perplexity(losses: list[float]) -> float:
    return math.exp(min(700.0, sum(losses) / len(losses))) if losses else math.nan
