"""InternLM3 on the transformers engine and in LMDeploy's PyTorch engine: a tiny random checkpoint in the
published layout against transformers' own Llama, with SentencePiece's own ids."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from launcher import models
from launcher.engines.transformers import TransformersEngine
from launcher.errors import CheckpointError
from launcher.messages import ChatRequest, GenerationOptions, Message
from tests.engines.on_transformers import loaded
from tests.models.cpu_comparisons import assert_same_logits, in_32_bits
from tests.models.tiny import CHAT, piece_count, tokenizer_model, write_internlm3

LENGTH = 20
TALK = (Message("system", "Be kind."), Message("user", "What colour is the star?"))
SECOND = (*TALK, Message("assistant", "It is red."), Message("user", "图中有几个形状？"))
END, START = piece_count() - 2, piece_count() - 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_internlm3(tmp_path_factory.mktemp("internlm3"))


def plain_llama(folder: Path) -> LlamaForCausalLM:
    """transformers' own class, with its own config of the same numbers."""
    fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    own = {key: value for key, value in fields.items() if key not in ("model_type", "auto_map", "bias")}
    model = LlamaForCausalLM(LlamaConfig(**own, attention_bias=fields["bias"], mlp_bias=fields["bias"]))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.float().eval()


def prompt_ids(talk: Sequence[Message]) -> list[int]:
    """As the makers' tokenizer does it: turns' tokens by their ids, SentencePiece for what lies between."""
    assert CHAT[-2:] == ("<|im_end|>", "<|im_start|>")
    pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer_model())
    ids = [1]
    for each in talk:
        ids += [START, *pieces.encode(f"{each.role}\n{each.text}"), END, *pieces.encode("\n")]
    return [*ids, START, *pieces.encode("assistant\n")]


def expected(folder: Path, talk: Sequence[Message]) -> tuple[str, int]:
    """The text of a greedy answer, and tokens of its prompt."""
    ids = prompt_ids(talk)
    asked = torch.tensor([ids])
    made: Any = plain_llama(folder).generate(
        asked, max_new_tokens=LENGTH, do_sample=False, eos_token_id=[2, END]
    )
    said = [one for one in made[0, len(ids) :].tolist() if one not in (2, END)]
    assert len(said) > 3
    pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer_model())
    return pieces.decode([one for one in said if one < piece_count() - len(CHAT) and one > 2]), len(ids)


async def answer(engine: TransformersEngine, talk: Sequence[Message]) -> tuple[str, int]:
    request = ChatRequest(tuple(talk), GenerationOptions(max_new_tokens=LENGTH))
    chunks = [chunk async for chunk in engine.stream(request)]
    usage = chunks[-1].usage
    assert usage is not None
    return "".join(chunk.text for chunk in chunks), usage.prompt_tokens


async def test_greedy_text_is_plain_llama_s_alone_together_and_in_a_second_turn(folder: Path) -> None:
    engine = await loaded(folder, "text")
    talks = (TALK, (Message("user", "def main():"),), SECOND)
    wanted = [expected(folder, talk) for talk in talks]
    assert await answer(engine, TALK) == wanted[0]
    assert await asyncio.gather(*(answer(engine, talk) for talk in talks)) == wanted
    await engine.close()


async def test_biases_of_some_layers_alone_are_no_llama_s(tmp_path: Path) -> None:
    folder = write_internlm3(tmp_path / "model")
    file = folder / "config.json"
    fields = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**fields, "qkv_bias": True}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="qkv_bias is true and bias false"):
        await loaded(folder, "text")


@pytest.mark.skipif(find_spec("lmdeploy") is None, reason="LMDeploy is not installed")
@pytest.mark.parametrize("biases", [False, True])
def test_lmdeploy_s_model_has_plain_llama_s_logits(tmp_path: Path, biases: bool) -> None:
    from tests.models.lmdeploy_on_cpu import CpuEngine

    models.register()
    folder = in_32_bits(write_internlm3(tmp_path / "model", qkv_bias=biases, bias=biases))
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor.float() for name, tensor in tensors.items()}, folder / "model.safetensors")
    assert_same_logits(CpuEngine(folder), plain_llama(folder))
