"""A Flow on its way into a conversation: the one that was chosen, what it begins with, and the token it is opened by."""

import secrets
from dataclasses import replace
from typing import Any
from uuid import UUID

from crm.flows import fields
from crm.models import Conversation
from whatsapp.flows.exchanging import Invitation
from whatsapp.interactive import FLOW
from whatsapp.models import Flow, FlowKey, Number
from whatsapp.outgoing import Interactive, Outgoing

DATA_EXCHANGE, NAVIGATE = "data_exchange", "navigate"


def sendable(number: Number) -> Any:
    """The Flows that this number may send."""
    return Flow.objects.sendable().filter(waba_id=number.waba_id).exclude(waba_id="")


def find(number: Number, id: Any) -> Flow | None:
    """The Flow by our id or Meta's, if this number may send it."""
    try:
        return sendable(number).filter(pk=UUID(str(id))).first()
    except ValueError:
        return sendable(number).filter(provider_flow_id=str(id)[:64]).exclude(provider_flow_id="").first()


def has_key(number: Number) -> bool:
    """Whether phones can seal what they say to this number's endpoint."""
    return FlowKey.objects.filter(number=number, uploaded_at__isnull=False).exists()


def filled(content: Interactive, flow: Flow, conversation: Conversation) -> Interactive:
    """The content with all that WhatsApp needs to open the Flow but the token."""
    about: dict[str, Any] = {"id": str(flow.pk), "flow_id": flow.provider_flow_id, "name": flow.name}
    if flow.form.uses_endpoint:
        return replace(content, flow=about | {"action": DATA_EXCHANGE})
    first = flow.form.screen(str(content.flow.get("screen", ""))) or flow.form.first
    about["action"] = NAVIGATE
    if first:
        given = content.flow.get("data")
        data = fields.known(conversation.contact, flow.form, first.takes)
        data |= given if isinstance(given, dict) else {}
        about |= {"screen": first.id} | ({"data": data} if data else {})
    return replace(content, flow=about)


def invited(content: Outgoing, conversation: Conversation) -> tuple[Outgoing, Invitation | None]:
    """A Flow with its token, which nobody can guess and only this conversation's person gets; anything else as it is.

    The token counts once the invitation is given to `exchanging.invite`, in the transaction that stores the message.
    """
    if not isinstance(content, Interactive) or content.kind != FLOW:
        return content, None
    token = secrets.token_urlsafe(32)
    invitation = Invitation(UUID(content.flow["id"]), conversation.number_id, conversation.pk, token)
    return replace(content, flow=content.flow | {"token": token}), invitation
