"""From a stored webhook to contact, conversation and message."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from crm import inbound
from crm.models import Contact, Conversation, Episode, Identity, Message, Reaction, UnmatchedStatus
from tenants.context import system_transaction
from tenants.models import Alert
from tests import meta
from tests.crm.inbound.people import snapshot
from whatsapp.models import EventState, Number, WebhookEvent

pytestmark = pytest.mark.django_db


def deliver(*values, **options) -> None:
    meta.store(meta.body(*values, **options))
    inbound.drain()


def test_a_customers_message_lands_in_the_numbers_queue(ours):
    deliver(meta.messages(meta.text("¿tienen talla 37?")))

    with ours.transaction():
        message = Message.objects.get()
        assert (message.text, message.direction, message.status) == ("¿tienen talla 37?", "inbound", "received")
        assert message.sent_at == datetime.fromtimestamp(meta.NOON, UTC)
        conversation = message.conversation
        assert (conversation.queue, conversation.unread_count) == (ours.sales, 1)
        assert conversation.waiting_since == message.sent_at
        assert conversation.window_expires_at == message.sent_at + timedelta(hours=24)
        assert conversation.last_message == message
        assert conversation.contact.profile_name == "Rosa Quispe"
        assert conversation.contact.phone == "51900555014"
        assert Episode.objects.filter(conversation=conversation, closed_at=None).count() == 1
    with system_transaction():
        event = WebhookEvent.objects.get()
        assert (event.state, event.tenant_id) == (EventState.DONE, ours.tenant.pk)


def test_what_is_written_in_a_group_is_no_conversation_and_said_so(ours):
    deliver(meta.messages(meta.text("hola a todos", group_id="120363-group")))
    deliver(meta.messages(meta.text("¿quién viene?", wamid="wamid.2", group_id="120363-group")))

    with ours.transaction():
        assert not Message.objects.exists() and not Contact.objects.exists()
    with system_transaction():
        alert = Alert.objects.get(kind="group-messages")
        assert (alert.tenant_id, alert.subject, alert.severity) == (ours.tenant.pk, str(ours.number.pk), "info")


def test_the_same_webhook_again_changes_nothing(ours):
    values = [meta.messages(meta.text()), meta.statuses(meta.status("read", wamid="wamid.unknown"))]
    deliver(*values)
    before = snapshot()

    deliver(*values)
    inbound.replay([1, 2])
    with system_transaction():
        inbound.replay(list(WebhookEvent.objects.values_list("pk", flat=True)))

    assert snapshot() == before


def test_every_entry_change_and_message_of_one_post_counts(ours, theirs):
    mixed = {
        "object": "whatsapp_business_account",
        "entry": [
            {"id": "1", "changes": [{"field": "messages", "value": meta.messages(meta.text(wamid="a"), meta.text(wamid="b", wa_id="51900555015"))}]},
            {"id": "2", "changes": [{"field": "messages", "value": meta.messages(meta.text(wamid="c"), number_id="200000000000001")}]},
        ],
    }  # fmt: skip
    import json

    meta.store(json.dumps(mixed).encode())
    inbound.drain()

    with ours.transaction():
        assert sorted(Message.objects.values_list("provider_message_id", flat=True)) == ["a", "b"]
    with theirs.transaction():
        assert [m.provider_message_id for m in Message.objects.all()] == ["c"]
    with system_transaction():
        assert WebhookEvent.objects.get().tenant_id is None


def test_a_person_without_any_phone_is_a_contact(ours):
    person = {"profile": {"name": "Lu", "username": "lu.mx"}, "user_id": "MX.1349abc"}
    message = {
        "from_user_id": "MX.1349abc",
        "id": "w1",
        "timestamp": str(meta.NOON),
        "type": "text",
        "text": {"body": "hi"},
    }
    deliver(meta.messages(message, contacts=[person]))

    with ours.transaction():
        contact = Contact.objects.get()
        assert (contact.phone, contact.username, contact.shown_name) == ("", "lu.mx", "Lu")
        assert Identity.objects.get().value == "MX.1349abc"


def test_a_phone_and_then_a_user_id_with_it_are_one_person(ours):
    deliver(meta.messages(meta.text(wamid="1")))
    both = meta.text(wamid="2", from_user_id="PE.77")
    deliver(meta.messages(both, contacts=[meta.contact(user_id="PE.77")]))
    only_id = {"from_user_id": "PE.77", "id": "3", "timestamp": str(meta.NOON), "type": "text", "text": {"body": "x"}}
    deliver(meta.messages(only_id, contacts=[{"profile": {"name": "Rosa"}, "user_id": "PE.77"}]))

    with ours.transaction():
        assert Contact.objects.count() == 1
        assert Conversation.objects.get().unread_count == 3


@pytest.mark.parametrize(("one", "other"), [("5511987654321", "551187654321"), ("5215512345678", "525512345678")])
def test_national_variants_of_a_phone_are_one_person(ours, one, other):
    deliver(meta.messages(meta.text(wamid="1", wa_id=one)), meta.messages(meta.text(wamid="2", wa_id=other)))

    with ours.transaction():
        assert Contact.objects.count() == 1


@pytest.mark.parametrize(
    ("message", "cue"),
    [
        (meta.text("hola", referral={"source_type": "ad", "source_id": "1202", "headline": "Botas"}), "ad:1202"),
        (meta.text("hola", referral={"source_type": "post"}), "ad:"),
        (meta.text(type="button", button={"payload": "p1", "text": " Quiero VERLO"}), "button:quiero verlo"),
        (
            meta.text(
                type="interactive", interactive={"type": "button_reply", "button_reply": {"id": "b1", "title": "Sí"}}
            ),
            "button:sí",
        ),
        (meta.text("button:sí"), ""),
    ],
)
def test_what_may_begin_a_sequence_is_kept_readable(ours, message, cue):
    deliver(meta.messages(message))
    with ours.transaction():
        assert Message.objects.get().cue == cue


def test_an_album_in_one_batch_is_one_conversation(ours):
    for number in range(20):
        meta.store(meta.body(meta.messages(meta.text(wamid=f"album-{number}"))))

    assert inbound.drain() == 20
    with ours.transaction():
        assert Conversation.objects.get().unread_count == 20


def test_a_number_nobody_has_waits_and_is_merged_once_it_exists(ours):
    from crm.bells import sweep

    deliver(meta.messages(meta.text(), number_id="999"))
    with system_transaction():
        event = WebhookEvent.objects.get()
        assert (event.state, event.unrouted_number_ids) == (EventState.UNROUTED, ["999"])
        assert Alert.objects.get().kind == "webhook-unrouted"

    with ours.transaction():
        Number.objects.create(tenant=ours.tenant, alias="late", phone_number_id="999")
    sweep()
    inbound.drain()

    with ours.transaction():
        assert Message.objects.get().conversation.queue == ours.triage
    with system_transaction():
        assert Alert.objects.get().resolved_at is not None


def test_a_conversation_leaves_triage_when_its_number_gets_a_queue(ours):
    with ours.transaction():
        ours.number.queue = None
        ours.number.save(update_fields=["queue"])
    deliver(meta.messages(meta.text(wamid="1")))
    with ours.transaction():
        assert Conversation.objects.get().queue == ours.triage
        ours.number.queue = ours.sales
        ours.number.save(update_fields=["queue"])

    deliver(meta.messages(meta.text(wamid="2")))

    with ours.transaction():
        assert Conversation.objects.get().queue == ours.sales


def test_what_cannot_be_read_is_kept_as_dead_and_spoils_nothing(ours):
    meta.store(b"not json at all")
    meta.store(b"[1, 2]")
    deliver(meta.messages(meta.text()))

    with system_transaction():
        assert sorted(WebhookEvent.objects.values_list("state", flat=True)) == ["dead", "dead", "done"]
        assert Alert.objects.filter(kind="webhook-dead").count() == 2
    with ours.transaction():
        assert Message.objects.count() == 1


def test_a_webhook_that_fails_is_tried_again_and_then_given_up(ours, monkeypatch):
    from crm.inbound import draining

    real = draining._merge_stored

    def fails_for_poison(cursor, stored):
        if any(b"poison" in one.body for one in stored):
            raise RuntimeError("cannot")
        return real(cursor, stored)

    monkeypatch.setattr(draining, "_merge_stored", fails_for_poison)
    meta.store(meta.body(meta.messages(meta.text("poison", wamid="p"))))
    meta.store(meta.body(meta.messages(meta.text("fine", wamid="f"))))

    for _ in range(draining.TRIES):
        inbound.drain()
        with system_transaction(), connection.cursor() as cursor:
            cursor.execute("UPDATE whatsapp_webhookevent SET next_attempt_at = now()")

    with system_transaction():
        states = dict(WebhookEvent.objects.values_list("id", "state"))
        assert sorted(states.values()) == ["dead", "done"]
        assert WebhookEvent.objects.get(state="dead").attempts == draining.TRIES
    with ours.transaction():
        assert Message.objects.get().text == "fine"


def test_nul_bytes_and_lone_surrogates_arrive_as_something_readable(ours):
    deliver(meta.messages(meta.text("a\x00b\ud800c")))

    with ours.transaction():
        assert Message.objects.get().text.startswith("a")


def test_a_reaction_is_on_its_message_and_is_no_message(ours):
    reaction = {"from": "51900555014", "id": "r1", "timestamp": str(meta.NOON + 5), "type": "reaction",
                "reaction": {"message_id": "wamid.1", "emoji": "🙏"}}  # fmt: skip
    deliver(meta.messages(reaction))
    deliver(meta.messages(meta.text()))
    removed = reaction | {"id": "r0", "timestamp": str(meta.NOON + 1), "reaction": {"message_id": "wamid.1"}}
    deliver(meta.messages(removed))

    with ours.transaction():
        assert Message.objects.count() == 1
        assert Reaction.objects.get().emoji == "🙏"


def test_an_answer_typed_on_the_phone_ends_the_waiting_in_any_order(ours):
    inbound_, echo = meta.text(wamid="in", at=meta.NOON), {
        "from": "5115550101", "to": "51900555014", "id": "echo", "timestamp": str(meta.NOON + 60), "type": "text",
        "text": {"body": "voy"},
    }  # fmt: skip
    ends = []
    for order in ((0, 1), (1, 0)):
        for step in order:
            if step:
                deliver(meta.value(message_echoes=[echo]), field="smb_message_echoes")
            else:
                deliver(meta.messages(inbound_))
        with ours.transaction():
            conversation = Conversation.objects.get()
            ends.append((conversation.waiting_since, conversation.unread_count, conversation.last_message.source))
            Message.objects.all().delete()
            Conversation.objects.all().delete()

    assert ends == [(None, 0, "phone")] * 2


def test_a_changed_number_relinks_and_makes_no_second_contact(ours):
    deliver(meta.messages(meta.text(wamid="1", from_user_id="PE.1"), contacts=[meta.contact(user_id="PE.1")]))
    changed = {
        "from": "51900555014", "id": "sys", "timestamp": str(meta.NOON + 1), "type": "system",
        "system": {"body": "Rosa changed", "type": "user_changed_number", "wa_id": "51911111111"},
    }  # fmt: skip
    deliver(meta.messages(changed, contacts=[]))
    deliver(meta.messages(meta.text(wamid="2", wa_id="51911111111")))

    with ours.transaction():
        assert Contact.objects.get().phone == "51911111111"
        assert Conversation.objects.get().unread_count == 2


@pytest.mark.parametrize(
    "order", [("first", "changed", "second"), ("changed", "first", "second"), ("changed", "second", "first")]
)
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_a_number_that_changes_before_we_knew_it_is_one_contact_all_the_same(ours, order, in_one_batch):
    said = {
        "first": meta.text(wamid="1"),
        "changed": {
            "from": "51900555014", "id": "sys", "timestamp": str(meta.NOON + 1), "type": "system",
            "system": {"body": "Rosa changed", "type": "user_changed_number", "wa_id": "51911111111"},
        },
        "second": meta.text(wamid="2", wa_id="51911111111", at=meta.NOON + 2),
    }  # fmt: skip
    for which in order:
        meta.store(meta.body(meta.messages(said[which], contacts=[])))
        if not in_one_batch:
            inbound.drain()
    inbound.drain()

    with ours.transaction():
        assert Contact.objects.get().phone == "51911111111"
        assert Conversation.objects.get().unread_count == 2
        assert Message.objects.filter(conversation=Conversation.objects.get()).count() == 3


def test_a_status_that_nobody_knows_is_parked(ours):
    deliver(meta.statuses(meta.status("delivered", wamid="wamid.later")))

    with ours.transaction():
        assert UnmatchedStatus.objects.get().status == "delivered"


def test_a_closed_conversation_opens_again_as_a_new_episode(ours):
    from crm import routing

    deliver(meta.messages(meta.text(wamid="1")))
    with ours.transaction():
        routing.close(conversation=Conversation.objects.get(), actor=ours.ana, now=datetime.now(UTC))

    deliver(meta.messages(meta.text(wamid="2", at=meta.NOON + 10)))

    with ours.transaction():
        conversation = Conversation.objects.get()
        assert (conversation.status, conversation.unread_count) == ("open", 1)
        assert conversation.waiting_since == datetime.fromtimestamp(meta.NOON + 10, UTC)
        assert Episode.objects.count() == 2
