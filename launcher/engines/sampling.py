"""How the next token is drawn: generation options as transformers' own logits processors, with a random
source per answer.

The repetition penalty counts the answer's own tokens, as LMDeploy's PyTorch engine and the models' makers
count them: what the prompt says, a picture's tokens and the token that ends a turn are not held against the
answer.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from launcher.messages import GenerationOptions

# Below this the best token's probability rounds to one anyway, and dividing by it overflows.
_GREEDY_BELOW = 1e-4


class Sampler:
    """Draws the tokens of one answer. The same options with a seed draw the same tokens, whatever else runs
    beside it."""

    def __init__(self, options: GenerationOptions, device: torch.device) -> None:
        self._greedy = options.temperature < _GREEDY_BELOW
        self._processors = LogitsProcessorList()
        if options.repetition_penalty != 1.0:
            self._processors.append(
                RepetitionPenaltyLogitsProcessor(penalty=float(options.repetition_penalty))
            )
        if not self._greedy:
            self._processors += _warpers(options)
        self._random = torch.Generator(device)
        if options.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(options.seed)

    def choose(self, answer_ids: Tensor, logits: Tensor) -> int:
        """The next token, from the answer's tokens so far, int64 (1, n), and the logits of the next, (1,
        vocabulary)."""
        scores: Tensor = self._processors(answer_ids, logits.float())
        if self._greedy:
            return int(scores.argmax(dim=-1))
        return int(torch.multinomial(scores.softmax(dim=-1), 1, generator=self._random))


def _warpers(options: GenerationOptions) -> LogitsProcessorList:
    warpers = LogitsProcessorList([TemperatureLogitsWarper(float(options.temperature))])
    if options.top_k > 0:
        warpers.append(TopKLogitsWarper(options.top_k))
    if options.top_p < 1.0:
        warpers.append(TopPLogitsWarper(options.top_p))
    return warpers
