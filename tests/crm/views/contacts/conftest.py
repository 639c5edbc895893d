"""Rosa and Luis, whom our people know."""

import pytest

from crm.models import Contact, Identity
from tests.crm.views.talk import conversation


@pytest.fixture
def rosa(ours, now):
    with ours.transaction():
        talk = conversation(ours, "Rosa Quispe", now=now, identified=True)
        Contact.objects.filter(pk=talk.contact_id).update(seen_at=now, phone="51900555014", labels=["vip"])
        Identity.objects.update(value="51900555014", address="51900555014")
        return Contact.objects.get()


@pytest.fixture
def luis(ours):
    with ours.transaction():
        contact = Contact.objects.create(tenant=ours.tenant, name="Luis Rojas", email="luis@correo.example")
        Identity.objects.create(tenant=ours.tenant, contact=contact, kind="phone", value="51900555077")
        return contact
