"""`{% icon "chat" %}`: one drawing of the kit's sprite, which the browser fetches once."""

from functools import cache

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
@cache
def icon(name: str, modifier: str = "", *, label: str = "") -> SafeString:
    """The drawing `name`; `modifier` is a class such as `icon--sm`. Without `label` it is decoration, hidden from readers."""
    classes = f"icon {modifier}" if modifier else "icon"
    sprite = static("crm/icons/icons.svg")
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}"><use href="{}#i-{}"/></svg>', classes, label, sprite, name
        )
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#i-{}"/></svg>', classes, sprite, name)
