"""What stands under a thread: a box for text while the window is open, a choice of templates when it is closed.

While it is open, the same place also holds the forms for a location and for somebody's contact.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext

from crm import filling
from crm.blanks import blanks_for, filled
from crm.flows.sending import sendable
from crm.forms import ASKED, CardForm, LocationForm, MessageForm, ProductForm, TemplateMessageForm, templates_for
from crm.media.outgoing import limits, too_large_words
from crm.models import Conversation, Message, QuickReply, ReplyKind
from crm.template_words import why_not
from whatsapp import template_filling
from whatsapp.capabilities import CAPABILITIES
from whatsapp.models import Flow, Template

TEXT, TEMPLATE, LOCATION, CARD, PRODUCT = "text", "template", "location", "card", "product"
Form = MessageForm | TemplateMessageForm | LocationForm | CardForm | ProductForm


@dataclass
class Composer:
    """Everything `_composer.html` shows. `kind` is what can be written; `forced` that the window does not allow text."""

    conversation: Conversation
    kind: str
    form: Form
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

    @cached_property
    def flows(self) -> list[Flow]:
        """The forms that can be sent from here, by name."""
        number = self.conversation.number
        if not CAPABILITIES[number.provider].flows:
            return []
        return list(sendable(number).only("pk", "name"))

    @property
    def sends(self) -> list[str]:
        """What else can be sent or asked for from here, by the names of the addresses."""
        able = CAPABILITIES[self.conversation.number.provider]
        sends = [LOCATION] if able.locations else []
        sends += [CARD] if able.contact_cards else []
        sends += [PRODUCT] if able.interactive and self.conversation.number.catalog_id else []
        return sends + ([f"ask_{name}" for name in ASKED] if able.interactive else [])

    @property
    def asks(self) -> str:
        return str(self.form["asks"].value() or "") if isinstance(self.form, MessageForm) else ""

    @property
    def file_limits(self) -> str:
        """The most bytes of each kind of file, as JSON for the page, which says it before anything is sent."""
        return json.dumps(limits(CAPABILITIES[self.conversation.number.provider]))

    @property
    def file_words(self) -> str:
        """What may be attached, in a sentence."""
        most = {kind: filesizeformat(size) for kind, size in json.loads(self.file_limits).items()}
        return gettext(
            "Attach files: photos and sounds up to %(image)s, videos up to %(video)s, documents up to %(document)s"
        ) % ({"image": "–", "video": "–", "document": "–"} | most)

    @property
    def too_large(self) -> dict[str, str]:
        return {"file": too_large_words(), "video": too_large_words(is_video=True)}

    @property
    def values(self) -> dict[str, str]:
        return self.form.values if isinstance(self.form, TemplateMessageForm) else {}


def kind_for(conversation: Conversation, *, now: datetime) -> str:
    """Text where the number knows no window or it is open long enough; else templates only."""
    if not CAPABILITIES[conversation.number.provider].has_window:
        return TEXT
    return TEXT if conversation.window(now).can_send_free_form else TEMPLATE


def for_text(
    conversation: Conversation,
    form: MessageForm | None = None,
    *,
    quoted: str = "",
    asks: str = "",
    reply: QuickReply | None = None,
) -> Composer:
    """The box for text: empty, with what was refused, or with a quick reply.

    `quoted` is a message's id, `asks` what the button under the text asks for.
    """
    message = _message(conversation, form["quoted"].value() if form else quoted)
    asks = reply.asks if reply else asks
    asks = asks if asks in ASKED and CAPABILITIES[conversation.number.provider].interactive else ""
    initial: dict[str, Any] = {"quoted": message.pk if message else "", "asks": asks}
    if reply:
        words = filled(reply.text, blanks_for(conversation.contact))
        initial |= {"text": words, "options": reply.options, "flow": reply.flow_id, "flow_label": reply.flow_label}
    form = form or MessageForm(conversation=conversation, initial=initial)
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


def for_location(conversation: Conversation, form: LocationForm | None = None) -> Composer:
    return Composer(conversation, LOCATION, form or LocationForm())


def for_card(conversation: Conversation, form: CardForm | None = None) -> Composer:
    return Composer(conversation, CARD, form or CardForm(country=""))


def for_product(
    conversation: Conversation, form: ProductForm | None = None, *, reply: QuickReply | None = None
) -> Composer:
    """The form for a product: empty, with what was refused, or with a quick reply's."""
    if form is None and reply:
        words = filled(reply.text, blanks_for(conversation.contact))
        form = ProductForm(initial={"product": reply.product, "words": words})
    return Composer(conversation, PRODUCT, form or ProductForm())


def asked_for(conversation: Conversation, query: QueryDict, *, now: datetime) -> Composer:
    """The composer an address asks for.

    `?template=` and `?write=template` choose templates, `?write=location`, `card` and `product` those forms, `?quote=` a
    message to answer, `?ask=` what a button under the text asks for, `?reply=` a quick reply.
    """
    chosen, wanted = query.get("template", ""), query.get("write")
    if chosen or wanted == TEMPLATE or kind_for(conversation, now=now) == TEMPLATE:
        return for_template(conversation, chosen=chosen, now=now)
    able = CAPABILITIES[conversation.number.provider]
    if wanted == LOCATION and able.locations:
        return for_location(conversation)
    if wanted == CARD and able.contact_cards:
        return for_card(conversation)
    reply = _reply(conversation, query.get("reply", ""))
    if reply and reply.kind == ReplyKind.PRODUCT:
        return for_product(conversation, reply=reply)
    if wanted == PRODUCT and able.interactive and conversation.number.catalog_id:
        return for_product(conversation)
    return for_text(conversation, quoted=query.get("quote", ""), asks=query.get("ask", ""), reply=reply)


def can_fill(template: Template) -> bool:
    """Whether the chooser can fill it: approved, with nothing in it that can only be given elsewhere."""
    return template.is_approved and template_filling.can_be_given(template.components)


def can_send(template: Template) -> bool:
    """Whether it goes out by itself: approved, and variables only in the body (no file, no link to complete)."""
    if not template.is_approved or template.slots is None or any(slot.place != "body" for slot in template.slots):
        return False
    return all(part["type"] == "body" for part in template_filling.filled(template.components, {}))


def _message(conversation: Conversation, id: Any) -> Message | None:
    key = _key(id)
    if key is None:
        return None
    return Message.objects.filter(conversation=conversation, pk=key).select_related("author__user").first()


def _key(id: Any) -> UUID | None:
    try:
        return UUID(str(id))
    except ValueError:
        return None


def _reply(conversation: Conversation, id: str) -> QuickReply | None:
    key = _key(id)
    if key is None:
        return None
    usable = QuickReply.objects.usable_in(conversation.queue_id).usable_from(conversation.number)
    return usable.filter(pk=key).first()
