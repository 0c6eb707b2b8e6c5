"""What sleeping and waking count on in the installed LMDeploy. Runs without a GPU.

TurboMind's own module needs one, so its source is read instead of imported.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.models.tiny import write_internlm2

if find_spec("lmdeploy") is None:
    pytest.skip("LMDeploy is not installed", allow_module_level=True)

import lmdeploy
from lmdeploy.turbomind.checkpoint import Checkpoint, create_checkpoint

from launcher.engines.lmdeploy_sleep import checkpoint_of

ROOT = Path(lmdeploy.__file__).parent

METHODS = {
    "lmdeploy.serve.core.async_engine:AsyncEngine": ["sleep", "wakeup"],
    "lmdeploy.serve.managers.session_manager:SessionManager": ["build_request_handle_pool"],
    "lmdeploy.serve.managers.session_manager:RequestHandlePool": ["clear"],
    "lmdeploy.pytorch.engine.engine:Engine": ["sleep", "wakeup"],
    "lmdeploy.pytorch.paging.block_trie.trie:BlockTrie": ["evict"],
}


def parsed(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def methods_of(path: str, name: str) -> dict[str, ast.FunctionDef]:
    (found,) = (node for node in parsed(path).body if isinstance(node, ast.ClassDef) and node.name == name)
    return {node.name: node for node in found.body if isinstance(node, ast.FunctionDef)}


def called(function: ast.FunctionDef) -> list[str]:
    """The names of all that a function calls, in the order of the source."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    return [
        call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for call in calls
    ]


def assigned(function: ast.FunctionDef) -> set[str]:
    return {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


@pytest.mark.parametrize("path", METHODS)
def test_every_method_we_call_exists(path: str) -> None:
    module, _, name = path.partition(":")
    for method in METHODS[path]:
        assert callable(getattr(getattr(importlib.import_module(module), name), method))


def test_turbomind_is_built_in_the_steps_that_waking_repeats() -> None:
    init = methods_of("turbomind/turbomind.py", "TurboMind")["__init__"]
    steps = [
        name for name in called(init) if name in ("_from_hf", "export", "_process_weights", "_create_engine")
    ]
    assert steps == ["_from_hf", "export", "_process_weights", "_create_engine"]
    assert {"model_comm", "source_model", "devices"} <= assigned(init)


def test_turbomind_reads_a_model_with_the_arguments_that_we_pass() -> None:
    from_hf = methods_of("turbomind/turbomind.py", "TurboMind")["_from_hf"]
    assert [argument.arg for argument in from_hf.args.args] == [
        "self",
        "model_path",
        "engine_config",
        "trust_remote_code",
    ]
    assert "engine_config" in assigned(from_hf)


def test_an_instance_lets_go_of_the_engine_with_its_pool() -> None:
    """What an instance keeps of C++ goes with it; the pool has no other owner of it."""
    clear = methods_of("serve/managers/session_manager.py", "RequestHandlePool")["clear"]
    assert {"handles", "pool"} <= assigned(clear)


@pytest.mark.parametrize(
    ("path", "name"), [("turbomind/text_model.py", "TextModel"), ("turbomind/vision_model.py", "VisionModel")]
)
def test_source_models_keep_the_engine_under_names_that_we_know(path: str, name: str) -> None:
    kept = assigned(methods_of(path, name)["bind_runtime"])
    assert {"_ctx", "_root_handles"} <= kept
    plain = {"_attn_tp", "_mlp_tp", "_ep", "_model_tp", "_dense_tp"}  # sizes and ranks
    assert kept <= {"_ctx", "_root_handles"} | plain


def test_the_loader_opens_the_checkpoint_by_the_name_that_we_replace() -> None:
    source = parsed("turbomind/model_loader.py")
    imported = {
        alias.name for node in source.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert "create_checkpoint" in imported
    assert "create_checkpoint" in called(methods_of("turbomind/model_loader.py", "ModelLoader")["export"])


def test_a_checkpoint_tells_of_all_its_tensors(tmp_path: Path) -> None:
    folder = write_internlm2(tmp_path / "model")
    opened = create_checkpoint(str(folder))
    assert set(opened._data) == set(opened.keys())
    assert all(isinstance(tensor, torch.Tensor) for tensor in opened._data.values())


def test_the_host_copy_is_a_whole_checkpoint() -> None:
    copy = checkpoint_of({"weight": torch.zeros(2)})
    assert isinstance(copy, Checkpoint)
    assert copy.has("weight")
    assert not copy.has("bias")
    assert list(copy.keys()) == ["weight"]
    for name in ("get", "pop"):
        ours, theirs = (inspect.signature(getattr(each, name)).parameters for each in (copy, Checkpoint))
        assert [*ours] == [*theirs][1:]
    copy.close()


def test_lmdeploys_sleep_leaves_the_prefix_cache_to_us() -> None:
    """Should LMDeploy come to forget it by itself, this line of ours can go."""
    assert "block_trie" not in inspect.getsource(
        importlib.import_module("lmdeploy.pytorch.engine.engine").Engine.sleep
    )


def test_the_pytorch_engines_warm_up_asks_each_time_whether_it_is_to_be() -> None:
    """``PytorchSleeper`` switches it off for a waking."""
    warm_up = methods_of("pytorch/engine/model_agent/agent.py", "BaseModelAgent")["warmup"]
    first = next(node for node in warm_up.body if isinstance(node, ast.ImportFrom))
    assert (first.module, first.names[0].name) == ("lmdeploy.pytorch.envs", "skip_warmup")
    assert importlib.import_module("lmdeploy.pytorch.envs").skip_warmup is False


def test_a_graph_that_no_warm_up_has_captured_is_captured_when_it_is_needed() -> None:
    forward = methods_of("pytorch/backends/cuda/graph_runner/runner.py", "CUDAGraphRunner")[
        "_forward_full_graph"
    ]
    assert "_capture_full_graph" in called(forward)
