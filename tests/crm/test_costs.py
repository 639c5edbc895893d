"""What a message costs: expected when it is written, settled by the provider's own words, reckoned anew with other rates."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection

from crm import costs, outbound
from crm.models import Contact, Conversation, Message, Source
from crm.outbound.batching import Draft, compose_many
from tenants.context import system_transaction
from tests.crm.views.talk import NOON, conversation
from tests.crm.views.talk import outbound as sent
from whatsapp import rating
from whatsapp.models import Rate
from whatsapp.models import Template as StoredTemplate
from whatsapp.outgoing import Template, Text

pytestmark = pytest.mark.django_db


def approve(company, category="MARKETING"):
    StoredTemplate.objects.create(
        tenant=company.tenant, waba_id=company.number.waba_id, name="oferta", language="es", category=category,
        status="APPROVED", components=[{"type": "BODY", "text": "Hola"}],
    )  # fmt: skip
    return Template(name="oferta", language="es")


def compose(talk, content, **more):
    return outbound.compose(
        conversation=talk, content=content, source=Source.AGENT, client_id=uuid4(), now=NOON, **more
    )


def settle(*messages: Message) -> int:
    with system_transaction(), connection.cursor() as cursor:
        return costs.settle(cursor, [message.pk for message in messages])


def now(message: Message) -> tuple[Decimal | None, str, str]:
    with system_transaction():
        return Message.objects.values_list("cost_amount", "cost_currency", "country").get(pk=message.pk)


def test_a_message_carries_what_it_is_expected_to_cost(ours):
    with ours.transaction():
        offer, talk = approve(ours), conversation(ours)
        reply, template = compose(talk, Text("Hola")), compose(talk, offer)
    assert now(reply) == (Decimal("0.03"), "USD", "PE")
    assert now(template) == (Decimal("0.0703"), "USD", "PE")


def test_so_do_the_messages_of_a_batch(ours):
    with ours.transaction():
        offer, talks = approve(ours), [conversation(ours), conversation(ours, window_expires_at=NOON)]
        Contact.objects.filter(pk=talks[1].contact_id).update(phone="573005550142")
        talks[1].contact.refresh_from_db()
        drafts = [Draft(talk, content, uuid4()) for talk, content in zip(talks, [Text("Hola"), offer], strict=True)]
        ids = compose_many(drafts, source=Source.SEQUENCE, now=NOON)
        told = [Message.objects.get(pk=ids[draft.client_id]) for draft in drafts]
    assert [now(message) for message in told] == [(Decimal("0.03"), "USD", "PE"), (Decimal("0.0125"), "USD", "CO")]


def test_a_market_without_a_rate_has_no_price_and_says_so(ours):
    with ours.transaction():
        talk = conversation(ours)
        Contact.objects.filter(pk=talk.contact_id).update(phone="201001234567")
        talk.contact.refresh_from_db()
        price = costs.expected(talk, Text("Hola"), NOON)
        assert price.is_unknown and price.market == "Egypt"
        assert costs.in_words(price.amount, price.currency) == "unknown price"
        message = compose(talk, Text("Hola"))
    assert now(message) == (None, "USD", "EG")


def test_what_the_provider_does_not_charge_for_has_no_price_either(ours):
    with ours.transaction():
        type(ours.number).objects.filter(pk=ours.number.pk).update(provider="lite")
        talk = Conversation.objects.select_related("contact", "number").get(pk=conversation(ours).pk)
        price = costs.expected(talk, Text("Hola"), NOON)
    assert (price.amount, price.currency, price.is_priced, price.is_unknown) == (None, "", False, False)


def test_the_provider_s_word_settles_it_and_saying_it_twice_changes_nothing(ours):
    with ours.transaction():
        talk = conversation(ours)
        charged = sent(talk, pricing_category="utility", pricing_type="regular", billable=True)
        free = sent(talk, pricing_category="service", pricing_type="free_customer_service", billable=False)
        odd = sent(talk, pricing_category="general_purpose_ai", pricing_type="regular", billable=True)
    assert settle(charged, free, odd) == 3
    assert [now(each)[0] for each in (charged, free, odd)] == [Decimal("0.03"), Decimal(0), None]
    assert settle(charged, free, odd) == 0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_72_free_hours_begin_with_the_first_answer_that_is_called_free(ours, order):
    with ours.transaction():
        talk = conversation(ours)
        answers = [
            sent(talk, at=NOON + timedelta(hours=hours), pricing_category="referral_conversion", pricing_type="free_entry_point")
            for hours in (0, 5)
        ]  # fmt: skip
    for position in order:
        settle(answers[position])
    with ours.transaction():
        talk.refresh_from_db()
        assert talk.free_entry_expires_at == NOON + timedelta(hours=72)
        assert costs.expected(talk, Text("Hola"), NOON + timedelta(hours=71)).amount == 0
        assert costs.expected(talk, Text("Hola"), NOON + timedelta(hours=72)).amount == Decimal("0.03")


def test_other_rates_reckon_anew_what_was_sent_since(ours, django_capture_on_commit_callbacks):
    with ours.transaction():
        talk = conversation(ours)
        before = sent(
            talk, at=datetime(2026, 10, 31, 23, tzinfo=UTC), pricing_category="utility", pricing_type="regular"
        )
        after = sent(talk, at=datetime(2026, 11, 1, 1, tzinfo=UTC), pricing_category="utility", pricing_type="regular")
        waiting = sent(talk, at=NOON, status="queued")
    settle(before, after)
    with django_capture_on_commit_callbacks(execute=True):
        rating.load("Market,Currency,Utility\nPeru,USD,0.04\n", valid_from=date(2026, 11, 1))
    try:
        assert [now(each)[0] for each in (before, after, waiting)] == [
            Decimal("0.03"),
            Decimal("0.04"),
            Decimal("0.04"),
        ]
    finally:
        Rate.objects.filter(valid_from=date(2026, 11, 1)).delete()
        rating.forget_cards()
