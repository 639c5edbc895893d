"""Amounts, shares and long durations; `{% load reports %}`."""

from decimal import Decimal
from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from crm import costs

register = template.Library()


@register.filter
def amount(value: Decimal, currency: str) -> str:
    return costs.in_words(value, currency)


@register.filter
def percent(value: float | None) -> str:
    """“97.8 %”, a dash where there is nothing to divide."""
    return "–" if value is None else f"{number_format(value, 1)} %"


@register.filter
def duration(seconds: float | None) -> str:
    """“4 min 12 s”, “3 h 5 min”, “2 d 4 h”: the two largest units."""
    if seconds is None:
        return "–"
    left = int(seconds)
    parts: list[str] = []
    for size, unit in ((86400, _("d")), (3600, _("h")), (60, _("min")), (1, _("s"))):
        count, left = divmod(left, size)
        if count or (parts and len(parts) < 2):
            parts.append(f"{count} {unit}")
        if len(parts) == 2:
            break
    return " ".join(parts) or f"0 {_('s')}"


@register.filter
def minutes(seconds: Any) -> str:
    return "–" if seconds is None else number_format(seconds / 60, 1)
