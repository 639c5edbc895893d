"""Callers with tokens, and a conversation in each company that the other must never reach."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from crm.api.tokens import create_token
from crm.flows import builtin
from crm.models import Contact, Conversation, Direction, Identity, IdentityKind, Message, MessageStatus, Source
from tenants import clock
from tenants.models import Membership, Queue
from tests.cast import Company
from whatsapp.models import Flow, Template

ROOT = "/api/v1/"


@pytest.fixture(autouse=True)
def _no_earlier_tries(db) -> None:
    cache.clear()


@pytest.fixture
def api() -> Callable[[Membership], APIClient]:
    """A caller: `api(ours.ana).get("/api/v1/…")`. Answers are checked, never raised: a 500 is seen as a 500."""

    def caller(membership: Membership) -> APIClient:
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Token {create_token(membership)}")
        return client

    return caller


@dataclass
class Talk:
    """A conversation with one message of the customer, written an hour ago."""

    conversation: Conversation
    contact: Contact
    message: Message

    @property
    def url(self) -> str:
        return f"{ROOT}conversations/{self.conversation.pk}/"


def talk(company: Company, phone: str, *, queue: Queue | None = None, name: str = "Rosa", **fields: Any) -> Talk:
    """Put a conversation into the database as the merge leaves it."""
    at = fields.pop("at", clock.now() - timedelta(hours=1))
    tenant = company.tenant
    with company.transaction():
        contact = Contact.objects.create(tenant=tenant, profile_name=name, phone=phone)
        Identity.objects.create(tenant=tenant, contact=contact, kind=IdentityKind.PHONE, value=phone, address=phone)
        conversation = Conversation.objects.create(
            tenant=tenant,
            contact=contact,
            number=company.number,
            queue=queue or company.sales,
            **{
                "unread_count": 1,
                "last_message_at": at,
                "last_inbound_at": at,
                "waiting_since": at,
                "window_expires_at": at + timedelta(hours=24),
            }
            | fields,
        )
        said = say(company, conversation, "Hola, ¿tienen stock?", sent_at=at)
    return Talk(conversation, contact, said)


def say(company: Company, conversation: Conversation, text: str, **fields: Any) -> Message:
    """A message of the customer, or of ours with `direction` and `source`. Within the company's transaction."""
    return Message.objects.create(
        tenant=company.tenant,
        conversation=conversation,
        number=company.number,
        type="text",
        text=text,
        payload={"body": text},
        **{
            "direction": Direction.INBOUND,
            "source": Source.CUSTOMER,
            "status": MessageStatus.RECEIVED,
            "provider_message_id": f"wamid.{uuid4()}",
            "sent_at": clock.now(),
        }
        | fields,
    )


def approve(company: Company, name: str, body: str, **fields: Any) -> Template:
    """A template that may be sent from the company's number."""
    with company.transaction():
        return Template.objects.create(
            tenant=company.tenant,
            name=name,
            components=[{"type": "BODY", "text": body}],
            **{
                "waba_id": company.number.waba_id,
                "language": "es",
                "category": "UTILITY",
                "status": "APPROVED",
            }
            | fields,
        )


def publish(company: Company, name: str = "Mi perfil", **fields: Any) -> Flow:
    """A Flow of the company's account as it is once WhatsApp has it."""
    with company.transaction():
        return Flow.objects.create(
            tenant=company.tenant,
            name=name,
            **{
                "waba_id": company.number.waba_id,
                "provider_flow_id": str(uuid4().int)[:15],
                "status": "PUBLISHED",
                "categories": ["SURVEY"],
                "source": builtin.profile(),
            }
            | fields,
        )


@pytest.fixture
def our_talk(ours) -> Talk:
    return talk(ours, "51900555014")


@pytest.fixture
def their_talk(theirs) -> Talk:
    return talk(theirs, "51900555099", name="Nadie debe verme")


def ids(page: Any) -> list[UUID]:
    return [UUID(row["id"]) for row in page.json()["results"]]
