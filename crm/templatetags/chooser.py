"""What the template chooser shows; `{% load chooser %}`."""

import re

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from crm.views.composer import can_send
from whatsapp.models import Template, TemplateStatus

register = template.Library()

_CATEGORIES = {
    "marketing": lambda: _("Marketing"),
    "utility": lambda: _("Utility"),
    "authentication": lambda: _("Authentication"),
}


@register.filter
def category_name(category: str) -> str:
    named = _CATEGORIES.get(category.lower())
    return named() if named else category


@register.filter
def can_fill(template: Template) -> bool:
    return can_send(template)


@register.filter
def template_title(name: str) -> str:
    """“pedido_en_camino” as a person says it."""
    return name.replace("_", " ").strip().capitalize()


@register.filter
def status_words(template: Template) -> str:
    """Why it cannot be sent; Meta's own word for a state we do not know."""
    return capfirst(str(dict(TemplateStatus.choices).get(template.status, template.status)))


@register.filter
def variable_name(field: str) -> str:
    """The variable of a form field `var_<name>`, empty for the other fields."""
    return field.removeprefix("var_") if field.startswith("var_") else ""


@register.filter
def filled_preview(template: Template, values: dict[str, str]) -> SafeString:
    """The body with each variable marked; `composer.js` writes into the marks as the person types."""
    marked = [escape(part) for part in re.split(r"\{\{\s*\w+\s*\}\}", template.body)]
    names = re.findall(r"\{\{\s*(\w+)\s*\}\}", template.body)
    marks = [
        format_html(
            '<mark data-shows="var_{}" data-empty="{{{{{}}}}}">{}</mark>',
            name,
            name,
            values.get(name) or f"{{{{{name}}}}}",
        )
        for name in names
    ]
    # Every part went through escape or format_html above.
    return mark_safe("".join(text + mark for text, mark in zip(marked, [*marks, ""], strict=True)))  # noqa: S308


@register.filter
def template_buttons(template: Template) -> list[str]:
    return [
        str(button.get("text", ""))
        for part in template.components
        if isinstance(part, dict) and str(part.get("type", "")).upper() == "BUTTONS"
        for button in part.get("buttons", ())
        if isinstance(button, dict) and button.get("text")
    ]
