"""Two companies with a row in every table that the admin shows, and the people who look at them."""

import json
from typing import Any

from django.test import Client

from crm.models import Contact, Conversation, Identity, MarketingWords
from tenants.alerts import raise_alert
from tenants.context import system_transaction
from tenants.models import Alert, QueueMember, Severity, User
from tests.cast import Company
from whatsapp.models import Endpoint, EventState, Template, WebhookEvent

UNFOLD = {"SIDEBAR": {"navigation": "crm.sidebar.sections"}, "DASHBOARD_CALLBACK": "crm.sidebar.overview"}


def furnish(company: Company, word: str) -> dict[str, Any]:
    """One row of everything; `word` is in each of them, so that a page that shows one can be recognised."""
    with company.transaction():
        tenant = company.tenant
        company.support.name = f"{word} queue"
        company.support.save(update_fields=["name"])
        contact = Contact.objects.create(tenant=tenant, name=f"{word} contact", phone="51900555001")
        identity = Identity.objects.create(tenant=tenant, contact=contact, kind="phone", value=f"{word}-51900555001")
        conversation = Conversation.objects.create(
            tenant=tenant, contact=contact, number=company.number, queue=company.support
        )
        raise_alert(tenant_id=tenant.pk, kind="number-without-queue", subject=word, severity=Severity.WARNING)
        rows = {
            "endpoint": Endpoint.objects.create(tenant=tenant, name=f"{word} address", key=f"{word}-key"),
            "template": Template.objects.create(
                tenant=tenant, waba_id="3", name=f"{word}_hello", language="es", category="UTILITY", status="APPROVED"
            ),
            "alert": Alert.objects.get(),
            "marketingwords": MarketingWords.objects.create(tenant=tenant, stop=[f"{word} stop"]),
            "queue_member": QueueMember.objects.get(membership=company.ana),
        }
    with system_transaction():
        body = json.dumps({"said": f"{word} secret words"}).encode()
        event = WebhookEvent.objects.create(tenant=tenant, body=body, state=EventState.DEAD, reason=f"{word} reason")
    return rows | {
        "tenant": tenant,
        "user": company.ana.user,
        "membership": company.ana,
        "queue": company.support,
        "number": company.number,
        "contact": contact,
        "identity": identity,
        "conversation": conversation,
        "webhookevent": event,
    }


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def operator() -> User:
    return User.objects.create_superuser("operator@ventana.test", "demo-password", name="Operator")
