from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from string import Formatter

import pytest

from launcher.devices import Devices
from launcher.errors import EngineError, LauncherError, PictureError
from launcher.memory.refusal import _OTHER_WAYS
from launcher.presets import BilingualText, Preset
from launcher.readiness import SLOW, assess, installed_engines
from launcher.ui import errors_at_page
from launcher.ui.chinese import ZH
from launcher.ui.fetch_advice import ADVICE
from launcher.ui.texts import COMPONENTS, language_of, placeholders, say, say_error, translations
from launcher.workers.states import DeviceUse, ModelState, ModelStatus, Share
from tests.ui.error_templates import sentences

PUT_TOGETHER = {"models/weights.py"}
"""Where a sentence is put together from parts, each of which is looked up by hand below."""


def test_every_error_of_the_page_is_known_in_chinese() -> None:
    unknown = [(place, sentence) for place, sentence in sentences() if sentence and sentence not in ZH]
    assert not unknown, "add the Chinese of these to launcher/ui/chinese_errors.py"


def test_the_page_knows_what_to_do_after_every_error_of_a_download() -> None:
    of_downloads = {sentence for place, sentence in sentences() if place.startswith("downloads/")}
    assert of_downloads == ADVICE.keys()
    for sentence, advice in ADVICE.items():
        assert advice in ZH
        assert placeholders(advice) <= placeholders(sentence) | {"button", "hf"}


def test_the_page_advises_what_keeps_a_conversation_that_is_full() -> None:
    clearing = {sentence for _, sentence in sentences() if "lear the conversation" in sentence}
    assert clearing == errors_at_page.ADVICE.keys()
    for hint, advice in errors_at_page.ADVICE.items():
        assert advice in ZH
        assert placeholders(advice) <= placeholders(hint)


def test_sentences_are_not_put_together() -> None:
    places = {place.rpartition(":")[0] for place, sentence in sentences() if not sentence}
    assert places <= PUT_TOGETHER


@pytest.mark.parametrize(
    "english",
    ["{folder} lacks {count} tensors that its config.json asks for: {names}", SLOW, *_OTHER_WAYS.values()],
)
def test_sentences_that_are_no_literals_of_an_error(english: str) -> None:
    assert english in ZH


def test_the_chinese_has_the_same_placeholders() -> None:
    assert not [one for one, chinese in ZH.items() if placeholders(chinese) != placeholders(one)]


def test_the_chinese_fills_in_what_the_english_can() -> None:
    """Values that came from a worker were tried with the English sentence alone."""

    def forms(template: str) -> set[tuple[str | None, str | None, str | None]]:
        return {field[1:] for field in Formatter().parse(template) if field[1] is not None}

    assert not [english for english, chinese in ZH.items() if not forms(chinese) <= forms(english)]


@pytest.mark.parametrize("english", COMPONENTS.values())
def test_every_component_is_known_in_chinese(english: str) -> None:
    assert english in ZH


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("*", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh", "zh"),
        ("ZH-hant-TW", "zh"),
        ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ("de,zh;q=0.5", "en"),
        ("zho", "en"),
    ],
)
def test_language_of(header: str | None, language: str) -> None:
    assert language_of(header) == language


def test_values_that_are_words_are_translated() -> None:
    assert say("Loading: {stage}", "zh", {"stage": "weights"}) == "加载中：读取权重"
    assert say("Loading: {stage}", "en", {"stage": "weights"}) == "Loading: weights"


def test_why_the_system_refuses_is_told_in_chinese(tmp_path: Path) -> None:
    template = "{file} cannot be read: {reason}"
    with pytest.raises(IsADirectoryError) as folder:
        tmp_path.open()
    values = {"file": "config.json", "reason": folder.value}
    assert say(template, "zh", values) == f"无法读取 config.json：这是一个文件夹：{tmp_path}"
    assert say(template, "en", values) == f"config.json cannot be read: {folder.value}"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert say("{reason}", "zh", {"reason": full.strerror}) == "磁盘空间已满"
    assert say("{reason}", "zh", {"reason": full}) == "磁盘空间已满"
    assert say("{reason}", "zh", {"reason": OSError("unheard of")}) == "unheard of"


def test_a_sentence_without_values_keeps_its_braces() -> None:
    assert say("not {a} template", "en") == "not {a} template"


def test_an_error_in_both_languages() -> None:
    hint = "Upload a picture file: {formats}."
    error = PictureError("{name} is empty", hint, name="a.png", formats="PNG / JPEG")
    assert say_error(error, "en") == (error.message, error.hint)
    assert say_error(error, "zh") == ("a.png 是空文件", "请上传图片文件：PNG / JPEG。")
    assert say_error(EngineError("Unknown here: {x}", x=1), "zh") == ("Unknown here: 1", "")


def test_what_is_wrong_at_each_place_is_told_in_the_reader_s_language(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    sources = (f"{tmp_path}/empty", "${LAUNCHER_MODELS}/a", "builtin:none", "awq:none")
    preset = Preset(name="a", title=BilingualText(en="A", zh="A"), kind="text", sources=sources)
    reason = assess(preset, Devices((), 0, 0), installed_engines()).reason
    assert reason is not None
    message, hint = say_error(reason, "zh")
    assert message == (
        f"a 不在这台机器上。找过这些地方：{tmp_path}/empty（其中没有 config.json）、${{LAUNCHER_MODELS}}/a、"
        "builtin:none（不是内置模型；内置的有：shapes-internvl2, shapes-xcomposer2, tiny-chat）、"
        "awq:none（没有可以用来制作它的预设 none）"
    )
    assert hint == ZH[reason.hint_template]


def test_texts_for_the_browser_are_known_in_each_locale() -> None:
    tables = translations({"own": "own"}, {"own": "自己的"})
    assert (tables["en"]["own"], tables["zh-CN"]["own"]) == ("own", "自己的")
    assert set(tables) == {"en", "zh", "zh-CN", "zh-TW"}
    assert all(set(table) == set(tables["en"]) for table in tables.values())


@pytest.mark.parametrize("state", ModelState)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_status_line_for_every_state(state: ModelState, language: str) -> None:
    from launcher.ui.status_line import render

    error: LauncherError | None = None
    if state in (ModelState.FAILED, ModelState.UNAVAILABLE):
        error = EngineError("<b>{x}</b>", hint="Type: `launcher serve`", x="<i>")
    line = render(ModelStatus("m", state, "weights", 0.4, 7.9, error), language)  # type: ignore[arg-type]
    assert re.search(f'class="status {state.value}[ "]', line)
    assert "<b>" not in line
    assert "<i>" not in line
    assert ("<code>launcher serve</code>" in line) == (error is not None)
    if state is ModelState.LOADING:
        assert "7" in line
        assert "40" in line


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "GPU 1: 3.0 of 8.0 GiB (a 2.0, &lt;b&gt; 1.0)"),
        ("zh", "GPU 1：已用 3.0 / 8.0 GiB (a 2.0, &lt;b&gt; 1.0)"),
    ],
)
def test_a_status_line_tells_what_the_gpu_holds(language: str, line: str) -> None:
    from launcher.ui.status_line import render

    gib = 1 << 30
    use = DeviceUse("GPU-b", {"a": Share(2 * gib), "<b>": Share(gib)}, 8 * gib, "1")
    assert line in render(ModelStatus("a", ModelState.READY), language, [use])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "line"),
    [("en", "Waiting for the answers of a, b, {} s"), ("zh", "等待 a, b 回答完毕，{} 秒")],
)
def test_a_status_line_tells_whom_a_model_waits_for(language: str, line: str) -> None:
    from launcher.ui.status_line import render

    status = ModelStatus("c", ModelState.WAITING, since_s=7.9, waits_for=("a", "b"))
    assert line.format('<span class="seconds">7</span>') in render(status, language)  # type: ignore[arg-type]
