"""Downloads in the background, against a server on this machine that plays a hub: one for each model whoever
asks, gone on with, refused in words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition

import pytest
from huggingface_hub import constants

from launcher.devices import Devices
from launcher.errors import RequestError
from launcher.fetching.fetches import Fetches
from launcher.fetching.states import FetchStage, FetchStatus
from launcher.presets import Preset
from launcher.readiness import Readiness, assess, installed_engines
from launcher.ui.fetch_panel import panel
from tests.downloads.hub import PlayedHub, checkpoint_files, played_hub

NO_GPU = Devices(gpus=(), ram_total_bytes=2**34, ram_free_bytes=2**33)
SHARD = "model-00001-of-00002.safetensors"
SECONDS = 60


@dataclass
class Fetching:
    """The downloads, and what is told of them."""

    hub: PlayedHub
    folder: Path
    fetches: Fetches
    arrivals: list[str]
    news: Condition = field(default_factory=Condition)

    def status(self, name: str = "tiny") -> FetchStatus:
        return next(one for one in self.fetches.statuses() if one.name == name)

    def until(self, true: Callable[[FetchStatus], bool], name: str = "tiny") -> FetchStatus:
        """Waits for news after which it is true."""
        with self.news:
            assert self.news.wait_for(lambda: true(self.status(name)), SECONDS), self.status(name)
        return self.status(name)

    def ended(self, stage: FetchStage, name: str = "tiny") -> FetchStatus:
        found = self.until(lambda status: not status.stage.is_under_way, name)
        assert found.stage is stage, found
        return found

    def said(self) -> str:
        """Both languages."""
        return panel(self.status(), "en") + panel(self.status(), "zh")


def preset(name: str, *sources: str) -> Preset:
    return Preset.model_validate(
        {
            "name": name,
            "title": {"en": name, "zh": name},
            "kind": "text",
            "engine": "transformers",
            "sources": sources,
        }
    )


@pytest.fixture
def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fetching]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("launcher.downloads.transfer.PAUSE_S", 0.0)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with played_hub("org/tiny") as hub:
        monkeypatch.setenv("MODELSCOPE_DOMAIN", hub.endpoint)
        monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
        presets = [
            preset("tiny", "modelscope:org/tiny"),
            preset("both", "hf:org/tiny", "modelscope:org/tiny"),
            preset("nowhere", str(tmp_path / "nowhere")),
        ]
        by_name = {one.name: one for one in presets}
        arrivals: list[str] = []

        def assessed(name: str) -> Readiness:
            return assess(by_name[name], NO_GPU, installed_engines())

        def arrived(name: str) -> Readiness:
            arrivals.append(name)
            return assessed(name)

        def changed() -> None:
            with found.news:
                found.news.notify_all()

        models = [assessed(name) for name in by_name]
        fetches = Fetches(models, NO_GPU, installed_engines(), arrived=arrived, changed=changed)
        found = Fetching(hub, tmp_path / "models" / "org" / "tiny", fetches, arrivals)
        yield found
        fetches.close()


def test_only_what_a_hub_has_can_be_fetched(fetching: Fetching) -> None:
    assert fetching.fetches.names == ("tiny", "both")
    assert "How large it is, ModelScope tells" in panel(fetching.status(), "en")
    with pytest.raises(RequestError, match="There is nothing to download for nowhere"):
        fetching.fetches.start("nowhere")
    with pytest.raises(RequestError, match="tiny is not on hf"):
        fetching.fetches.start("tiny", "hf")


def test_one_download_however_many_press(fetching: Fetching) -> None:
    fetching.hub.held = SHARD
    fetching.fetches.start("tiny")
    assert fetching.hub.half_sent.wait(SECONDS)
    for _ in range(5):
        fetching.fetches.start("tiny")
    coming = fetching.until(lambda status: status.file == SHARD and status.done_bytes > 150_000 // 2)
    assert coming.total_bytes == sum(map(len, needed().values()))
    fetching.hub.go_on.set()
    here = fetching.ended(FetchStage.HERE)
    fetching.fetches.start("tiny")
    assert fetching.status() == here
    assert here.readiness is not None
    assert fetching.arrivals == ["tiny"]
    assert fetching.hub.ranges_of(SHARD) == [""]
    assert panel(here, "en") == ""


def needed() -> dict[str, bytes]:
    unwanted = ("pytorch_model.bin", "README.md", ".gitattributes")
    return {
        name: content
        for name, content in checkpoint_files().items()
        if "/" not in name and not name.endswith(".py") and name not in unwanted
    }


def test_a_cancelled_one_is_gone_on_with(fetching: Fetching) -> None:
    fetching.hub.held = SHARD
    fetching.fetches.start("tiny")
    fetching.until(lambda status: status.file == SHARD and status.done_bytes > 150_000 // 2)
    fetching.fetches.cancel("tiny")
    assert fetching.ended(FetchStage.STOPPED).done_bytes > 0
    fetching.hub.held = ""
    fetching.fetches.start("tiny")  # while the first one still waits for its hub
    fetching.hub.go_on.set()
    fetching.ended(FetchStage.HERE)
    begun, gone_on = fetching.hub.ranges_of(SHARD)
    assert (begun, gone_on[:6]) == ("", "bytes=")
    assert (fetching.folder / SHARD).read_bytes() == needed()[SHARD]
    assert fetching.arrivals == ["tiny"]


def test_a_wrong_hash_is_told_and_fetched_anew(fetching: Fetching) -> None:
    fetching.hub.spoilt = {SHARD}
    fetching.fetches.start("tiny")
    fetching.ended(FetchStage.FAILED)
    assert f"What came as {SHARD} is not what the hub announced: its size or hash is wrong" in fetching.said()
    assert "Press Resume: that file is fetched anew." in fetching.said()
    assert f"收到的 {SHARD} 与下载站公布的不符" in fetching.said()
    assert "请点“继续下载”" in fetching.said()
    fetching.hub.spoilt = set()
    fetching.fetches.start("tiny")
    fetching.ended(FetchStage.HERE)


def test_a_hub_that_is_not_reached(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "http://127.0.0.1:9")
    fetching.fetches.start("tiny")
    fetching.ended(FetchStage.FAILED)
    assert "http://127.0.0.1:9 is not reached: " in fetching.said()
    assert "then press Try again." in fetching.said()
    assert "无法连接 http://127.0.0.1:9：无法建立连接（" in fetching.said()
    assert "然后点“重试”" in fetching.said()


def test_the_other_hub_is_asked_when_that_is_pressed(fetching: Fetching) -> None:
    fetching.fetches.start("both")
    failed = fetching.ended(FetchStage.FAILED, "both")
    assert "HF_HUB_OFFLINE is set" in panel(failed, "en")
    assert 'data-hub="modelscope">Download from ModelScope</button>' in panel(failed, "en")
    fetching.fetches.start("both", "modelscope")
    assert fetching.ended(FetchStage.HERE, "both").hub == "modelscope"


def test_what_cannot_run_here_is_refused_before_its_weights(fetching: Fetching) -> None:
    config = {"architectures": ["<b>Nobody</b>ForCausalLM"], "model_type": "nobody"}
    fetching.hub.models["org/tiny"]["config.json"] = json.dumps(config).encode()
    fetching.fetches.start("tiny")
    fetching.ended(FetchStage.FAILED)
    assert [name for name, _ in fetching.hub.fetched] == ["config.json"]
    assert "&lt;b&gt;Nobody&lt;/b&gt;ForCausalLM" in fetching.said()
    assert "<b>" not in fetching.said()


def test_what_the_terminal_has_fetched_meanwhile_is_taken(fetching: Fetching) -> None:
    fetching.folder.mkdir(parents=True)
    for name, content in needed().items():
        (fetching.folder / name).write_bytes(content)
    fetching.fetches.start("tiny")
    fetching.ended(FetchStage.HERE)
    assert fetching.hub.asked == []
