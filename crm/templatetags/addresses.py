"""`{{ conversation|address:"composer" }}`: what `{% url %}` gives for a page with one id, where a page asks for it often."""

from functools import cache
from typing import Any
from uuid import UUID

from django import template
from django.urls import reverse

register = template.Library()
_SOMEBODY = UUID(int=0)


@register.filter
def address(thing: Any, view: str) -> str:
    """The address of `thing`, which has a UUID, in the view of this name, which takes that alone."""
    before, after = _around(view)
    return f"{before}{thing.pk}{after}"


@cache
def _around(view: str) -> tuple[str, str]:
    before, _id, after = reverse(view, args=[_SOMEBODY]).partition(str(_SOMEBODY))
    return before, after
