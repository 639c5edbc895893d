"""The answer of a Flow, a message of type `nfm_reply`: written on the contact, and readable in the thread."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from crm import contacts
from crm.flows import fields
from crm.models import Contact, Conversation, Message
from tenants.context import tenant_transaction
from whatsapp.flows.forms import Form
from whatsapp.models import FlowToken

Answered = tuple[str, str]
"""The words of a question, and of its answer."""


def values_of(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What was filled in; empty for what is no answer of a Flow. `response_json` is JSON in a string."""
    reply = payload.get("nfm_reply") if payload.get("type") == "nfm_reply" else None
    try:
        values = json.loads(reply.get("response_json") or "") if isinstance(reply, dict) else {}
    except (ValueError, TypeError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def merge(arrived: Iterable[tuple[UUID, UUID, Mapping[str, Any]]], *, now: datetime) -> None:
    """Write the answers of (tenant, conversation, payload) on their contacts, oldest first; in a system transaction.

    Only an answer whose token we gave out for that conversation is written: it says which Flow asked. The token is used
    up by it.
    """
    given = [
        (tenant_id, conversation_id, values)
        for tenant_id, conversation_id, payload in arrived
        if (values := values_of(payload)).get("flow_token")
    ]
    if not given:
        return
    tokens = _tokens({FlowToken.digest_of(str(values["flow_token"])) for _, _, values in given})
    answers: dict[UUID, list[dict[str, Any]]] = {}
    used = []
    for tenant_id, conversation_id, values in given:
        token = tokens.get((tenant_id, FlowToken.digest_of(str(values["flow_token"]))))
        if token and token.holder == conversation_id:
            answers.setdefault(conversation_id, []).append(fields.asked(token.flow.form, values))
            used.append(token.pk)
    homes = dict(Conversation.objects.filter(pk__any_of=list(answers)).values_list("pk", "contact_id"))
    locked = Contact.objects.select_for_update(no_key=True).filter(pk__any_of=list(set(homes.values())))
    people = {contact.pk: contact for contact in locked.order_by("pk")}
    changed: dict[UUID, Contact] = {}
    for conversation_id, said in answers.items():
        contact = people[homes[conversation_id]]
        for values in said:
            for name, value in fields.changes(contact, values).items():
                setattr(contact, name, value)
                changed[contact.pk] = contact
    Contact.objects.bulk_update(changed.values(), ["name", "attributes"])
    # Whoever holds a token now is a phone that is just finishing with it, and uses it up itself.
    free = FlowToken.objects.select_for_update(skip_locked=True).filter(pk__any_of=used, used_at=None)
    FlowToken.objects.filter(pk__in=[token.pk for token in free]).update(used_at=Now())
    for tenant_id in {contact.tenant_id for contact in changed.values()}:
        mine = [contact for contact in changed.values() if contact.tenant_id == tenant_id]
        transaction.on_commit(partial(_tell, tenant_id, mine, now), robust=True)


def _tell(tenant_id: UUID, changed: list[Contact], now: datetime) -> None:
    with tenant_transaction(tenant_id):
        contacts.tell_changed(changed, now=now)


def forms_of(messages: Iterable[Message]) -> dict[UUID, list[Answered]]:
    """By message: its answer as question and answer, in the words of the Flow where we know it. One query for all."""
    values = {message.pk: found for message in messages if (found := _values(message))}
    digests = {pk: FlowToken.digest_of(str(found.get("flow_token", ""))) for pk, found in values.items()}
    known = {digest: token.flow.form for (_, digest), token in _tokens(set(digests.values())).items()} if values else {}
    return {pk: known.get(digests[pk], Form()).answers(found) for pk, found in values.items()}


def _values(message: Message) -> dict[str, Any]:
    is_answer = message.type == "interactive" and not message.is_outbound and isinstance(message.payload, dict)
    return values_of(message.payload) if is_answer else {}


def _tokens(digests: set[str]) -> dict[tuple[UUID, str], FlowToken]:
    found = FlowToken.objects.filter(digest__in=digests).select_related("flow")
    return {(token.tenant_id, token.digest): token for token in found}
