"""Several contacts become one and several again, and whatever arrives meanwhile lands where it belongs."""

import json
import random
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import inbound, merges
from crm.models import (
    Activity,
    Contact,
    ContactMerge,
    ContactWord,
    Conversation,
    DeliveryIssue,
    Episode,
    Identity,
    Message,
)
from sequences.models import Broadcast, Enrollment, ManualTask, Recipient
from tests import meta
from tests.cast import Company
from tests.crm.inbound.people import said
from tests.crm.views.talk import NOON
from tests.crm.views.talk import conversation as begin
from tests.crm.views.talk import inbound as wrote
from tests.crm.views.talk import outbound as answered
from tests.sequences.conftest import build, step
from whatsapp.flows.exchanging import Invitation, answer, invite
from whatsapp.models import Flow, FlowToken, Number

pytestmark = pytest.mark.django_db

TABLES = (
    "crm_contact", "crm_identity", "crm_contactword", "crm_conversation", "crm_message", "crm_episode", "crm_activity",
    "crm_deliveryissue", "crm_messageword", "sequences_enrollment", "sequences_manualtask", "sequences_recipient",
    "whatsapp_flowtoken",
)  # fmt: skip


def everything(company: Company) -> dict[str, list[str]]:
    """Every row of the tables that a merge touches, as text."""
    found = {}
    with company.transaction(), connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            found[table] = [row[0] for row in cursor.fetchall()]
    return found


def merge(company: Company, *people: Contact, **choices: Any) -> ContactMerge:
    with company.transaction():
        return merges.merge(
            [person.pk for person in people], tenant_id=company.tenant.pk, by=company.supervisor, now=NOON, **choices
        )


def undo(company: Company, merged: ContactMerge, *, now: Any = NOON + timedelta(days=1)) -> None:
    with company.transaction():
        merges.undo(merged, by=company.supervisor, now=now)


@pytest.fixture
def pair(ours: Company) -> tuple[Conversation, Conversation]:
    """Rosa twice: each with a conversation with the same number, messages, an open episode, and what hangs on it."""
    with ours.transaction():
        first = begin(ours, "Rosa Quispe", now=NOON, identified=True, unread_count=2)
        second = begin(ours, "Rosa Q.", now=NOON, identified=True, unread_count=1, wrote_at=NOON - timedelta(minutes=5))
        Contact.objects.filter(pk=first.contact_id).update(labels=["VIP"], attributes={"ciudad": "Lima", "talla": "M"})
        Contact.objects.filter(pk=second.contact_id).update(
            labels=["vip", "feria"], attributes={"ciudad": "Cusco", "año": 1991}, email="rosa@correo.example"
        )
        sequence = build(ours, step("hola"))
        other = build(ours, step("hola"), name="Otra")
        for talk in (first, second):
            wrote(talk, "Hola")
            answered(talk, "¿Sí?")
            Episode.objects.create(tenant=ours.tenant, conversation=talk, opened_at=talk.last_inbound_at)
            Activity.objects.create(tenant=ours.tenant, conversation=talk, kind="closed", at=NOON)
            DeliveryIssue.objects.create(
                tenant=ours.tenant, conversation=talk, number=ours.number, level="probable", likelihood=0.96, misses=2,
                since=NOON, found_at=NOON, judged_at=NOON,
            )  # fmt: skip
            enrollment = Enrollment.objects.create(
                tenant=ours.tenant, sequence=sequence, version=sequence.version, conversation=talk, state="task",
                since=NOON, created_at=NOON,
            )  # fmt: skip
            ManualTask.objects.create(
                tenant=ours.tenant,
                enrollment=enrollment,
                conversation=talk,
                position=0,
                why="no_template",
                created_at=NOON,
            )
        Enrollment.objects.create(
            tenant=ours.tenant, sequence=other, version=other.version, conversation=second, since=NOON, created_at=NOON,
            due_at=NOON,
        )  # fmt: skip
        for fate in ("waiting", "sent"):
            broadcast = Broadcast.objects.create(
                tenant=ours.tenant, name=fate, number=ours.number, template_name="t", template_language="es",
                template_category="utility", created_at=NOON,
            )  # fmt: skip
            for place, talk in enumerate((first, second)):
                Recipient.objects.create(
                    tenant=ours.tenant, broadcast=broadcast, position=place, conversation=talk, fate=fate
                )
        talks = Conversation.objects.select_related("contact").in_bulk([first.pk, second.pk])
    return talks[first.pk], talks[second.pk]


def test_the_two_become_one_contact_with_one_conversation(ours, pair):
    first, second = pair

    merge(ours, first.contact, second.contact)

    with ours.transaction():
        contact, talk = Contact.objects.get(), Conversation.objects.get()
        assert (contact.pk, talk.pk) == (first.contact_id, first.pk)
        assert (contact.name, contact.email) == ("Rosa Quispe", "rosa@correo.example")
        assert contact.labels == ["VIP", "feria"]
        assert contact.attributes == {"ciudad": "Lima", "talla": "M", "año": 1991}
        assert Identity.objects.filter(contact=contact).count() == 2
        assert Message.objects.filter(conversation=talk).count() == 4
        assert talk.unread_count == 3
        assert talk.last_message_at == second.last_message_at
        assert talk.waiting_since == first.waiting_since
        assert talk.window_expires_at == second.window_expires_at
        assert list(Activity.objects.filter(kind="merged").values_list("facts__name", flat=True)) == ["Rosa Q."]


def test_one_opening_one_suspicion_and_one_run_of_a_sequence_go_on(ours, pair):
    first, second = pair

    merge(ours, first.contact, second.contact)

    with ours.transaction():
        assert Episode.objects.get(closed_at=None).opened_at == first.last_inbound_at
        assert Episode.objects.count() == DeliveryIssue.objects.count() == 2
        assert DeliveryIssue.objects.filter(state="open").count() == 1
        assert sorted(Enrollment.objects.values_list("state", "reason")) == [
            ("active", ""),
            ("stopped", "merged"),
            ("task", ""),
        ]
        assert sorted(ManualTask.objects.values_list("state", flat=True)) == ["open", "skipped"]
        assert sorted(Recipient.objects.values_list("fate", "reason")) == [
            ("sent", ""), ("sent", ""), ("skipped", "twice"), ("waiting", ""),
        ]  # fmt: skip
        assert set(Enrollment.objects.values_list("conversation", flat=True)) == {first.pk}


def test_undone_every_row_is_as_it_was(ours, pair):
    before = everything(ours)

    merged = merge(ours, *(talk.contact for talk in pair))
    assert everything(ours) != before
    undo(ours, merged)

    assert everything(ours) == before


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_they_have_undone_is_as_it_was(ours, data):
    """Two to four people with any of two numbers, in any state, merged into any of them."""
    rng = random.Random(data.draw(st.integers(0, 10**9)))
    with ours.transaction():
        other, _new = Number.objects.get_or_create(
            tenant=ours.tenant, phone_number_id="100000000000077", defaults={"waba_id": "3", "alias": "otra"}
        )
        people = []
        for place in range(data.draw(st.integers(2, 4))):
            contact = Contact.objects.create(
                tenant=ours.tenant, name=rng.choice(["", f"Rosa {place}"]), labels=rng.sample(["a", "B", "b", "c"], 2),
                marketing_stopped=rng.random() < 0.3, marketing_preference_at=rng.choice([None, NOON]),
                marketing_consent_at=rng.choice([None, NOON]), attributes=rng.choice([{}, {"a": place}]),
            )  # fmt: skip
            Identity.objects.create(tenant=ours.tenant, contact=contact, kind="bsuid", value=f"PE.{uuid4().hex}")
            people.append(contact)
            for number in rng.sample([ours.number, other], rng.randint(0, 2)):
                at = rng.choice([None, NOON - timedelta(minutes=rng.randint(0, 9))])
                talk = Conversation.objects.create(
                    tenant=ours.tenant, contact=contact, number=number, queue=rng.choice([ours.sales, ours.support]),
                    status=rng.choice(["open", "closed", "pending"]), unread_count=rng.randint(0, 3), waiting_since=at,
                    window_expires_at=at, last_inbound_at=at, suspicion=rng.choice(["", "probable"]),
                )  # fmt: skip
                for _ in range(rng.randint(0, 3)):
                    wrote(talk, "x", at=NOON - timedelta(minutes=rng.randint(0, 99)))
                if rng.random() < 0.6:
                    Episode.objects.create(tenant=ours.tenant, conversation=talk, opened_at=NOON)
    rng.shuffle(people)
    before = everything(ours)

    merged = merge(ours, *people)
    with ours.transaction():
        assert Contact.objects.filter(pk__in=[each.pk for each in people]).get() == people[0]
        assert not Conversation.objects.filter(contact__in=people[1:]).exists()
    undo(ours, merged)

    assert everything(ours) == before


def test_what_was_changed_since_stays_with_the_one_that_stayed(ours, pair):
    first, second = pair
    merged = merge(ours, first.contact, second.contact)
    with ours.transaction():
        Contact.objects.update(name="Rosa Quispe Mamani")
        newer = wrote(Conversation.objects.get(), "otra cosa", at=NOON + timedelta(hours=3))

    undo(ours, merged)

    with ours.transaction():
        kept, back = Contact.objects.get(pk=first.contact_id), Contact.objects.get(pk=second.contact_id)
        assert (kept.name, kept.email, kept.labels) == ("Rosa Quispe Mamani", "", ["VIP"])
        assert (back.name, back.email) == ("Rosa Q.", "rosa@correo.example")
        assert Conversation.objects.get(contact=kept).last_message == newer
        assert Message.objects.filter(conversation__contact=back).count() == 2


@pytest.mark.parametrize("of", [0, 1])
def test_a_webhook_of_either_lands_with_the_one_and_after_undoing_with_its_own(ours, of):
    phones = ["51900555014", "51900555015"]
    for place, phone in enumerate(phones):
        meta.store(meta.body(said(f"w{place}", phone=phone)))
    inbound.drain()
    with ours.transaction():
        people = [Identity.objects.get(value=phone).contact for phone in phones]
    merged = merge(ours, *people)

    meta.store(meta.body(said("later", phone=phones[of], at=meta.NOON + 60)))
    inbound.drain()

    with ours.transaction():
        assert Message.objects.get(provider_message_id="later").conversation.contact == people[0]
        assert (Contact.objects.count(), Conversation.objects.count()) == (1, 1)
    undo(ours, merged)
    meta.store(meta.body(said("last", phone=phones[of], at=meta.NOON + 90)))
    inbound.drain()
    with ours.transaction():
        assert Message.objects.get(provider_message_id="last").conversation.contact == people[of]


def test_the_one_is_found_by_the_words_of_both(ours, pair):
    first, second = pair
    merge(ours, first.contact, second.contact)

    with ours.transaction():
        for phone in Identity.objects.values_list("value", flat=True):
            assert Contact.objects.matching(phone).get().pk == first.contact_id
        assert set(ContactWord.objects.values_list("contact_id", flat=True)) == {first.contact_id}


def test_the_strictest_wish_counts(ours, pair):
    first, second = pair
    with ours.transaction():
        Contact.objects.filter(pk=first.contact_id).update(marketing_consent_at=NOON, marketing_source="person")
        Contact.objects.filter(pk=second.contact_id).update(
            marketing_stopped=True, marketing_preference_at=NOON, marketing_source="word"
        )

    merge(ours, first.contact, second.contact)

    with ours.transaction():
        contact = Contact.objects.get()
        assert (contact.marketing_stopped, contact.marketing_source, contact.marketing_consent_at) == (
            True,
            "word",
            None,
        )


def test_one_client_id_twice_does_not_stand_in_the_way(ours, pair):
    same = uuid4()
    with ours.transaction():
        for talk in pair:
            answered(talk, "campaña", client_id=same)
    before = everything(ours)

    merged = merge(ours, *(talk.contact for talk in pair))
    with ours.transaction():
        assert Message.objects.filter(client_id=same).count() == 1
    undo(ours, merged)

    assert everything(ours) == before


def test_it_can_be_undone_once_and_for_a_week(ours, pair):
    merged = merge(ours, *(talk.contact for talk in pair))

    with pytest.raises(merges.CannotMerge):
        undo(ours, merged, now=NOON + timedelta(days=7))
    undo(ours, merged)
    with pytest.raises(merges.CannotMerge):
        undo(ours, merged)


@pytest.fixture
def invited(ours: Company, pair: tuple[Conversation, Conversation]) -> list[str]:
    """Both were sent the same form; gives their tokens."""
    with ours.transaction():
        flow = Flow.objects.create(
            tenant=ours.tenant, waba_id=ours.number.waba_id, name="Encuesta", status="PUBLISHED", provider_flow_id="1",
            source=json.dumps({"screens": [{"id": "SURVEY", "terminal": True, "layout": {"children": []}}]}),
        )  # fmt: skip
        invite([Invitation(flow.pk, ours.number.pk, talk.pk, f"token-{talk.pk}") for talk in pair], now=NOON)
    return [f"token-{talk.pk}" for talk in pair]


def test_a_form_that_was_sent_to_either_is_filled_in_by_the_one_that_stays(ours, pair, invited):
    first, second = pair

    merged = merge(ours, first.contact, second.contact)

    with ours.transaction():
        assert set(FlowToken.objects.values_list("holder", flat=True)) == {first.pk}
        for token in invited:
            request = {"action": "INIT", "screen": "", "flow_token": token, "data": {}}
            assert answer(request, now=NOON + timedelta(hours=1)).body["screen"] == "SURVEY"

    undo(ours, merged)

    with ours.transaction():
        held = dict(FlowToken.objects.values_list("digest", "holder"))
    assert held == {FlowToken.digest_of(f"token-{talk.pk}"): talk.pk for talk in pair}


def test_a_merge_of_a_merge_is_undone_from_the_last(ours, pair):
    first, second = pair
    with ours.transaction():
        third = begin(ours, "Rosa Tercera", now=NOON)
    before = everything(ours)
    inner = merge(ours, first.contact, second.contact)
    outer = merge(ours, third.contact, first.contact)

    with pytest.raises(merges.CannotMerge):
        undo(ours, inner)
    undo(ours, outer)
    undo(ours, inner)

    assert everything(ours) == before


@pytest.mark.parametrize("count", [0, 1, 11])
def test_too_few_and_too_many_are_refused(ours, count):
    with ours.transaction(), pytest.raises(merges.CannotMerge):
        merges.merge([uuid4() for _ in range(count)], tenant_id=ours.tenant.pk, by=None, now=NOON)


def test_another_companys_contact_is_not_merged(ours, theirs, pair):
    with theirs.transaction():
        stranger = begin(theirs, "Nadie", now=NOON).contact
    before = everything(ours), everything(theirs)

    with pytest.raises(merges.CannotMerge):
        merge(ours, pair[0].contact, stranger)

    assert (everything(ours), everything(theirs)) == before


def test_what_points_at_a_conversation_in_a_layer_above_is_followed():
    """Whoever adds a table that points at conversations or contacts lets `sequences.following` move it."""
    from sequences import following

    above = set()
    for model in (Contact, Conversation):
        for field in model._meta.get_fields(include_hidden=True):
            related = getattr(field, "related_model", None)
            if field.auto_created and related and related._meta.app_label != "crm":
                above.add((related._meta.db_table, field.field.column))
    assert above == {(table, "conversation_id") for table in following._TABLES}


def test_what_is_kept_for_undoing_is_dropped_after_a_week(ours, pair):
    from tenants.context import system_transaction

    merged = merge(ours, *(talk.contact for talk in pair))
    with system_transaction():
        assert merges.forget(NOON + timedelta(days=6)) == 0
        assert merges.forget(NOON + timedelta(days=8)) == 1

    with ours.transaction():
        merged.refresh_from_db()
        assert (merged.rows, merged.moved) == (None, {})
        assert not merged.can_be_undone(NOON)
