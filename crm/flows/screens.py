"""What a phone is shown while somebody fills in a Flow: the screens of its JSON, in its own order, with what we know.

Any Flow works so, without a line of code: what a screen declares as data and the form asks is filled from the contact,
and what is handed in is written on them. Repeating an exchange changes nothing.
"""

from django.utils import timezone

from crm import contacts
from crm.flows import fields
from crm.models import Contact, Conversation
from whatsapp.flows.exchanging import Done, Exchange, Shown
from whatsapp.flows.forms import Screen


def answer(exchange: Exchange) -> Shown | Done | None:
    """The next screen, or the end; None when the conversation is gone or the Flow has no screens."""
    form = exchange.flow.form
    conversation = Conversation.objects.filter(pk=exchange.holder).first()
    if conversation is None or form.first is None:
        return None
    here = form.screen(exchange.screen) or form.first
    # Read to be written: an agent may be changing the contact at this moment.
    contact = Contact.objects.select_for_update(no_key=True).get(pk=conversation.contact_id)
    if exchange.action != "data_exchange":
        shown = (form.before(here.id) or here) if exchange.action == "BACK" else form.first
        return _shown(shown, contact, exchange)
    values = fields.asked(form, exchange.data)
    if said := fields.fault(here, values, today=timezone.localdate(exchange.now)):
        return _shown(here, contact, exchange, values, error_message=said)
    if changes := fields.changes(contact, values):
        contacts.change(contact, changes, now=exchange.now)
    following = form.after(here.id)
    if here.is_terminal or following is None:
        return Done(values)
    return _shown(following, contact, exchange, values)


def _shown(
    screen: Screen, contact: Contact, exchange: Exchange, values: dict | None = None, *, error_message: str = ""
) -> Shown:
    data = fields.known(contact, exchange.flow.form, screen.takes)
    data |= {name: value for name, value in (values or {}).items() if name in screen.takes}
    return Shown(screen.id, data | ({"error_message": error_message} if error_message else {}))
