"""What a model runs on, in a line. Pure."""

from __future__ import annotations

import html

from launcher.readiness import Readiness
from launcher.ui.texts import Language, say


def facts_html(model: Readiness, language: Language) -> str:
    """Its preset's name, engine and device, and what is to be known of that."""
    parts = [
        model.preset.name,
        say("{engine} on {device}", language, {"engine": model.engine, "device": model.place}),
    ]
    parts += [say(model.note, language)] if model.note else []
    return f'<p class="facts">{html.escape(" · ".join(parts))}</p>'
