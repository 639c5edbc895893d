"""Statuses in any order, any number of times, in any batches, before or after we know the message: the same row."""

from datetime import timedelta
from itertools import chain, combinations, permutations
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings

from crm import inbound, outbound
from crm.inbound import statuses
from crm.inbound.merging import Delivery
from crm.models import Contact, Conversation, Message, MessageStatus, UnmatchedStatus
from crm.outbound.settling import Outcome, settle
from crm.references import reference
from tenants.context import system_transaction
from tests import meta
from tests.crm.inbound.tellings import (
    MOMENT,
    PRICING,
    ROW,
    WORDS,
    agreed,
    merge,
    outgoing,
    row,
    rows,
    said,
    tell,
    two_tellings,
)
from whatsapp.models import Number
from whatsapp.providers import get_provider

pytestmark = pytest.mark.django_db

SUBSETS = [subset for size in range(1, 6) for subset in combinations(WORDS, size)]
ORDERS = [order for subset in SUBSETS for order in permutations(subset)]


@pytest.fixture
def conversation(ours):
    with ours.transaction():
        contact = Contact.objects.create(tenant=ours.tenant, phone="51900555014")
        return Conversation.objects.create(tenant=ours.tenant, contact=contact, number=ours.number, queue=ours.sales)


def by_subset(ends: list[tuple[Any, ...]]) -> dict[tuple[str, ...], list[tuple[Any, ...]]]:
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for order, end in zip(ORDERS, ends, strict=True):
        groups.setdefault(tuple(sorted(order)), []).append(end)
    return groups


def test_every_order_of_every_set_of_statuses_ends_in_the_same_row(conversation):
    """325 messages at once, each with an order of its own; the n-th status of each in the n-th batch, all twice."""
    messages = outgoing(conversation, len(ORDERS))
    for step in range(5):
        now = [said(order[step], message.provider_message_id) for order, message in zip(ORDERS, messages, strict=True) if len(order) > step]  # fmt: skip
        merge(now)
        merge(reversed(now))

    for subset, ends in by_subset(rows(messages)).items():
        agreed(ends, subset)


def test_in_one_batch_they_end_in_the_same_row_as_in_several(conversation):
    split, together = outgoing(conversation, len(ORDERS)), outgoing(conversation, len(ORDERS))
    for step in range(5):
        merge(said(order[step], message.provider_message_id) for order, message in zip(ORDERS, split, strict=True) if len(order) > step)  # fmt: skip
    merge(
        chain.from_iterable(
            [said(word, message.provider_message_id) for word in (*order, *order)]
            for order, message in zip(ORDERS, together, strict=True)
        )
    )

    assert rows(split) == rows(together)


def test_statuses_that_come_before_the_messages_id_end_in_the_same_row(ours, conversation):
    """Parked until the answer to our request brings the id; with every order, and split at every place."""
    known, early = outgoing(conversation, len(ORDERS)), outgoing(
        conversation, len(ORDERS), status="sending", provider_message_id=None, accepted_at=None
    )  # fmt: skip
    wamids = [f"wamid.early-{place}" for place in range(len(ORDERS))]
    for place, order in enumerate(ORDERS):
        cut = place % (len(order) + 1)
        merge(said(word, wamids[place]) for word in order[:cut])
        outcome = Outcome(early[place].pk, conversation.pk, 1, MessageStatus.ACCEPTED, wamids[place])
        settle(tenant_id=ours.tenant.pk, number=ours.number, outcomes=[outcome])
        merge(said(word, wamids[place]) for word in order[cut:])
        merge(said(word, known[place].provider_message_id) for word in order)

    without_time = [end[:1] + end[2:] for end in rows(early)]
    assert without_time == [end[:1] + end[2:] for end in rows(known)]
    with system_transaction():
        assert not UnmatchedStatus.objects.exists()


@pytest.mark.parametrize("known", ["by id", "by reference", "parked"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tellings=two_tellings())
def test_two_tellings_of_the_same_end_in_the_same_row(ours, conversation, known, tellings):
    facts, *both = tellings
    ends = []
    for telling in both:
        wamid = f"wamid.{uuid4()}"
        if known == "by id":
            (message,) = outgoing(conversation, provider_message_id=wamid)
        else:
            (message,) = outgoing(conversation, status="unknown", provider_message_id=None, accepted_at=None)
        mark = {"biz_opaque_callback_data": reference(message.pk, 1)} if known == "by reference" else {}
        for batch in telling:
            merge(tell(batch, wamid, **mark))
        if known == "parked":
            with system_transaction():
                Message.objects.filter(pk=message.pk).update(provider_message_id=wamid, status="accepted")
            outbound.reconcile()
        ends.append(row(message))

    agreed(ends, [word for word, *_ in facts])


def test_statuses_that_are_merged_again_write_nothing(conversation):
    messages = outgoing(conversation, len(SUBSETS))
    told = [said(word, message.provider_message_id, pricing=PRICING) for subset, message in zip(SUBSETS, messages, strict=True) for word in subset]  # fmt: skip
    merge(told)

    def versions() -> list[tuple]:
        with system_transaction():
            return list(
                Message.objects.order_by("pk").extra(select={"version": "xmin::text"}).values_list("pk", "version")
            )

    before = versions()
    for status in told:
        merge([status])
    merge(told)

    assert versions() == before


def test_a_late_sent_does_not_undo_read(conversation):
    (message,) = outgoing(conversation)
    merge([said("read", message.provider_message_id)])

    merge([said("sent", message.provider_message_id)])

    assert row(message)[0] == "read"


def test_a_delivery_undoes_a_failure_and_keeps_it_as_a_note(conversation):
    (message,) = outgoing(conversation)
    merge([said("failed", message.provider_message_id)])
    assert row(message)[0] == "failed"

    merge([said("delivered", message.provider_message_id)])

    end = dict(zip(ROW, row(message), strict=True))
    assert (end["status"], end["error_code"], end["error_reason"]) == ("delivered", 131026, "undeliverable")
    assert end["failed_at"] is not None


def test_a_failure_says_why_in_our_words(conversation):
    (message,) = outgoing(conversation)

    merge([said("failed", message.provider_message_id, errors=[{"code": 131047, "title": "Re-engagement message"}])])

    end = dict(zip(ROW, row(message), strict=True))
    assert (end["status"], end["error_reason"], end["error_code"]) == ("failed", "window_closed", 131047)
    assert end["error_detail"] == "Re-engagement message"


def test_a_failure_because_they_stopped_marketing_is_remembered(ours, conversation):
    (message,) = outgoing(conversation)

    merge([said("failed", message.provider_message_id, errors=[{"code": 131050, "title": "stopped"}])])

    with ours.transaction():
        assert Contact.objects.get().marketing_stopped


@pytest.mark.parametrize("status", ["sending", "unknown", "queued"])
def test_our_reference_finds_a_message_whose_id_we_never_got(conversation, status):
    (message,) = outgoing(
        conversation, status=status, provider_message_id=None, accepted_at=None, unknown_at=MOMENT, next_attempt_at=MOMENT,
        lease_expires_at=MOMENT + timedelta(minutes=1),
    )  # fmt: skip

    merge([said("delivered", "wamid.found", biz_opaque_callback_data=reference(message.pk, 1))])

    end = dict(zip(ROW, row(message), strict=True))
    assert end["status"] == "delivered"
    assert (end["lease_expires_at"], end["next_attempt_at"], end["unknown_at"]) == (None, None, None)
    with system_transaction():
        assert Message.objects.get(pk=message.pk).provider_message_id == "wamid.found"


def test_the_second_acceptance_of_one_message_does_not_move_the_first(conversation):
    (message,) = outgoing(conversation, provider_message_id="wamid.first")

    merge([said("read", "wamid.second", biz_opaque_callback_data=reference(message.pk, 1))])

    with system_transaction():
        stored = Message.objects.get(pk=message.pk)
        assert (stored.status, stored.provider_message_id) == ("accepted", "wamid.first")
        assert not UnmatchedStatus.objects.exists()


def test_what_is_found_by_its_id_and_by_our_reference_in_one_batch_is_locked_once_in_one_order(conversation):
    """Whichever of them was found first."""
    (by_reference,) = outgoing(conversation, status="unknown", provider_message_id=None, accepted_at=None)
    (by_id,) = outgoing(conversation)
    held: list[list[Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql is statuses._HOLD:
            held.append(params[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        merge([
            said("sent", by_id.provider_message_id, biz_opaque_callback_data=reference(by_id.pk, 1)),
            said("sent", "wamid.found", biz_opaque_callback_data=reference(by_reference.pk, 1)),
        ])  # fmt: skip

    assert [set(ids) for ids in held] == [{by_id.pk, by_reference.pk}]
    assert [row(message)[0] for message in (by_reference, by_id)] == ["sent", "sent"]


def test_a_reference_does_not_reach_a_message_of_another_number(ours, theirs, conversation):
    (message,) = outgoing(conversation, status="unknown", provider_message_id=None)
    happening = meta.statuses(
        said("read", "wamid.x", biz_opaque_callback_data=reference(message.pk, 1)), number_id="200000000000001"
    )
    with system_transaction():
        inbound.merge([Delivery("cloud", get_provider("cloud").parse(meta.body(happening)), MOMENT)])

    assert row(message)[0] == "unknown"


def test_statuses_of_the_customers_own_message_move_nothing(conversation):
    (message,) = outgoing(conversation, direction="inbound", status="received")

    merge([said("read", message.provider_message_id)])

    assert row(message)[0] == "received"


def test_an_unknown_word_changes_nothing_and_is_no_error(conversation):
    (message,) = outgoing(conversation)
    before = row(message)

    merge([meta.status("teleported", wamid=str(message.provider_message_id)), meta.status("warning", wamid="wamid.x")])

    assert row(message) == before
    with system_transaction():
        assert not UnmatchedStatus.objects.exists()


def test_a_message_and_its_statuses_in_any_order_end_in_the_same_rows(ours):
    """What our side typed on the phone arrives as an echo, before or after the statuses of it."""
    ends = []
    for order in permutations(range(3)):
        wamid = f"wamid.{uuid4()}"
        echo = {"from": "5115550101", "to": "51900555014", "id": wamid, "timestamp": str(meta.NOON), "type": "text",
                "text": {"body": "voy"}}  # fmt: skip
        bodies = [
            meta.body(meta.value(message_echoes=[echo]), field="smb_message_echoes"),
            meta.body(meta.statuses(said("delivered", wamid, pricing=PRICING))),
            meta.body(meta.statuses(said("sent", wamid))),
        ]
        for place in (*order, order[0]):
            meta.store(bodies[place])
            inbound.drain()
        with system_transaction():
            ends.append(Message.objects.values_list(*ROW).get(provider_message_id=wamid))

    assert len(set(ends)) == 1
    assert ends[0][0] == "delivered"


def test_a_status_marks_that_webhooks_of_the_number_arrive(ours, conversation):
    merge([said("sent", "wamid.whatever")])

    with ours.transaction():
        assert Number.objects.get().last_webhook_at is not None
