"""What is taken of a repository, whatever else lies in it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.downloads import RemoteFile, Repository, Source, needed_files
from launcher.errors import CheckpointError

ENOUGH = ("config.json", "tokenizer.model", "model.safetensors")
PLAIN = st.text("abc./\\_-~", min_size=1, max_size=12)
HOSTILE = st.builds(
    "{}{}{}".format,
    st.sampled_from(("", "../", "/", "a/", "..\\", "~/")),
    PLAIN,
    st.sampled_from((*ENOUGH, ".py", "")),
)


def repository(names: Iterable[str]) -> Repository:
    files = tuple(RemoteFile(name, 1, f"http://hub/{name}") for name in names)
    return Repository(Source("hf", "org/model", "launcher pull model"), "main", files)


def taken(*names: str) -> list[str]:
    return [file.name for file in needed_files(repository(names))]


@given(st.sets(HOSTILE))
def test_no_code_no_name_that_leads_elsewhere_and_config_last(names: set[str]) -> None:
    found = taken(*names - set(ENOUGH), *ENOUGH)
    assert set(ENOUGH) <= set(found)
    assert found[-1] == "config.json"
    assert not [
        name
        for name in found
        if "/" in name or "\\" in name or not name.endswith((".json", ".model", ".safetensors"))
    ]


@pytest.mark.parametrize(
    ("there", "weights"),
    [
        (["model.safetensors", "consolidated.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
        (["weights.safetensors", "pytorch_model.bin"], ["weights.safetensors"]),
        (
            [
                "pytorch_model-00002-of-00002.bin",
                "pytorch_model-00001-of-00002.bin",
                "pytorch_model.bin.index.json",
                "optimizer.bin",
            ],
            [
                "pytorch_model.bin.index.json",
                "pytorch_model-00001-of-00002.bin",
                "pytorch_model-00002-of-00002.bin",
            ],
        ),
    ],
)
def test_one_set_of_weights_with_its_index(there: list[str], weights: list[str]) -> None:
    assert taken("config.json", "tokenizer.json", *there) == ["tokenizer.json", *weights, "config.json"]


@pytest.mark.parametrize("left_out", ENOUGH)
def test_what_is_no_model_is_refused(left_out: str) -> None:
    with pytest.raises(CheckpointError, match="org/model on the hub holds no "):
        taken(*(name for name in ENOUGH if name != left_out))
