"""The program that measures both picture models in four bits on a card can begin: what it plans, as the
presets are shipped, fits 8 GiB."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.gpu import four_bits


@pytest.mark.parametrize(("free_gib", "code"), [("8", 0), ("7.5", 1)])
def test_it_says_without_a_gpu_whether_both_fit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    free_gib: str,
    code: int,
) -> None:
    monkeypatch.setenv("LAUNCHER_MODELS", "")  # it sets it; put back afterwards
    monkeypatch.setattr(
        sys, "argv", ["four_bits", "--dry", "--models", str(tmp_path), "--free-gib", free_gib]
    )
    assert four_bits.main() == code
    said = capsys.readouterr().out
    assert "internvl2-2b-awq on turbomind: 3.9" in said
    assert "internlm-xcomposer2-vl-1_8b-awq on pytorch: 3." in said
    assert ("\nawake together: " in said) == (code == 0)
