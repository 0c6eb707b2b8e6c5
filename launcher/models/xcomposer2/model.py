"""The whole model, on transformers' Llama."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import Cache, GenerationMixin, LlamaConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.llama.modeling_llama import LlamaModel

from launcher.errors import RequestError
from launcher.models.partial_lora import picture_rows_of
from launcher.models.xcomposer2.configuration import XComposer2Config
from launcher.models.xcomposer2.layers import XComposer2DecoderLayer
from launcher.models.xcomposer2.tower import XComposer2Vision, build_projector


class XComposer2LanguageModel(LlamaModel):
    """Llama's forward (rotary embedding, masks, cache) over layers of ours."""

    config: XComposer2Config
    _can_record_outputs = {"hidden_states": XComposer2DecoderLayer}  # noqa: RUF012 - transformers' own spelling

    def __init__(self, config: XComposer2Config) -> None:
        # LlamaModel builds a table and layers of its own: have it build none worth mention, and put ours in
        # their place
        nothing = {
            "num_hidden_layers": 0,
            "vocab_size": 1,
            "pad_token_id": None,
            "bos_token_id": None,
            "eos_token_id": None,
        }
        super().__init__(LlamaConfig(**(config.to_dict() | nothing)))
        self.config = config
        self.layers = nn.ModuleList(
            XComposer2DecoderLayer(config, i) for i in range(config.num_hidden_layers)
        )
        del self.embed_tokens
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)

    def get_input_embeddings(self) -> nn.Module:
        """The token table, [vocabulary, hidden]."""
        return self.tok_embeddings


class XComposer2ForCausalLM(PreTrainedModel, GenerationMixin):
    """The whole model; works with transformers' ``generate``."""

    config_class = XComposer2Config
    config: XComposer2Config
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["XComposer2DecoderLayer"]  # noqa: RUF012 - transformers' own spelling
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True

    def __init__(self, config: XComposer2Config) -> None:
        super().__init__(config)
        self.model = XComposer2LanguageModel(config)
        self.vit = XComposer2Vision(config.clip_config())
        self.vision_proj = build_projector(config)
        self.output = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The token table, [vocabulary, hidden]."""
        return self.model.tok_embeddings

    def get_output_embeddings(self) -> nn.Module:
        """The head, [vocabulary, hidden]."""
        return self.output

    def picture_embeddings(self, pixel_values: Tensor) -> Tensor:
        """[n, 3, s, s] -> [n * tokens, hidden]: what stands in the pictures' places."""
        projected: Tensor = self.vision_proj(self.vit(pixel_values.to(self.dtype)))
        return projected.flatten(0, 1)

    def _embed(self, input_ids: Tensor, pictures: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Token and picture embeddings [b, s, hidden], and the picture rows of the flattened batch."""
        embeddings: Tensor = self.model.tok_embeddings(input_ids)
        if pictures is None:
            return embeddings, None
        rows = picture_rows_of(input_ids == self.config.image_token_id)
        places = 0 if rows is None else len(rows)
        if rows is None or places != len(pictures):
            raise RequestError(
                "the prompt has {places} picture tokens but its pictures need {needed}",
                places=places,
                needed=len(pictures),
            )
        return embeddings.flatten(0, 1).index_copy(0, rows, pictures.to(embeddings.dtype)).view_as(
            embeddings
        ), rows

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        *,
        picture_embeddings: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """One forward pass.

        Args:
            input_ids: [b, s]; ``config.image_token_id`` at the places of the pictures,
                ``config.picture_tokens`` for each.
            pixel_values: [n_pictures, 3, img_size, img_size] in reading order over the batch; None: the ids
                are all text, or there are ``picture_embeddings``.
            picture_embeddings: what ``self.picture_embeddings`` has made of all pictures, where that was done
                before.
            attention_mask: [b, past + s], 1 where a token counts.
            position_ids: [b, s]; None counts up.
            past_key_values: the cache of the tokens before ``input_ids``.
            labels: [b, s], -100 where none is asked.
            use_cache: whether the answer carries a cache.
            logits_to_keep: as in transformers: how many last positions, 0 for all, or which.

        Returns:
            logits [b, s or kept, vocabulary], and loss and cache where asked.

        Raises:
            RequestError: picture places and pictures do not agree.
        """
        if pixel_values is not None and len(pixel_values):
            picture_embeddings = self.picture_embeddings(pixel_values)
        embeddings, rows = self._embed(input_ids, picture_embeddings)
        outputs = self.model(
            inputs_embeds=embeddings,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            use_cache=use_cache,
            picture_rows=rows,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.output(outputs.last_hidden_state[:, kept])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
        )

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        is_first_iteration: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Hands the pictures to the first pass only: later tokens are text, and the pictures are in the
        cache."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, **kwargs
        )
        inputs["pixel_values"] = (
            pixel_values if is_first_iteration or not kwargs.get("use_cache", True) else None
        )
        return inputs


def build_model(config: XComposer2Config) -> XComposer2ForCausalLM:
    """A model with random weights, on the current default device and dtype."""
    return XComposer2ForCausalLM(config)
