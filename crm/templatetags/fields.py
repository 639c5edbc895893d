"""`{% field form.name %}`: label, control, help and errors of one form field in the kit's markup."""

from typing import Any

from django import forms, template

register = template.Library()

_CLASSES: dict[str, str | bool] = {"textarea": "textarea", "checkbox": False, "select": False}


@register.inclusion_tag("_field.html")
def field(bound: forms.BoundField, *, label: str = "", help_text: str = "", help_url: str = "") -> dict[str, Any]:
    """The control says by itself what it is; `help_url` makes the help a link."""
    kind = getattr(bound.field.widget, "input_type", "textarea")
    attributes: dict[str, str | bool] = {"class": _CLASSES.get(kind, "input"), "placeholder": False}
    if bound.errors:
        attributes["aria-describedby"] = f"{bound.auto_id}_error"
    return {
        "field": bound,
        "kind": kind,
        "control": bound.as_widget(attrs=attributes),
        "label": label or bound.label,
        "help_text": help_text or bound.help_text,
        "help_url": help_url,
    }
