"""Templates as people see them: on the phone, and as rows of a list; `{% load phone %}`."""

import re
from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from crm.template_words import reason_words
from whatsapp.models import Template, TemplateQuality, TemplateStatus
from whatsapp.template_content import VARIABLE

register = template.Library()

_BADGES = {
    "APPROVED": ("ok", "check-circle"),
    "PENDING": ("line", "hourglass"),
    "IN_APPEAL": ("line", "hourglass"),
    "REJECTED": ("fail", "x-circle"),
    "PAUSED": ("warn", "pause"),
    "DISABLED": ("fail", "ban"),
}
_QUALITIES = {"GREEN": ("is-ok", "prio-high"), "YELLOW": ("is-warn", "prio-mid"), "RED": ("is-fail", "prio-low")}
_KINDS = {
    "QUICK_REPLY": (lambda: _("Quick reply"), "reply"),
    "URL": (lambda: _("Link"), "external"),
    "PHONE_NUMBER": (lambda: _("Call a phone"), "phone"),
    "COPY_CODE": (lambda: _("Copy an offer's code"), "copy"),
    "FLOW": (lambda: _("Open a Flow"), "tasks"),
    "OTP": (lambda: _("Copy the code"), "key"),
}
_HEADERS = {
    "NONE": lambda: _("nothing"),
    "TEXT": lambda: _("text"),
    "IMAGE": lambda: _("photo"),
    "VIDEO": lambda: _("video"),
    "DOCUMENT": lambda: _("document (PDF)"),
}
_ICONS = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "file", "LOCATION": "pin"}


@register.filter
def badge_kind(status: str) -> str:
    return _BADGES.get(status, ("line", ""))[0]


@register.filter
def badge_icon(status: str) -> str:
    return _BADGES.get(status, ("", "info"))[1]


@register.filter
def status_name(status: str) -> str:
    """In our words; Meta's own for a state we do not know."""
    return capfirst(str(dict(TemplateStatus.choices).get(status, status)))


@register.filter
def quality_name(quality: str) -> str:
    return capfirst(str(dict(TemplateQuality.choices).get(quality, quality))) if quality else ""


@register.filter
def quality_kind(quality: str) -> str:
    return _QUALITIES.get(quality, ("", ""))[0]


@register.filter
def quality_icon(quality: str) -> str:
    return _QUALITIES.get(quality, ("", "question"))[1]


@register.filter
def reason_of(stored: Template) -> str:
    return capfirst(reason_words(stored.reason)) if stored.reason else ""


@register.filter
def kind_name(kind: str) -> str:
    named = _KINDS.get(kind)
    return named[0]() if named else kind


@register.filter
def kind_icon(kind: str) -> str:
    return _KINDS.get(kind, (None, "reply"))[1]


@register.filter
def header_name(header: str) -> str:
    named = _HEADERS.get(header)
    return named() if named else header


@register.filter
def header_icon(header: str) -> str:
    return _ICONS.get(header, "file")


@register.filter
def button_words(button: Any) -> str:
    """What stands on the button; Meta writes some itself, in the person's language."""
    return button.text or kind_name(button.kind)


@register.filter
def place_is(place: str, number: int) -> bool:
    """Whether faults of this place belong to the button of this number."""
    return place == f"button_{number}"


@register.filter
def body_on_phone(text: str, values: Mapping[str, str]) -> SafeString:
    return _marked(text, values, "var")


@register.filter
def header_on_phone(text: str, values: Mapping[str, str]) -> SafeString:
    return _marked(text, values, "head")


_PLACE = "\ue000"  # stands for a variable while the words around it are formatted
_FORMATS = tuple(
    (re.compile(rf"(?<![\w{mark}]){mark}(?=\S)([^{mark}\n]+)(?<=\S){mark}(?![\w{mark}])"), rf"<{tag}>\1</{tag}>")
    for mark, tag in ((r"\*", "b"), ("_", "i"), ("~", "s"))
)


def _marked(text: str, values: Mapping[str, str], prefix: str) -> SafeString:
    """The text as WhatsApp formats it, with each variable marked: with its value, else as it is written.

    `composer.js` writes into the marks as the person types.
    """
    marks = []
    for found in VARIABLE.finditer(text):
        key, written = f"{prefix}_{found[1]}", f"{{{{{found[1]}}}}}"
        marks.append(
            format_html('<mark data-shows="{}" data-empty="{}">{}</mark>', key, written, values.get(key) or written)
        )
    words: str = escape(VARIABLE.sub(_PLACE, text.replace(_PLACE, "")))
    for form, tags in _FORMATS:
        words = form.sub(tags, words)
    pieces = words.split(_PLACE)
    # What a person wrote went through escape or format_html above; the rest is ours.
    return mark_safe("".join(piece + mark for piece, mark in zip(pieces, [*marks, ""], strict=True)))  # noqa: S308
