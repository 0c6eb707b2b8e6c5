"""What transformers renders of a chat template is let through before it is loaded, whatever it uses of what
transformers hands to a template."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from launcher.errors import CheckpointError
from launcher.families.common.chat_templates import check_template

ALL = "{% for m in messages %}"
USES = {
    "an end behind each turn": ALL + "{{ m['role'] + ': ' + m['content'] + eos_token }}{% endfor %}",
    "a beginning before the first": "{{ bos_token + messages[0].content }}",
    "a date": "{{ strftime_now('%d %b %Y') }}" + ALL + "{{ m.content }}{% endfor %}",
    "a refusal that is not met": ALL
    + "{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}{{ m.content }}{% endfor %}",
    "what the assistant says": ALL + "{% generation %}{{ m.content | trim }}{% endgeneration %}{% endfor %}",
    "JSON": "{{ messages | tojson(indent=2) }}",
    "its own memory": "{% set ns = namespace(n=0) %}"
    + ALL
    + "{% set ns.n = ns.n + 1 %}{% if ns.n > 9 %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
    "what may be left out": "{% if tools is defined and tools %}x{% endif %}{{ messages[-1].content }}",
}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
SAID = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("template", USES.values(), ids=USES)
def test_what_transformers_renders_is_let_through(template: str, tmp_path: Path) -> None:
    ((text,), _) = render_jinja_template(
        conversations=[SAID], chat_template=template, add_generation_prompt=True, **TOKENS
    )
    assert "Hello" in text
    check_template(template, None, tmp_path)


@pytest.mark.parametrize(
    "template", ["{% for m in messages %}", "{{ no_such_thing + 'x' }}", "{{ raise_exception('never') }}"]
)
def test_what_transformers_does_not_render_is_told(template: str, tmp_path: Path) -> None:
    with pytest.raises(TemplateError):
        render_jinja_template(conversations=[SAID], chat_template=template, **TOKENS)
    with pytest.raises(CheckpointError, match="chat template cannot be used"):
        check_template(template, None, tmp_path)
