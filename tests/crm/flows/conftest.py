from typing import Any

import pytest
from django.utils import timezone

from crm.flows import builtin
from crm.models import Conversation
from tests.cast import Company
from tests.crm.views.talk import conversation
from tests.whatsapp.flows.phone import SECRET, Phone
from whatsapp.flows import exchanging, keys
from whatsapp.models import Flow, FlowStatus

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.META_APP_SECRET = SECRET


def published(company: Company, source: str = "", *, name: str = builtin.PROFILE, flow_id: str = "4411") -> Flow:
    """A Flow as it is once WhatsApp has it; “Mi perfil” when no other is given."""
    return Flow.objects.create(
        tenant=company.tenant, waba_id=company.number.waba_id, provider_flow_id=flow_id, name=name,
        status=FlowStatus.PUBLISHED, source=source or builtin.profile(),
    )  # fmt: skip


@pytest.fixture
def talk(ours: Company) -> Conversation:
    with ours.transaction():
        found = conversation(ours, "Rosa Quispe", now=timezone.now())
        found.contact.attributes = {"city": "Arequipa", "vip": "yes"}
        found.contact.save(update_fields=["attributes"])
        return found


@pytest.fixture
def profile(ours: Company) -> Flow:
    with ours.transaction():
        return published(ours)


@pytest.fixture
def phone(ours: Company, talk: Conversation, profile: Flow) -> Phone:
    """Rosa's phone, which was sent “Mi perfil”."""
    with ours.transaction():
        key = keys.prepare(number=ours.number)
        keys.put_into_use(key, timezone.now())
        invitation = exchanging.Invitation(profile.pk, ours.number.pk, talk.pk, TOKEN)
        exchanging.invite([invitation], now=timezone.now())
    return Phone(key.public_key)
