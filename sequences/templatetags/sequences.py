"""What the pages of sequences show; `{% load sequences %}`."""

from typing import Any

from django import forms, template
from django.utils.safestring import SafeString

from crm.blanks import filled
from sequences.definition import Definition, Incomplete
from sequences.words import delay_words
from whatsapp.models import Template

register = template.Library()

_LEVELS = ("alta", "media", "baja")
_ICONS = ("prio-high", "prio-mid", "prio-low")


@register.filter
def delay_of(delay: dict[str, Any]) -> str:
    """A delay of the editor in words; empty while it is not readable."""
    try:
        definition = Definition.read(
            {"steps": [{"delay": {**delay, "unit": _unit(delay)}, "variants": [{"text": "x"}]}]}
        )
    except Incomplete:
        return "…"
    return delay_words(definition.steps[0].delay)


def _unit(delay: dict[str, Any]) -> Any:
    return "minutes" if delay.get("unit") == "weekday" else delay.get("unit", "minutes")


@register.filter
def preview_of(text: str) -> str:
    return filled(text, {"name": "Rosa Quispe", "nombre": "Rosa Quispe", "first_name": "Rosa", "phone": "51900555014"})


@register.filter
def template_key(stored: Template) -> str:
    return f"{stored.name}|{stored.language}"


@register.filter
def level(priority: int) -> str:
    return _LEVELS[priority]


@register.filter
def level_icon(priority: int) -> str:
    return _ICONS[priority]


@register.filter
def with_class(field: forms.BoundField, name: str) -> SafeString:
    return field.as_widget(attrs={"class": name})
