"""Amounts, shares and long durations; `{% load reports %}`."""

from decimal import Decimal

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
    return "–" if value is None else f"{number_format(round(value, 1), 1)} %"


@register.filter
def about(value: Decimal, currency: str) -> str:
    """The same where room is scarce: whole units of what is large, cents of the rest."""
    return costs.in_words(value, currency, digits=0 if value >= 100 else 2)


@register.filter
def parts(seconds: float | None) -> list[tuple[int, str]]:
    """The two largest units of a duration: `[(4, "min"), (12, "s")]`; none for None."""
    if seconds is None:
        return []
    left = int(seconds)
    found: list[tuple[int, str]] = []
    for size, unit in ((86400, _("d")), (3600, _("h")), (60, _("min")), (1, _("s"))):
        count, left = divmod(left, size)
        if count or (found and len(found) < 2):
            found.append((count, unit))
        if len(found) == 2:
            break
    return found or [(0, _("s"))]


@register.filter
def duration(seconds: float | None) -> str:
    """“4 min 12 s”, “3 h 5 min”, “2 d 4 h”; a dash for None."""
    return " ".join(f"{count} {unit}" for count, unit in parts(seconds)) or "–"
