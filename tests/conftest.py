"""What all tests share: which are fast, which may run side by side, and folders that are not the user's.

``make test`` runs as many processes of pytest as there are cores, up to four. Each test goes to whichever is
free, except that those which share a costly fixture (a page, a browser, a loaded engine) stay together. So a
test may assume nothing of other tests: it asks for a free port, writes under ``tmp_path``, and waits for
events. How long it may take is bounded once, by pytest's ``timeout``, far beyond what a busy machine needs.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from launcher.engines.yapf_import import import_yapf
from tests.fast import is_fast, refuse_what_is_slow
from tests.scripted_engine import register

register()

# Tests import LMDeploy as they please, side by side.
if find_spec("yapf"):
    import_yapf()

# Tests run side by side, and PyTorch's threads spin while they wait: on two busy cores, tiny-chat's
# 323 known answers took 33 s with one thread and 472 s with two.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Tests start some thousand Pythons, each of which would compile the launcher anew where this is set: 0.3 s of
# the 0.8 s that a command takes which refuses at once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The background job of a shell is deaf to Ctrl-C and Ctrl-\, and so would be the programs that tests start
# and stop.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# A busy machine is no failure.
settings.register_profile("launcher", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("launcher")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast", action="store_true", help="only tests without models, processes and a page (tests/fast.py)"
    )
    parser.addoption(
        "--mutations",
        type=int,
        default=200,
        help="damaged pictures of each format (tests/mutated_pictures.py)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    hands_out_tests = session.config.getoption("dist") != "no"  # to other processes, which it starts
    if session.config.getoption("fast") and not hands_out_tests:
        refuse_what_is_slow()
    # All that is imported and collected stays: looking for garbage among it took a third of the collection's
    # time, and would go on in the tests.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.getoption("fast") or (collection_path.is_file() and collection_path.suffix != ".py"):
        return None
    files = collection_path.rglob("test_*.py") if collection_path.is_dir() else [collection_path]
    return None if any(map(is_fast, files)) else True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # a file of many tests is not a long one: browsers come first
    return ByCostlyFixture(config, log)


class ByCostlyFixture(LoadScopeScheduling):
    """Each test by itself, but those of a file that shares a fixture together. (xdist's own ``loadgroup``
    does nothing with pytest 9.2: https://github.com/pytest-dev/pytest-xdist/issues/1386.)"""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if shares_a_fixture(self.config.rootpath / file) else nodeid


@cache
def shares_a_fixture(file: Path) -> bool:
    """Whether a fixture of the file, or of the conftest.py beside it, is made once for all of its tests."""
    fixtures = [path for path in (file, file.with_name("conftest.py")) if path.is_file()]
    return any('scope="module"' in path.read_text(encoding="utf-8") for path in fixtures)


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Logs, converted tokenizers, uploads and presets of the tests, and of the programs that they start, lie
    with the tests' files; no preset of the user's is read."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "GRADIO_TEMP_DIR"):
            patch.setenv(variable, str(tmp_path_factory.mktemp(variable.lower())))
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without models: none of the machine's own folders and caches are looked at."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("LAUNCHER_MODELS", raising=False)
    monkeypatch.delenv("MODELSCOPE_CACHE", raising=False)
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_CACHE", str(folder / ".cache" / "huggingface" / "hub")
    )
    return folder
