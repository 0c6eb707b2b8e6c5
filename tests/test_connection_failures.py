from __future__ import annotations

import httpx
import pytest

from launcher.connection_failures import CUT_OFF, FAILED, KINDS, WITH_DETAIL, what_happened
from launcher.downloads.hub_failures import THROUGH
from launcher.downloads.hubs import WRONGLY_WRITTEN
from launcher.errors import CheckpointError
from launcher.ui.chinese import ZH
from launcher.ui.texts import say_error


@pytest.mark.parametrize(
    ("error", "english", "chinese"),
    [
        (
            httpx.RemoteProtocolError("peer closed"),
            "the connection was cut off (peer closed)",
            "连接中断（peer closed）",
        ),
        (httpx.ReadError(""), "the connection was cut off (ReadError)", "连接中断（ReadError）"),
        (httpx.ConnectTimeout("slow"), "no connection was made in time (slow)", "连接超时（slow）"),
        (httpx.ReadTimeout("slow"), "nothing came for too long (slow)", "太久没有收到数据（slow）"),
        (httpx.ConnectError("no\n way"), "no connection can be made (no way)", "无法建立连接（no way）"),
        (
            httpx.ProxyError("503\x1b[2J gone"),
            "the proxy does not pass the request on (503 [2J gone)",
            "代理没有转发请求（503 [2J gone）",
        ),
        (ValueError("odd"), "the connection failed (odd)", "连接失败（odd）"),
    ],
)
def test_it_is_said_in_the_reader_s_language(error: Exception, english: str, chinese: str) -> None:
    told = CheckpointError("{file} is broken or cut short: {reason}", file="a", reason=what_happened(error))
    assert told.message == f"a is broken or cut short: {english}"
    assert say_error(told, "zh")[0].endswith(chinese)


def test_all_its_words_are_known_in_chinese() -> None:
    own = {CUT_OFF, FAILED, WITH_DETAIL, *(words for _, words in KINDS)}
    assert {*own, THROUGH, WRONGLY_WRITTEN} <= ZH.keys()
