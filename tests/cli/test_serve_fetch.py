"""A download that the launcher's end cuts off, and the next start's goes on with."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import eventually
from tests.cli.test_serve import END_S, address_in, fetch, printed, serving
from tests.downloads.hub import checkpoint_files, played_hub

SHARD = "model-00001-of-00002.safetensors"


def test_the_end_waits_for_no_hub_and_the_next_start_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    (tmp_path / "tiny.yaml").write_text(
        "name: tiny\ntitle: Tiny\nkind: text\nengine: transformers\nsources: ['modelscope:org/tiny']\n"
    )
    size = len(checkpoint_files()[SHARD])
    with played_hub("org/tiny") as hub:
        hub.held = SHARD
        places = {"MODELSCOPE_DOMAIN": hub.endpoint, "MODELSCOPE_CACHE": str(tmp_path / "cache")}
        with serving(tmp_path, **places) as process:
            assert fetch(address_in(printed(process)), "tiny").status_code == 204
            assert hub.half_sent.wait(60)
            (part,) = (tmp_path / "cache").rglob("*.part")
            eventually(lambda: part.stat().st_size == size // 2)
            process.terminate()
            assert process.wait(timeout=END_S) == 0  # while the hub still holds the rest back
        assert not hub.go_on.is_set()
        hub.held = ""
        with serving(tmp_path, **places) as process:
            url = address_in(printed(process))
            assert fetch(url, "tiny").status_code == 204
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as http:
                eventually(lambda: "tiny" in http.get("/v1/models").text)
        assert hub.ranges_of(SHARD) == ["", f"bytes={size // 2}-"]
