"""Each test's page begins in an empty browser, though it may be one that another test has used."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Profiles

pytestmark = pytest.mark.browser

PUT = """async () => {
    localStorage.setItem('name', 'value');
    document.cookie = 'name=value; max-age=999';
    await (await caches.open('name')).put('/address', new Response('value'));
    await new Promise((done, failed) => {
        const opening = indexedDB.open('name');
        opening.onsuccess = done;
        opening.onerror = failed;
    });
}"""
COUNT = """async () => [
    localStorage.length, document.cookie, (await caches.keys()).length, (await indexedDB.databases()).length,
]"""


def at(page: Page, port: int) -> Page:
    url = f"http://127.0.0.1:{port}/"
    page.route(url, lambda route: route.fulfill(body="<title>A page</title>", content_type="text/html"))
    page.goto(url)
    return page


def test_an_emptied_profile_holds_nothing_of_any_address(profiles: Profiles) -> None:
    used = profiles.open("en-US")
    for port in (6006, 6007):
        at(used, port).evaluate(PUT)
        assert used.evaluate(COUNT) == [1, "name=value", 1, 1]
    profiles.close(used, "en-US")
    emptied = profiles.open("en-US")
    assert emptied.context is used.context
    assert [at(emptied, port).evaluate(COUNT) for port in (6006, 6007)] == [[0, "", 0, 0]] * 2


def test_two_pages_at_once_share_no_profile(profiles: Profiles) -> None:
    first, second = profiles.open("en-US"), profiles.open("en-US")
    assert first.context is not second.context
    for page in (first, second):
        profiles.close(page, "en-US")
    assert profiles.open("zh-CN").context not in (first.context, second.context)
