"""What all tests share: those that drive a browser or a terminal get a second chance."""

from __future__ import annotations

import pytest

OTHERS_CLOCKS = ("tests/browser/", "tests/cli/test_chat_terminal.py", "tests/test_tutorial.py")
"""Chromium, tmux and whole servers run by their own clocks; on two busy cores they are late once in some
hundred runs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(OTHERS_CLOCKS):
            item.add_marker(pytest.mark.flaky(reruns=2))
