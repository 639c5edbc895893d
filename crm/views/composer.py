"""What stands under a thread: a box for text while the window is open, a choice of templates when it is closed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext

from crm import filling
from crm.forms import MessageForm, TemplateMessageForm, templates_for
from crm.models import Conversation, Message
from crm.template_words import why_not
from whatsapp import template_filling
from whatsapp.capabilities import CAPABILITIES
from whatsapp.models import Template

TEXT, TEMPLATE = "text", "template"


@dataclass(slots=True)
class Composer:
    """Everything `_composer.html` shows. `kind` is what can be written; `forced` that the window does not allow text."""

    conversation: Conversation
    kind: str
    form: MessageForm | TemplateMessageForm
    forced: bool = False
    has_templates: bool = True
    quoted: Message | None = None
    templates: list[Template] = field(default_factory=list)
    chosen: Template | None = None
    refusal: str = ""  # why the chosen template cannot be sent, and what to do

    @property
    def writes(self) -> str:
        """What the page tells the live refresh it has: `text`, `template`, or `forced` where nothing else is allowed."""
        return "forced" if self.forced else self.kind

    @property
    def takes_files(self) -> bool:
        return bool(CAPABILITIES[self.conversation.number.provider].media)

    @property
    def takes_options(self) -> bool:
        return CAPABILITIES[self.conversation.number.provider].interactive

    @property
    def most_video(self) -> int:
        """Bytes; what is larger is made smaller first."""
        return CAPABILITIES[self.conversation.number.provider].media["video"].max_bytes

    @property
    def values(self) -> dict[str, str]:
        return self.form.values if isinstance(self.form, TemplateMessageForm) else {}


def kind_for(conversation: Conversation, *, now: datetime) -> str:
    """Text where the number knows no window or it is open long enough; else templates only."""
    if not CAPABILITIES[conversation.number.provider].has_window:
        return TEXT
    return TEXT if conversation.window(now).can_send_free_form else TEMPLATE


def for_text(conversation: Conversation, form: MessageForm | None = None, *, quoted: str = "") -> Composer:
    """The box for text, empty or with what was refused; `quoted` is a message's id."""
    message = _message(conversation, form["quoted"].value() if form else quoted)
    form = form or MessageForm(conversation=conversation, initial={"quoted": message.pk if message else ""})
    has_templates = CAPABILITIES[conversation.number.provider].has_templates
    return Composer(conversation, TEXT, form, quoted=message, has_templates=has_templates)


def for_template(
    conversation: Conversation, form: TemplateMessageForm | None = None, *, chosen: str = "", now: datetime
) -> Composer:
    """The choice of templates, those that can be sent from here first; `chosen` is a template's id.

    One that cannot be sent may be chosen too: then it is said why not.
    """
    templates = sorted(templates_for(conversation)[:200], key=lambda each: not can_fill(each))
    template = chosen_of(templates, chosen)
    if form is None:
        initial: dict[str, Any] = {"template": template.pk if template else ""}
        if template:
            values = filling.prefilled(template, conversation.contact)
            initial |= {f"var_{name}": value for name, value in values.items()}
        form = TemplateMessageForm(conversation=conversation, chosen=template, initial=initial)
    forced = kind_for(conversation, now=now) == TEMPLATE
    refusal = refusal_of(template) if template else ""
    return Composer(conversation, TEMPLATE, form, forced=forced, templates=templates, chosen=template, refusal=refusal)


def chosen_of(templates: list[Template], id: str) -> Template | None:
    """The template of this id, else the first that can be sent from here."""
    named = next((each for each in templates if str(each.pk) == id), None)
    return named or next((each for each in templates if can_fill(each)), None)


def refusal_of(template: Template) -> str:
    """Why it cannot be sent from here, in a sentence; empty when it can."""
    if not template.is_approved:
        return why_not(template)
    return "" if can_fill(template) else gettext("It has parts that cannot be filled in here. Choose another one.")


def asked_for(conversation: Conversation, query: QueryDict, *, now: datetime) -> Composer:
    """The composer an address asks for: `?template=` and `?write=template` choose templates, `?quote=` a message."""
    chosen = query.get("template", "")
    wants_template = chosen or query.get("write") == TEMPLATE
    if wants_template or kind_for(conversation, now=now) == TEMPLATE:
        return for_template(conversation, chosen=chosen, now=now)
    return for_text(conversation, quoted=query.get("quote", ""))


def can_fill(template: Template) -> bool:
    """Whether the chooser can fill it: approved, with nothing in it that can only be given elsewhere."""
    return template.is_approved and template_filling.can_be_given(template.components)


def can_send(template: Template) -> bool:
    """Whether it goes out by itself: approved, and variables only in the body (no file, no link to complete)."""
    if not template.is_approved or template.slots is None or any(slot.place != "body" for slot in template.slots):
        return False
    return all(part["type"] == "body" for part in template_filling.filled(template.components, {}))


def _message(conversation: Conversation, id: Any) -> Message | None:
    try:
        key = UUID(str(id))
    except ValueError:
        return None
    return Message.objects.filter(conversation=conversation, pk=key).select_related("author__user").first()
