"""How people get into a sequence by themselves, and how somebody's own words finish a task."""

from datetime import timedelta

import pytest

from crm import contacts
from crm.inbound import draining
from crm.models import Contact, Conversation
from sequences import enrolling, handwork
from sequences.models import Enrollment, ManualTask, Trigger
from tenants import clock
from tests import meta
from tests.crm.views.talk import NOON, conversation, inbound, outbound
from tests.sequences.conftest import Told, build, run, shut, step
from whatsapp.models import Number

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def begun(company, now=NOON) -> int:
    with company.transaction():
        return enrolling.enroll_by_trigger(now)


def test_the_same_person_twice_is_in_it_once(ours):
    with ours.transaction():
        sequence, talk = build(ours, step("uno")), conversation(ours)
        assert enrolling.enroll(sequence, [talk], now=NOON) == 1
        assert enrolling.enroll(sequence, [talk, talk], now=NOON) == 0


def test_a_first_message_begins_it_for_those_who_come_after(ours):
    with ours.transaction():
        conversation(ours, "Antes")
        Conversation.objects.update(created_at=NOON - HOUR)
        build(ours, step("hola"), trigger=Trigger.FIRST_MESSAGE, activated_at=NOON)
        talk = conversation(ours, "Después")
        Conversation.objects.filter(pk=talk.pk).update(created_at=NOON + HOUR)

    assert [begun(ours), begun(ours)] == [1, 0]
    with ours.transaction():
        assert Enrollment.objects.get().conversation == talk


def test_a_label_begins_it(ours):
    with ours.transaction():
        talk, _other = conversation(ours, "Con"), conversation(ours, "Sin")
        Contact.objects.filter(pk=talk.contact_id).update(labels=["cotizado", "vip"])
        build(ours, step("hola"), trigger=Trigger.LABEL, trigger_value="cotizado", activated_at=NOON)
    assert [begun(ours), begun(ours)] == [1, 0]


@pytest.mark.parametrize(
    ("last", "waiting", "expected"),
    [
        (NOON - timedelta(hours=48), None, 1),
        (NOON - timedelta(hours=47), None, 0),  # not long enough
        (NOON - timedelta(hours=97), None, 0),  # long before it was put to use
        (NOON - timedelta(hours=48), NOON, 0),  # they wait for us, not we for them
    ],
)
def test_no_reply_for_some_hours_begins_it(ours, last, waiting, expected):
    with ours.transaction():
        conversation(ours, last_message_at=last, waiting_since=waiting)
        build(ours, step("hola"), trigger=Trigger.NO_REPLY, trigger_value="48", activated_at=NOON - timedelta(hours=48))
    assert begun(ours) == expected


@pytest.mark.parametrize(
    ("trigger", "value", "cue", "expected"),
    [
        (Trigger.AD, "", "ad:1202", 1),
        (Trigger.AD, "1202", "ad:1202", 1),
        (Trigger.AD, "1202", "ad:12023", 0),
        (Trigger.AD, "", "button:sí", 0),
        (Trigger.BUTTON, " Quiero Verlo ", "button:quiero verlo", 1),
        (Trigger.BUTTON, "Quiero verlo", "button:quiero", 0),
        (Trigger.BUTTON, "ad:1202", "ad:1202", 0),
    ],
)
def test_an_ad_or_a_button_begins_it(ours, trigger, value, cue, expected):
    with ours.transaction():
        inbound(conversation(ours, "Con"), at=NOON, cue=cue)
        inbound(conversation(ours, "Sin"), at=NOON)
        build(ours, step("hola"), trigger=trigger, trigger_value=value, activated_at=NOON)
    assert [begun(ours), begun(ours)] == [expected, 0]


def test_a_press_of_before_begins_nothing_and_a_later_one_begins_it_again(ours):
    with ours.transaction():
        talk = conversation(ours)
        inbound(talk, at=NOON - HOUR, cue="button:sí")
        build(ours, step("hola"), trigger=Trigger.BUTTON, trigger_value="Sí", activated_at=NOON)
    assert begun(ours) == 0
    with ours.transaction():
        # Written by a phone whose clock is ahead of ours: one press all the same.
        inbound(talk, at=NOON + timedelta(minutes=4), cue="button:sí")
    assert begun(ours) == 1
    run()
    assert begun(ours, NOON + HOUR) == 0
    with ours.transaction():
        assert Enrollment.objects.get().state == "done"
        inbound(talk, at=NOON + 2 * HOUR, cue="button:sí")
    assert [begun(ours, NOON + 2 * HOUR), begun(ours, NOON + 2 * HOUR)] == [1, 0]


def test_what_a_message_begins_does_not_wait_for_the_next_look(ours, django_capture_on_commit_callbacks):
    with ours.transaction():
        now = clock.now()
        build(ours, step("hola"), trigger=Trigger.FIRST_MESSAGE, activated_at=now - HOUR)
        build(ours, step("hola"), name="Anuncio", trigger=Trigger.AD, activated_at=now - HOUR)
    meta.store(meta.body(meta.messages(meta.text("hola", at=int(now.timestamp())))))
    with django_capture_on_commit_callbacks(execute=True):
        draining.drain()
    with ours.transaction():
        assert [each.sequence.name for each in Enrollment.objects.select_related("sequence")] == ["Carrito"]


@pytest.mark.parametrize(
    ("rules", "change", "is_reached"),
    [
        ({"goal_label": "cliente"}, {"labels": ["vip", "cliente"]}, True),
        ({"goal_label": "cliente"}, {"labels": ["vip"]}, False),
        ({"goal_attribute": "pedido"}, {"attributes": {"pedido": "A-1042"}}, True),
        ({"goal_attribute": "pedido"}, {"attributes": {"pedido": ""}}, False),
        ({}, {"labels": [""], "attributes": {"": "x"}}, False),
    ],
)
@pytest.mark.parametrize("state", ["active", "paused", "task"])
def test_it_ends_well_once_its_goal_is_reached(ours, begin, rules, change, is_reached, state):
    enrollment = begin(step("uno", hours=1), step("dos", hours=1), rules=rules)
    shut(ours, enrollment)
    if state == "task":
        run(1)
    with ours.transaction():
        Enrollment.objects.update(state=state)
        contacts.change(Conversation.objects.get(pk=enrollment.conversation_id).contact, change, now=NOON)
    told = Told(ours, enrollment)
    assert told.state[0] == ("done" if is_reached else state)
    assert ((0, "goal", "goal") in told.runs) is is_reached
    assert [task.state for task in told.tasks] == ((["skipped"] if is_reached else ["open"]) if state == "task" else [])


def test_a_label_that_is_put_on_begins_it_at_once(ours):
    with ours.transaction():
        talk = conversation(ours)
        build(ours, step("hola"), trigger=Trigger.LABEL, trigger_value="cotizado", activated_at=NOON)
        contacts.label(talk.contact, add="cotizado", now=NOON)
        assert Enrollment.objects.get().conversation == talk


def test_one_for_some_numbers_takes_only_their_people(ours):
    with ours.transaction():
        numbers = [
            Number.objects.create(
                tenant=ours.tenant, provider="cloud", phone_number_id=f"10000000000009{place}", queue=ours.sales
            )
            for place in (1, 2)
        ]
        sequence, others = build(ours, step("uno")), build(ours, step("uno"), name="Para otros")
        sequence.limit_to([ours.number, numbers[0]])
        others.limit_to(numbers)
        talk = conversation(ours)
        assert enrolling.enroll(others, [talk], now=NOON) == 0
        assert enrolling.enroll(sequence, [talk], now=NOON) == 1
        assert list(others.narrowed(Conversation.objects.all())) == []
        assert list(sequence.narrowed(Conversation.objects.all())) == [talk]
        others.limit_to([])
        assert enrolling.enroll(others, [talk], now=NOON) == 1


def test_one_that_is_out_of_use_begins_with_nobody(ours):
    with ours.transaction():
        conversation(ours)
        sequence = build(ours, step("hola"), trigger=Trigger.FIRST_MESSAGE, activated_at=NOON - 9 * HOUR)
        sequence.is_active = False
        sequence.save()
    assert begun(ours) == 0


@pytest.mark.parametrize(
    ("state", "position", "steps", "expected"),
    [
        ("active", 1, 2, ("active", 1, 2)),
        ("paused", 1, 3, ("paused", 1, 2)),
        ("task", 1, 2, ("task", 1, 2)),
        ("active", 1, 1, ("done", 1, 1)),
        ("task", 1, 1, ("task", 1, 1)),  # somebody is at it
        ("done", 1, 2, ("done", 1, 1)),
    ],
)
def test_whoever_is_in_an_older_version_goes_on_with_the_new_one(ours, begin, state, position, steps, expected):
    enrollment = begin(step("uno", hours=1), step("dos", hours=1))
    with ours.transaction():
        Enrollment.objects.update(state=state, position=position)
        sequence = build(ours, *[step("nuevo", hours=9)] * steps, sequence=enrollment.sequence)
        enrolling.move(sequence, now=NOON)
        now = Enrollment.objects.select_related("version").get()
        assert (now.state, now.position, now.version.number) == expected
        assert enrolling.move(sequence, now=NOON) == 0


def test_leaving_out_a_step_by_hand_goes_on_with_the_next(ours, begin):
    enrollment = begin(step("uno", hours=1), step("dos", hours=1))
    with ours.transaction():
        assert enrolling.skip(enrollment, now=NOON) is True
    told = Told(ours, enrollment)
    assert told.state == ("active", 1, "")
    assert told.runs == [(0, "skip", "by_hand")]


# --- A task that somebody has done without saying so ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "source", "later", "is_done"),
    [
        ("¿Sigues ahi, rosa quispe?", "agent", HOUR, True),
        ("Hola. Sigues ahí Rosa Quispe? Te espero hasta las 6", "phone", HOUR, True),
        ("¿Sigues ahí, Rosa Quispe?", "agent", -HOUR, False),  # said before it was asked for
        ("¿Sigues?", "agent", HOUR, False),
        ("¿Sigues ahí, Rosa Quispe?", "sequence", HOUR, False),
    ],
)
def test_words_that_were_said_finish_the_task(ours, begin, said, source, later, is_done):
    enrollment = begin(step("¿Sigues ahí, {name}?"), step("fin", hours=1))
    shut(ours, enrollment)
    run()
    with ours.transaction():
        outbound(Conversation.objects.get(pk=enrollment.conversation_id), said, at=NOON + later, source=source)
        assert handwork.find_done(NOON + 2 * HOUR) == int(is_done)
        assert handwork.find_done(NOON + 2 * HOUR) == 0
        assert ManualTask.objects.get().state == ("done" if is_done else "open")
    assert Told(ours, enrollment).state[0] == ("active" if is_done else "task")
