"""A merge of contacts and a webhook of one of them at the same moment: nothing is lost and nobody is there twice."""

import threading

import pytest

from crm import inbound, merges
from crm.inbound import draining
from crm.models import Contact, Conversation, Identity, Message
from tests import meta
from tests.at_once import at_once
from tests.cast import Company, found_company
from tests.crm.inbound.people import merge_held, said
from tests.crm.views.talk import NOON

PHONES = ("51900555014", "51900555015")


@pytest.fixture
def people(committed: None) -> tuple[Company, list[Contact]]:
    company = found_company("ours", number_id="100000000000001")
    for place, phone in enumerate(PHONES):
        meta.store(meta.body(said(f"w{place}", phone=phone)))
    inbound.drain()
    with company.transaction():
        return company, [Identity.objects.select_related("contact").get(value=phone).contact for phone in PHONES]


def landed(company: Company, kept: Contact) -> None:
    with company.transaction():
        assert Contact.objects.get() == kept
        talk = Conversation.objects.get()
        assert talk.contact_id == kept.pk
        assert sorted(Message.objects.values_list("provider_message_id", "conversation")) == [
            (wamid, talk.pk) for wamid in ("later", "w0", "w1")
        ]
        assert talk.last_message.provider_message_id == "later"
        assert talk.unread_count == 3


def test_a_webhook_that_is_being_merged_is_waited_for(people):
    company, (kept, other) = people
    held, go_on = threading.Event(), threading.Event()

    def unite() -> None:
        assert held.wait(10)
        threading.Timer(0.3, go_on.set).start()  # by then it waits for the conversation
        with company.transaction():
            merges.merge([kept.pk, other.pk], tenant_id=company.tenant.pk, by=None, now=NOON)

    at_once(merge_held(said("later", phone=PHONES[1], at=meta.NOON + 60), held=held, go_on=go_on), unite)

    landed(company, kept)


def test_a_webhook_that_found_the_one_that_goes_is_merged_again(people):
    company, (kept, other) = people
    united, go_on = threading.Event(), threading.Event()

    def unite() -> None:
        with company.transaction():
            merges.merge([kept.pk, other.pk], tenant_id=company.tenant.pk, by=None, now=NOON)
            united.set()
            assert go_on.wait(10)

    def write() -> None:
        assert united.wait(10)
        event_id = meta.store(meta.body(said("later", phone=PHONES[1], at=meta.NOON + 60)))
        threading.Timer(0.3, go_on.set).start()  # by then it has found the contact that is going
        draining._drain_one(event_id)

    at_once(unite, write)
    _drain_what_was_put_off()

    landed(company, kept)


def _drain_what_was_put_off() -> None:
    from django.db import connection

    from tenants.context import system_transaction

    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE whatsapp_webhookevent SET next_attempt_at = now() - interval '1 second' WHERE state = 'new'"
        )
    inbound.drain()
