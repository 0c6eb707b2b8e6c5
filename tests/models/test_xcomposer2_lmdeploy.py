"""The plug-in for LMDeploy's PyTorch engine: on the CPU against the plain reference, and the names of
LMDeploy that it needs."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # LMDeploy's imports use what torch deprecates
    pytest.importorskip("lmdeploy", reason="the plug-in needs LMDeploy (pip install launcher[lmdeploy])")
    from lmdeploy.pytorch.models.utils.cudagraph import CudaGraphMixin, PiecewiseCudaGraphMixin
    from lmdeploy.pytorch.multimodal.data_type import MultiModalData

    from launcher.models import xcomposer2_lmdeploy as plug_in
    from launcher.models.xcomposer2_lmdeploy.pictures import XComposer2InputProcessor
    from tests.models.lmdeploy_on_cpu import Answer, CpuEngine, ScheduledCpuEngine

from launcher import models
from launcher.errors import CheckpointError
from launcher.models.internlm2 import split_wqkv
from launcher.models.xcomposer2 import XComposer2ForCausalLM, build_model, published_tensors
from tests.models.test_xcomposer2 import (
    CASES,
    FIRST,
    SECOND,
    SIZES,
    Part,
    ids_of,
    relative_error,
    small_config,
)
from tests.models.xcomposer2_reference import reference_logits


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    models.register()
    plug_in.register()


@pytest.fixture(scope="module")
def model() -> XComposer2ForCausalLM:
    torch.manual_seed(7)
    made = build_model(small_config()).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return made


@pytest.fixture(scope="module")
def weights(model: XComposer2ForCausalLM) -> dict[str, Tensor]:
    return published_tensors(model)


def write_checkpoint(folder: Path, weights: dict[str, Tensor], **changes: object) -> Path:
    """As published: config.json names neither the rank nor the tower, and a picture size that the tensors
    overrule."""
    config = (
        small_config().to_dict()
        | {"img_size": 490, "vit_config": {"num_attention_heads": SIZES.vision_heads}}
        | changes
    )
    del config["plora_rank"]
    (folder / "config.json").write_text(json.dumps(config))
    save_file(weights, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, weights: dict[str, Tensor]) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), weights)


@pytest.fixture(scope="module")
def engine(folder: Path) -> CpuEngine:
    return CpuEngine(folder)


def pictures_of(parts: list[Part], config: Any, before: int = 0) -> list[MultiModalData]:
    """Each picture of a conversation with its place, by the plug-in's own input processor."""
    found, place = [], before
    for part in parts:
        if isinstance(part, Tensor):
            found.append(
                {"pixel_values": part[None], "offset": place, "image_tokens": 9, "image_token_id": 0}
            )
        place += 9 if isinstance(part, Tensor) else len(part)
    result = XComposer2InputProcessor().preprocess_input(ids_of(parts, config), found)
    return (result.input_multimodals or {}).get("image", [])


def prefill(
    engine: CpuEngine, conversations: list[list[Part]], chunks: int = 1
) -> tuple[list[Any], list[Tensor]]:
    """One batch of conversations, each prefilled in so many chunks; logits of all their tokens."""
    config = engine.model_config.hf_config
    sequences = [engine.open(64) for _ in conversations]
    logits: list[list[Tensor]] = [[] for _ in conversations]
    for sequence, parts in zip(sequences, conversations, strict=True):
        engine.add(sequence, pictures_of(parts, config))
    for n in range(chunks):
        pieces = [_piece(parts, config, n, chunks) for parts in conversations]
        for row, out in zip(logits, engine.step(list(zip(sequences, pieces, strict=True))), strict=True):
            row.append(out)
    return sequences, [torch.cat(row) for row in logits]


def _piece(parts: list[Part], config: Any, n: int, chunks: int) -> list[int]:
    """The n-th chunk; LMDeploy never cuts a picture, so chunks end where parts end."""
    cut = [parts[i::1][:1] for i in range(len(parts))]
    mine = cut[n * len(cut) // chunks : (n + 1) * len(cut) // chunks]
    return [token for part in mine for token in ids_of(part, config)]


@pytest.fixture(autouse=True)
def blocks_back(request: pytest.FixtureRequest) -> None:
    if "engine" in request.fixturenames:
        engine = request.getfixturevalue("engine")
        engine._free = list(range(64))


@pytest.mark.parametrize("case", CASES)
def test_prefill_equals_the_reference(engine: CpuEngine, weights: dict[str, Tensor], case: str) -> None:
    _, (logits,) = prefill(engine, [CASES[case]])

    assert relative_error(logits, reference_logits(weights, SIZES, CASES[case])) < 1e-5


def test_a_mixed_batch_equals_the_reference_sequence_by_sequence(
    engine: CpuEngine, weights: dict[str, Tensor]
) -> None:
    conversations = [CASES["text only"], CASES["two pictures"], CASES["text only"], CASES["picture only"]]

    _, logits = prefill(engine, conversations)

    for ours, parts in zip(logits, conversations, strict=True):
        assert relative_error(ours, reference_logits(weights, SIZES, parts)) < 1e-5


def test_a_batch_decodes_greedily_to_the_references_tokens(
    engine: CpuEngine, weights: dict[str, Tensor]
) -> None:
    conversations = [CASES["mixed"], CASES["text only"], CASES["picture in the second turn"]]
    sequences, logits = prefill(engine, conversations)

    answers = [[int(out[-1].argmax())] for out in logits]
    for _ in range(5):
        out = engine.step(
            [(s, answer[-1:]) for s, answer in zip(sequences, answers, strict=True)], decoding=True
        )
        for answer, row in zip(answers, out, strict=True):
            answer.append(int(row[-1].argmax()))

    for answer, parts in zip(answers, conversations, strict=True):
        theirs = reference_logits(weights, SIZES, [*parts, answer[:-1]])[-len(answer) :]
        assert answer == theirs.argmax(dim=1).tolist()


@pytest.mark.parametrize("case", ["pictures apart", "two pictures", "mixed"])
def test_chunked_prefill_and_cached_prefixes_keep_pictures_in_place(
    engine: CpuEngine, weights: dict[str, Tensor], case: str
) -> None:
    """A later chunk, a prefix-cache hit and a later turn look the same to the model: tokens before these are
    in the cache."""
    _, (logits,) = prefill(engine, [CASES[case]], chunks=len(CASES[case]))

    assert relative_error(logits, reference_logits(weights, SIZES, CASES[case])) < 1e-5


def test_later_turns_with_pictures_join_others_in_one_batch(
    engine: CpuEngine, weights: dict[str, Tensor]
) -> None:
    first, second = [[1, 5], FIRST, [9]], [[4, 4], SECOND, [8]]
    (old,), _ = prefill(engine, [first])
    engine.add(old, pictures_of(second, engine.model_config.hf_config, before=old.done))
    new = engine.open(64)

    ids = ids_of(second, engine.model_config.hf_config)
    ours, text = engine.step([(old, ids), (new, [1, 7, 9])])

    assert relative_error(ours, reference_logits(weights, SIZES, [*first, *second])[-len(ids) :]) < 1e-5
    assert relative_error(text, reference_logits(weights, SIZES, [[1, 7, 9]])) < 1e-5


def test_text_that_holds_the_picture_tokens_id_is_text(engine: CpuEngine, weights: dict[str, Tensor]) -> None:
    parts: list[Part] = [[1, 0, 0], FIRST, [0, 5]]

    _, (logits,) = prefill(engine, [parts])

    assert relative_error(logits, reference_logits(weights, SIZES, parts)) < 1e-5


def test_partial_lora_can_be_switched_off_and_that_shows(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    engine = CpuEngine(write_checkpoint(tmp_path, weights, plora_scale=0.0))

    _, (logits,) = prefill(engine, [CASES["mixed"]])

    assert relative_error(logits, reference_logits(weights, SIZES, CASES["mixed"], plora=False)) < 1e-5
    assert relative_error(logits, reference_logits(weights, SIZES, CASES["mixed"])) > 0.01


def test_decoding_holds_no_trace_of_partial_lora(engine: CpuEngine) -> None:
    """What a CUDA graph would capture: the same operators as with no picture in the conversation."""

    def operators(parts: list[Part]) -> list[str]:
        (sequence,), _ = prefill(engine, [parts])
        with torch.profiler.profile() as profile:
            engine.step([(sequence, [5])], decoding=True)
        engine.close(sequence)
        return [event.name for event in profile.events() if event.name.startswith("aten::")]

    after_picture, after_text = operators(CASES["picture only"]), operators([[1] * 9])

    assert after_picture == after_text
    assert "aten::addmm_" not in after_picture


# --- LMDeploy's prefix cache, in blocks of four tokens ---

TEXT, END = [1, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14]
BEFORE: list[Part] = [TEXT, FIRST, END]
"""What was asked before: the picture's places are 5 to 13."""

AFTER: dict[str, tuple[list[Part], int]] = {
    "the same": (BEFORE, 16),
    "more": ([*BEFORE, [3, 4, 5]], 20),
    "another picture behind": ([*BEFORE, SECOND, [3]], 20),
    "other words behind the picture's last block": ([TEXT, FIRST, [9, 10, 40, 41, 42]], 16),
    "other words in the picture's last block": ([TEXT, FIRST, [40, 41, 42]], 4),
    "another picture in its place": ([TEXT, SECOND, END], 4),
    "text in its place": ([TEXT, [0] * 9, END], 4),
    "the same picture one place earlier": ([TEXT[:4], FIRST, END], 4),
    "another beginning": ([[2, *TEXT[1:]], FIRST, END], 0),
}
"""What is asked then, and how many of its first tokens are to be found in the cache: never part of a
picture."""


def request(parts: list[Part], engine: CpuEngine) -> tuple[list[int], list[MultiModalData]]:
    config = engine.model_config.hf_config
    return ids_of(parts, config), pictures_of(parts, config)


def assert_right(answer: Answer, parts: list[Part], weights: dict[str, Tensor]) -> None:
    """Every logit of what was computed anew, and every token of the answer."""
    truth = reference_logits(weights, SIZES, [*parts, answer.tokens[:-1]])
    prompt = len(truth) - len(answer.tokens) + 1
    logits = torch.cat(answer.logits)
    assert len(logits) == prompt - answer.cached_tokens
    assert relative_error(logits, truth[answer.cached_tokens : prompt]) < 1e-5
    assert answer.tokens == truth[prompt - 1 :].argmax(dim=1).tolist()


@pytest.mark.parametrize("max_prefill_tokens", [4096, 12], ids=["at once", "in chunks"])
@pytest.mark.parametrize("case", AFTER)
def test_what_is_in_the_prefix_cache_is_left_out_and_changes_nothing(
    folder: Path, weights: dict[str, Tensor], case: str, max_prefill_tokens: int
) -> None:
    engine = ScheduledCpuEngine(folder, max_prefill_tokens)
    parts, cached_tokens = AFTER[case]
    (before,) = engine.ask(request(BEFORE, engine), new_tokens=4)

    (after,) = engine.ask(request(parts, engine), new_tokens=4)

    assert (before.cached_tokens, after.cached_tokens) == (0, cached_tokens)
    assert_right(before, BEFORE, weights)
    assert_right(after, parts, weights)


def test_a_batch_may_begin_at_other_places_of_the_prefix_cache(
    folder: Path, weights: dict[str, Tensor]
) -> None:
    engine = ScheduledCpuEngine(folder)
    engine.ask(request(BEFORE, engine))
    batch = [
        [*BEFORE, SECOND, [3]],
        CASES["text only"],
        [TEXT, SECOND, END],
        [*BEFORE, SECOND, [4, 4, 4]],
        CASES["two pictures"],
    ]

    answers = engine.ask(*(request(parts, engine) for parts in batch), new_tokens=3)

    assert [answer.cached_tokens for answer in answers] == [20, 0, 4, 20, 0]
    for answer, parts in zip(answers, batch, strict=True):
        assert_right(answer, parts, weights)


# --- weights ---


def test_weights_may_come_in_several_torch_files(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    write_checkpoint(tmp_path, weights)
    (tmp_path / "model.safetensors").unlink()
    shards = [f"pytorch_model-0000{n}-of-00003.bin" for n in (1, 2, 3)]
    where = {name: shards[n % 3] for n, name in enumerate(weights)}
    for shard in shards:
        torch.save(
            {name: tensor for name, tensor in weights.items() if where[name] == shard}, tmp_path / shard
        )
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))

    _, (logits,) = prefill(CpuEngine(tmp_path), [CASES["mixed"]])

    assert relative_error(logits, reference_logits(weights, SIZES, CASES["mixed"])) < 1e-5


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.1.feed_forward.w1.Plora_A.weight",
        "model.layers.0.attention.wo.weight",
        "vision_proj.2.bias",
    ],
)
def test_a_missing_tensor_is_named(tmp_path: Path, weights: dict[str, Tensor], name: str) -> None:
    write_checkpoint(tmp_path, {found: tensor for found, tensor in weights.items() if found != name})

    with pytest.raises(CheckpointError, match=name):
        CpuEngine(tmp_path)


@pytest.mark.parametrize(
    "name", ["model.layers.9.attention.wo.weight", "vit.extra.weight", "model.norm.Plora_A.weight"]
)
def test_an_unknown_tensor_is_named(tmp_path: Path, weights: dict[str, Tensor], name: str) -> None:
    write_checkpoint(tmp_path, weights | {name: torch.ones(2)})

    with pytest.raises(CheckpointError, match=name):
        CpuEngine(tmp_path)


def test_a_tensor_of_another_shape_is_named(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    write_checkpoint(tmp_path, weights | {"model.layers.0.feed_forward.w2.Plora_B.weight": torch.ones(3, 3)})

    with pytest.raises(CheckpointError, match=r"w2\.Plora_B"):
        CpuEngine(tmp_path)


def test_the_rotary_base_and_scaling_arrive(engine: CpuEngine) -> None:
    inner = engine.model.model.rotary_emb

    assert "DynamicNTK" in type(inner).__name__
    assert inner.base == 1_000_000
    assert inner.scaling_factor == 1.0


# --- LMDeploy's internals that the plug-in touches, by name ---


def test_lmdeploys_linear_layers_call_lora_adapters_with_input_and_output(engine: CpuEngine) -> None:
    """LinearBase.forward -> _forward_lora -> adapter(x, out): where PLoRA stands."""
    calls: list[tuple[Tensor, Tensor]] = []

    class Spy(torch.nn.Module):
        def forward(self, x: Tensor, out: Tensor) -> Tensor:
            calls.append((x, out))
            return out

    layer = engine.model.model.layers[0]
    for linear in (
        layer.attention.wqkv,
        layer.attention.wo,
        layer.feed_forward.gate_up_proj,
        layer.feed_forward.w2,
    ):
        linear.lora_adapters["spy"] = Spy()
        linear(torch.randn(1, 3, linear.in_features))
        del linear.lora_adapters["spy"]

    assert [(x.shape[-1], out.shape[-1]) for x, out in calls] == [(48, 80), (48, 48), (48, 160), (80, 48)], (
        "nn.linear.base.LinearBase no longer calls its lora_adapters with (input, output)"
    )


def test_only_decoding_is_captured_in_cuda_graphs() -> None:
    """A captured prefill would replay without its pictures."""
    kind = plug_in.InternLMXComposer2ForCausalLM
    assert not issubclass(kind, PiecewiseCudaGraphMixin), (
        "LMDeploy's InternLM2 now captures prefill: PLoRA would be lost in it"
    )
    assert kind.support_cuda_graph is CudaGraphMixin.support_cuda_graph


def test_queries_keys_and_values_lie_one_after_the_other_in_lmdeploys_wqkv(
    engine: CpuEngine, weights: dict[str, Tensor]
) -> None:
    """PLoRA's B is put in the order that QKVBaseLinear gives the published rows."""
    wqkv = engine.model.model.layers[0].attention.wqkv
    published = weights["model.layers.0.attention.wqkv.weight"]

    assert torch.equal(torch.cat(wqkv.weight_spliter(published, layout="hgd")), wqkv.weight)
    assert torch.equal(torch.cat(split_wqkv(published, SIZES.heads, SIZES.kv_heads)), wqkv.weight)
