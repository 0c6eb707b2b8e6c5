"""What axe finds on a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
OF_GRADIO = {
    ("aria-required-children", ".examples"),  # a list whose items are buttons
    ("button-name", ".image-container"),  # the button around a conversation's picture
}
"""Rule, and what the selector of the element at fault holds: Gradio's own elements, which we do not write."""


def found(page: Page) -> list[str]:
    """What axe has against the page as it is, light and dark, but for what is Gradio's."""
    page.add_style_tag(content="* { transition: none !important; }")  # else colours are seen on their way
    faults = []
    for is_dark in (False, True):
        page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", is_dark)
        for rule in Axe().run(page).response["violations"]:
            faults += [
                f"{'dark' if is_dark else 'light'}: {rule['id']}: {node['html']}: {node['failureSummary']}"
                for node in rule["nodes"]
                if rule["impact"] in SERIOUS and not is_gradios(rule["id"], str(node["target"]))
            ]
    return faults


def is_gradios(rule: str, target: str) -> bool:
    return any(rule == known and selector in target for known, selector in OF_GRADIO)
