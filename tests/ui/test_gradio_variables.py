"""Gradio is ruled by ``launcher serve`` and by nothing in the environment."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

from launcher.ui.gradio_import import KEPT_VARIABLES, OUR_VARIABLES
from tests.cli.conftest import ROOT

_READ = re.compile(
    r"""(?:environ(?:\.get)?\s*[\[(]|getenv\()\s*["']([A-Z][A-Z0-9_]*)["']|["'](GRADIO_[A-Z0-9_]+)["']""",
    re.DOTALL,
)

JUDGED_HARMLESS = {
    # of Hugging Face's Spaces, where the page is not served by this launcher
    "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL", "SPACE_AUTHOR_NAME",
    "SPACE_HOST", "SPACE_ID", "SPACES_ZERO_GPU", "SYSTEM",
    # of launch(), load() and workflows, none of which the page uses
    "BROWSER", "CI", "DISPLAY", "HF_TOKEN", "KAGGLE_KERNEL_RUN_TYPE", "PYTEST_CURRENT_TEST", "SSH_CONNECTION",
    "SSH_TTY", "WAYLAND_DISPLAY", "OPENAI_API_KEY", "DISCORD_TOKEN",
    # where node is looked for, which serves pages made on the server: that is off
    "PATH",
    # set by Gradio itself
    "HF_HUB_DISABLE_TELEMETRY",
}  # fmt: skip
"""What Gradio reads beside its own variables. A new one has to be judged: does it change what we promise?"""


def read_by_gradio() -> set[str]:
    found: set[str] = set()
    for package in ("gradio", "gradio_client"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations is not None
        for file in Path(spec.submodule_search_locations[0]).rglob("*.py"):
            found |= {one or other for one, other in _READ.findall(file.read_text(encoding="utf-8"))}
    return found


def test_every_variable_that_gradio_reads_is_ours_or_judged() -> None:
    read = read_by_gradio()
    assert "GRADIO_DEBUG" in read  # the search finds something
    assert {name for name in read if not name.startswith("GRADIO_")} <= JUDGED_HARMLESS
    assert set(OUR_VARIABLES) <= read
    assert set(KEPT_VARIABLES) <= read


def test_none_of_gradios_variables_is_left() -> None:
    """In a fresh process, with every variable that Gradio reads set to what it would not understand."""
    program = (
        "import os\nfrom launcher.ui import gradio_import\n"
        "import gradio\n"
        "print({name: value for name, value in os.environ.items() if name.startswith('GRADIO_')})\n"
        "print(sorted(name for name in os.environ if name.lower().endswith('_proxy')))\n"
    )
    hostile = {name: "nonsense" for name in read_by_gradio() if name.startswith("GRADIO_")}
    proxies = {"ALL_PROXY": "socks5://127.0.0.1:1", "no_proxy": "[::1]:x,::1", "https_proxy": "nonsense://"}
    environment = {**os.environ, **hostile, **proxies, "GRADIO_TEMP_DIR": "/kept", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    variables, left = done.stdout.splitlines()
    assert eval(variables) == {**OUR_VARIABLES, "GRADIO_TEMP_DIR": "/kept"}
    assert set(proxies) <= set(eval(left))  # they are there again for what is downloaded
