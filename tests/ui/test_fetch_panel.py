"""What a tab says of its model's download: what a hub says is shown, and never obeyed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launcher.errors import CheckpointError
from launcher.fetching.states import FetchStage, FetchStatus
from launcher.ui.fetch_panel import panel, progress, size
from launcher.ui.texts import Language

EVIL = '<img src=x onerror="alert(1)">'
STATUS = FetchStatus("tiny", ("hf", "modelscope"), "hf", "launcher pull tiny", free_bytes=3 * 10**9)
COMING = replace(
    STATUS,
    stage=FetchStage.FETCHING,
    file=EVIL,
    total_bytes=4_400_000_000,
    is_exact=True,
    done_bytes=1_100_000_000,
    bytes_per_s=11e6,
    unhashed=(EVIL,),
)
FAILED = replace(
    COMING,
    stage=FetchStage.FAILED,
    error=CheckpointError(
        "The download of {file} stopped at {had} of {size} bytes: {reason}",
        file=EVIL,
        had=1,
        size=2,
        reason=f"{{file.__class__}} `{EVIL}`",
    ),
)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("stage", FetchStage)
def test_every_stage_is_text(stage: FetchStage, language: Language) -> None:
    status = replace(FAILED, stage=stage)
    said = panel(status, language) + progress(status, language)
    assert "<img" not in said
    assert "onerror=&quot;" in said
    assert "__class__" in said or stage is not FetchStage.FAILED


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "1.1 GB of 4.4 GB · 25 % · 11.0 MB a second · about 5 min left"),
        ("zh", "1.1 GB / 4.4 GB · 25% · 每秒 11.0 MB · 约剩 5 分钟"),
    ],
)
def test_how_far_and_how_fast(language: Language, line: str) -> None:
    said = progress(COMING, language)
    assert line in said.replace("\xa0", " ")
    assert '<progress max="1000" value="250" ' in said


def test_a_size_that_nobody_knows_yet_is_no_number() -> None:
    assert "value=" not in progress(replace(STATUS, stage=FetchStage.ASKING, total_bytes=5), "en")
    assert "About" in panel(replace(STATUS, total_bytes=4 * 10**9), "en")
    assert "How large it is, Hugging Face tells" in panel(STATUS, "en")
    assert "free" not in panel(replace(STATUS, free_bytes=None), "en")


def test_sizes() -> None:
    assert [size(0), size(40_123)] == ["0\xa0kB", "40\xa0kB"]
    assert [size(999_949_999), size(10**9)] == ["999.9\xa0MB", "1.0\xa0GB"]
