"""A Flow on its way into a conversation: the one that was chosen, what it begins with, and the token it is opened by."""

import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

from crm.flows import fields
from crm.models import Conversation
from whatsapp.capabilities import CAPABILITIES
from whatsapp.flows.exchanging import Invitation
from whatsapp.interactive import FLOW
from whatsapp.models import Flow, FlowKey, Number
from whatsapp.outgoing import Interactive, Outgoing, Template
from whatsapp.template_filling import DATA_EXCHANGE, NAVIGATE, FlowButton


def sendable(number: Number) -> Any:
    """The Flows that this number may send."""
    return Flow.objects.sendable_from(number)


def find(number: Number, id: Any) -> Flow | None:
    """The Flow of the number's account by our id or Meta's, whether or not it may be sent now."""
    ours = Flow.objects.filter(waba_id=number.waba_id).exclude(waba_id="")
    try:
        return ours.filter(pk=UUID(str(id))).first()
    except ValueError:
        return ours.filter(provider_flow_id=str(id)[:64]).exclude(provider_flow_id="").first()


def has_key(number: Number) -> bool:
    """Whether phones can seal what they say to this number's endpoint."""
    return FlowKey.objects.filter(number=number, uploaded_at__isnull=False).exists()


def senders(flows: Iterable[Flow]) -> dict[UUID, list[Number]]:
    """The numbers that may send each Flow now, by the Flow's id. Two queries for all."""
    flows = list(flows)
    accounts = {flow.waba_id for flow in flows if flow.is_sendable} - {""}
    numbers = [
        number
        for number in Number.objects.filter(waba_id__in=accounts, is_active=True).order_by("alias", "id")
        if CAPABILITIES[number.provider].flows
    ]
    uploaded = FlowKey.objects.filter(number__in=numbers, uploaded_at__isnull=False)
    keyed = set(uploaded.values_list("number_id", flat=True))
    return {
        flow.pk: [
            number
            for number in numbers
            if flow.is_sendable
            and number.waba_id == flow.waba_id
            and (number.pk in keyed or not flow.form.uses_endpoint)
        ]
        for flow in flows
    }


def filled(content: Interactive, flow: Flow, conversation: Conversation) -> Interactive:
    """The content with all that WhatsApp needs to open the Flow but the token."""
    if flow.form.uses_endpoint:
        return replace(content, flow=_named(flow) | {"action": DATA_EXCHANGE})
    given = content.flow.get("data")
    begun = _begun(flow, conversation, str(content.flow.get("screen", "")), given if isinstance(given, dict) else {})
    return replace(content, flow=_named(flow) | begun)


def with_button(
    content: Template, button: FlowButton, flow: Flow, conversation: Conversation, given: dict[str, Any]
) -> Template:
    """A template with all that its button needs to open the Flow but the token; the template says how it begins."""
    is_asked = button.action == DATA_EXCHANGE
    begun = {"action": DATA_EXCHANGE} if is_asked else _begun(flow, conversation, button.screen, given)
    return replace(content, flow={"index": button.index} | _named(flow) | begun)


def _named(flow: Flow) -> dict[str, Any]:
    return {"id": str(flow.pk), "flow_id": flow.provider_flow_id, "name": flow.name}


def _begun(flow: Flow, conversation: Conversation, screen: str, given: dict[str, Any]) -> dict[str, Any]:
    """The screen to begin with, and what we know that it takes; `given` counts more."""
    first = flow.form.screen(screen) or flow.form.first
    if first is None:
        return {"action": NAVIGATE}
    data = fields.known(conversation.contact, flow.form, first.takes) | given
    return {"action": NAVIGATE, "screen": first.id} | ({"data": data} if data else {})


def invited(content: Outgoing, conversation: Conversation) -> tuple[Outgoing, Invitation | None]:
    """What opens a Flow, with a token that nobody can guess and only this conversation's person gets; else as it is.

    The token counts once the invitation is given to `exchanging.invite`, in the transaction that stores the message.
    """
    opens = isinstance(content, Template) or (isinstance(content, Interactive) and content.kind == FLOW)
    if not opens or not content.flow.get("id"):  # type: ignore[attr-defined]
        return content, None
    assert isinstance(content, Template | Interactive)
    token = secrets.token_urlsafe(32)
    invitation = Invitation(UUID(content.flow["id"]), conversation.number_id, conversation.pk, token)
    return replace(content, flow=content.flow | {"token": token}), invitation
