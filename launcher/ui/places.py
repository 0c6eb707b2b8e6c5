"""Places of the page that the server fills through the status stream (``page/places.js``)."""

from __future__ import annotations

import html

ON_LOAD = "launcher.fill(element)"
"""A component's ``js_on_load``: what is known of the places in it by now is shown."""


def place(name: str, *, tag: str = "div", kind: str = "", role: str = "") -> str:
    """An empty one, as HTML."""
    words = {"class": kind, "role": role, "data-place": name}
    attributes = "".join(f' {key}="{html.escape(value)}"' for key, value in words.items() if value)
    return f"<{tag}{attributes}></{tag}>"
