"""What a quick reply sends along, as a picture; `{% load replies %}`."""

from django import template

from crm.models import ReplyKind

register = template.Library()

_ICONS = {
    ReplyKind.TEXT: "chat",
    ReplyKind.CHOICES: "reply",
    ReplyKind.LOCATION: "pin",
    ReplyKind.PHONE: "phone",
    ReplyKind.FLOW: "note",
    ReplyKind.PRODUCT: "cart",
}


@register.filter
def reply_icon(kind: ReplyKind) -> str:
    return _ICONS[kind]
