"""One answer on the transformers engine's model, token by token. Used from the model's thread alone."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from launcher.engines.conversations import Conversations, can_be_cut
from launcher.engines.kept import Kept
from launcher.engines.sampling import Sampler
from launcher.engines.transformers_prompt import Prompt, PromptPicture, Seen
from launcher.messages import GenerationOptions
from launcher.models.loading import LoadedModel


class Generation:
    """The state of one answer: its KV cache and random source.

    Args:
        loaded: the model.
        prompt: what is asked.
        options: how the answer is drawn.
        conversations: where it may go on from what was read before.
        seen: what the tower has made of pictures; those that are new come to it.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        prompt: Prompt,
        options: GenerationOptions,
        conversations: Conversations,
        seen: Kept[Seen],
    ) -> None:
        self._loaded = loaded
        self._prompt: Prompt | None = prompt
        self._conversations = conversations
        self._seen = seen
        self._spans = [picture.span for picture in prompt.pictures]
        self._marks = list(prompt.marks)
        self._sampler = Sampler(options, loaded.model.device)
        self._answer_ids = self._ids([])
        self._cache: DynamicCache = loaded.new_cache()
        self._is_whole = False  # whether every layer has read the same

    @torch.inference_mode()
    def next_token(self) -> int:
        """Reads what the model has not read yet, and draws the next token."""
        if self._prompt is not None:
            prompt, self._prompt = self._prompt, None
            self._cache, read = self._conversations.recall(prompt.marks)
            read = self._read_ended_turns(prompt, read)
            logits = self._read_part(prompt, read, len(prompt.ids))
        else:
            logits = self._read(self._answer_ids[:, -1:], [])
        token_id = self._sampler.choose(self._answer_ids, logits)
        self._answer_ids = torch.cat([self._answer_ids, self._ids([token_id])], dim=1)
        self._marks.append(token_id)
        return token_id

    def _read_ended_turns(self, prompt: Prompt, read: int) -> int:
        """Where what is kept cannot be cut: reads the turns that have ended by themselves, and keeps a copy
        of that. A follow-up begins with them, whereas the beginning of an answer may be written otherwise
        once it is an earlier one. How far was read."""
        if can_be_cut(self._cache) or prompt.ended <= read:
            return read
        self._read_part(prompt, read, prompt.ended)
        self._conversations.keep(prompt.marks, deepcopy(self._cache))
        return prompt.ended

    def _read_part(self, prompt: Prompt, begin: int, end: int) -> Tensor:
        shown = [picture for picture in prompt.pictures if begin <= picture.span.start < end]
        return self._read(self._ids(prompt.ids[begin:end]), shown)

    def keep(self) -> None:
        """The answer is over, whichever way: a follow-up may go on from here. Where the model failed in the
        middle of a token there is nothing to go on from, and where what is kept cannot be cut the turns that
        have ended are kept already."""
        if self._is_whole and can_be_cut(self._cache):
            self._conversations.keep(self._marks, self._cache)

    def _read(self, ids: Tensor, pictures: Sequence[PromptPicture]) -> Tensor:
        """The logits of what comes next, (1, vocabulary)."""
        self._is_whole = False
        arguments = {**self._arguments(ids, pictures), **self._places(ids.shape[1])}
        output = self._loaded.model(
            **arguments, past_key_values=self._cache, use_cache=True, logits_to_keep=1
        )
        self._is_whole = True
        logits: Tensor = output.logits[:, -1]
        return logits

    def _arguments(self, ids: Tensor, pictures: Sequence[PromptPicture]) -> dict[str, Any]:
        if not pictures or self._loaded.pictures is None:
            return {"input_ids": ids}
        seen = torch.cat([self._look_at(picture).states for picture in pictures])
        return self._loaded.pictures.arguments(ids, seen)

    def _places(self, count: int) -> dict[str, Tensor]:
        """Of the tokens to be read, where the model does not count them by itself."""
        reader = self._loaded.pictures
        if reader is None or reader.positions is None:
            return {}
        places = reader.positions(self._spans, self._cache.get_seq_length(), count)
        return {"position_ids": places.to(self._loaded.model.device)}

    def _look_at(self, picture: PromptPicture) -> Seen:
        known = picture.seen or self._seen.get(picture.key)  # another may have asked about it meanwhile
        if known is not None:
            return known
        assert self._loaded.pictures is not None
        assert picture.pixels is not None, "a prompt beyond the session has no answer"
        model = self._loaded.model
        states = self._loaded.pictures.see(picture.pixels.to(model.device, model.dtype))
        seen = Seen(picture.span.grid, states)
        self._seen.put(picture.key, seen, states.nbytes)
        return seen

    def _ids(self, ids: Sequence[int]) -> Tensor:
        return torch.tensor([ids], dtype=torch.long, device=self._loaded.model.device)
