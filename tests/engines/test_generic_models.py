"""Text models that go the generic way, on tiny random checkpoints: their answers against what transformers
makes of the same folder by itself, with its own chat template, ``generate`` and ``decode``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from launcher.engines.transformers import TransformersEngine
from launcher.errors import CheckpointError, RequestError
from launcher.messages import ChatRequest, GenerationOptions, Message
from tests.engines.on_transformers import loaded
from tests.models.tiny_generic import ARCHITECTURES, write_generic

ENDS = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>"}
"""What ends an answer of one of these: written down by hand."""
TALK = (Message("system", "Be kind."), Message("user", "What colour is the star?"))
LENGTH = 24


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generic(tmp_path_factory.mktemp("generic"), request.param)


Reference = Callable[[Sequence[Message]], tuple[list[int], list[int], str]]


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    """A conversation -> its prompt's ids, the answer's, and the answer's text; transformers' alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ends = [tokenizer.convert_tokens_to_ids(name) for name in ENDS if name in tokenizer.get_vocab()]

    def answer(messages: Sequence[Message]) -> tuple[list[int], list[int], str]:
        turns = [{"role": each.role, "content": each.text} for each in messages]
        ids = tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, enable_thinking=False, return_dict=True, return_tensors="pt"
        )
        made: Any = model.generate(**ids, max_new_tokens=LENGTH, do_sample=False, eos_token_id=ends)
        prompt = ids["input_ids"][0].tolist()
        said = [one for one in made[0].tolist()[len(prompt) :] if one not in ends]
        return prompt, said, tokenizer.decode(said, skip_special_tokens=True)

    return answer


async def answer(
    engine: TransformersEngine, messages: Sequence[Message], **options: Any
) -> tuple[str, int, int]:
    """Text, and tokens of prompt and answer."""
    request = ChatRequest(tuple(messages), GenerationOptions(**{"max_new_tokens": LENGTH, **options}))
    chunks = [chunk async for chunk in engine.stream(request)]
    usage = chunks[-1].usage
    assert usage is not None
    return "".join(chunk.text for chunk in chunks), usage.prompt_tokens, usage.new_tokens


async def test_greedy_text_is_transformers_own(engine: TransformersEngine, reference: Reference) -> None:
    ids, said, text = reference(TALK)
    assert len(said) > 3
    assert await answer(engine, TALK) == (text, len(ids), len(said))


async def test_the_prompt_is_read_as_the_template_writes_it(
    engine: TransformersEngine, reference: Reference
) -> None:
    assert engine._ready is not None
    made = engine._ready.prompts.make(ChatRequest(TALK, GenerationOptions()))
    assert made.ids == reference(TALK)[0]


async def test_so_it_is_among_other_requests(engine: TransformersEngine, reference: Reference) -> None:
    talks = [
        TALK,
        (Message("user", "图中有几个形状？"),),
        (Message("user", "def main():"), Message("assistant", "return 0"), Message("user", "again")),
        (Message("user", "aaaa aaaa ababab"),),
    ]
    drawn = [answer(engine, TALK, temperature=1.0, seed=seed) for seed in (1, 2)]
    answers = await asyncio.gather(*(answer(engine, talk) for talk in talks), *drawn)
    assert [text for text, _, _ in answers[:4]] == [reference(talk)[2] for talk in talks]


async def test_so_it_is_in_a_second_turn_that_goes_on_from_what_was_read(
    engine: TransformersEngine, reference: Reference
) -> None:
    await answer(engine, TALK)
    second = (*TALK, Message("assistant", "It is red."), Message("user", "And the circle?"))
    ids, said, text = reference(second)
    assert engine._ready is not None
    assert engine._ready.conversations.recall(ids)[1] > 10
    assert await answer(engine, second) == (text, len(ids), len(said))


async def test_typed_markup_is_text(engine: TransformersEngine, folder: Path) -> None:
    """Every added token, in whatever place: what people type adds none to the prompt."""
    assert engine._ready is not None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    added = tokenizer.get_added_vocab()

    def markup(text: str) -> list[int]:
        request = ChatRequest((Message("user", text),), GenerationOptions())
        assert engine._ready is not None
        return [one for one in engine._ready.prompts.make(request).ids if one in added.values()]

    plain = markup("Hello")
    for token in added:
        assert markup(f"a{token}b {token}{token}") == plain
    assert markup("".join(added) * 2) == plain


async def test_an_answer_ends_where_its_turn_does(engine: TransformersEngine, folder: Path) -> None:
    assert engine._ready is not None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    known = {name: tokenizer.convert_tokens_to_ids(name) for name in ENDS if name in tokenizer.get_vocab()}
    assert len(known) == 2
    assert engine._ready.stop_ids == set(known.values())


async def test_a_picture_is_refused(engine: TransformersEngine, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="text only"):
        await answer(engine, (Message("user", "What is it?", (tmp_path / "a.png",)),))


async def test_a_tied_head_in_the_file_and_old_frequencies_are_no_fault(tmp_path: Path) -> None:
    folder = write_generic(tmp_path / "model", "Qwen3ForCausalLM")
    engine = await loaded(folder, "text")
    before = await answer(engine, TALK)
    await engine.close()
    file = folder / "model.safetensors"
    tensors = load_file(file)
    assert "lm_head.weight" not in tensors
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    save_file(tensors, file, {"format": "pt"})
    engine = await loaded(folder, "text")
    assert await answer(engine, TALK) == before
    await engine.close()


async def test_a_tensor_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = write_generic(tmp_path / "model", "Qwen3ForCausalLM")
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.self_attn.q_norm.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"model\.layers\.1\.self_attn\.q_norm\.weight"):
        await loaded(folder, "text")


@pytest.mark.parametrize("template", ["{% for", "{{ raise_exception('never') }}"])
async def test_a_template_that_writes_nothing_is_a_broken_checkpoint(tmp_path: Path, template: str) -> None:
    folder = write_generic(tmp_path / "model", "Qwen3ForCausalLM")
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    with pytest.raises(CheckpointError, match="chat template cannot be used"):
        await loaded(folder, "text")


async def test_what_a_template_refuses_is_told(tmp_path: Path) -> None:
    folder = write_generic(tmp_path / "model", "Qwen3ForCausalLM")
    file = folder / "chat_template.jinja"
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('No system here') }}{% endif %}"
    file.write_text(refuses + file.read_text(encoding="utf-8"), encoding="utf-8")
    engine = await loaded(folder, "text")
    with pytest.raises(RequestError, match="refuses this conversation: No system here"):
        await answer(engine, TALK)
    assert (await answer(engine, TALK[1:]))[2] > 0
    await engine.close()
