from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from launcher.ui.guard.patience import PatientProtocol
from tests.ui.scripted_page import Served


def test_no_part_of_an_answer_waits_for_an_acknowledgement(
    page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each answer would take 40 ms more: its body waits until the client has acknowledged its head."""
    at_once: list[int] = []
    begin = PatientProtocol.connection_made

    def connection_made(self: PatientProtocol, transport: asyncio.Transport) -> None:
        connection: socket.socket = transport.get_extra_info("socket")
        at_once.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        begin(self, transport)

    monkeypatch.setattr(PatientProtocol, "connection_made", connection_made)
    assert httpx.get(page.url).status_code == 200
    assert at_once
    assert all(at_once)
