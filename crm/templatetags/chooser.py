"""What the template chooser shows; `{% load chooser %}`."""

from django import template
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from crm.views import composer
from whatsapp.models import Template, TemplateStatus
from whatsapp.template_content import Wording, of_components
from whatsapp.template_filling import Slot

register = template.Library()

_CATEGORIES = {
    "marketing": lambda: _("Marketing"),
    "utility": lambda: _("Utility"),
    "authentication": lambda: _("Authentication"),
}


_FILES = {
    "image": lambda: _("Photo of the header"),
    "video": lambda: _("Video of the header"),
    "document": lambda: _("Document of the header"),
}
_ACCEPTED = {"image": "image/jpeg,image/png", "video": "video/mp4,video/3gpp", "document": ""}


@register.filter
def slot_accepts(slot: Slot) -> str:
    return _ACCEPTED[slot.kind]


@register.filter
def is_file(slot: Slot) -> bool:
    return slot.kind in _FILES


@register.filter
def category_name(category: str) -> str:
    named = _CATEGORIES.get(category.lower())
    return named() if named else category


@register.filter
def can_fill(template: Template) -> bool:
    return composer.can_fill(template)


@register.filter
def template_title(name: str) -> str:
    """“pedido_en_camino” as a person says it."""
    return name.replace("_", " ").strip().capitalize()


@register.filter
def status_words(template: Template) -> str:
    """Why it cannot be sent; Meta's own word for a state we do not know."""
    return capfirst(str(dict(TemplateStatus.choices).get(template.status, template.status)))


@register.filter
def wording(template: Template) -> Wording:
    return of_components(template.components)


@register.filter
def slot_label(slot: Slot) -> str:
    """What has to be given, as the label of its field."""
    if slot.kind in _FILES:
        return str(_FILES[slot.kind]())
    if slot.kind == "url":
        return _("End of the link “%(name)s”") % {"name": slot.name}
    if slot.kind == "copy_code":
        return _("Code to copy")
    return f"{{{{{slot.name}}}}}"
