"""What is due is decided once, whoever runs it and however often; each end of a sequence, with its explanation."""

from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection

from crm.models import Budget, Contact, Conversation, Message
from sequences import enrolling, runner
from sequences.definition import Card, Closed, Definition, Form, Place, Step, Variant
from sequences.models import Enrollment, Sequence, StepRun
from sequences.words import facts_words
from tenants.context import system_transaction
from tests.at_once import at_once
from tests.cast import found_company
from tests.crm.flows.conftest import published
from tests.crm.views.talk import NOON, conversation
from tests.sequences.conftest import Told, approve, build, run, shut, step
from whatsapp.capabilities import CAPABILITIES
from whatsapp.flows import keys
from whatsapp.models import FlowToken, Number


def test_steps_follow_each_other_in_their_time(ours, begin):
    enrollment = begin(step("uno {name}"), step("dos", hours=2), step("tres", hours=3))

    assert run() == 1
    assert run(1.99) == 0
    assert run(2) == 1
    assert run(2) == 0
    assert run(5) == 1

    told = Told(ours, enrollment)
    assert told.state == ("done", 2, "finished")
    assert told.sent == [("text", "uno Rosa Quispe"), ("text", "dos"), ("text", "tres")]
    assert told.runs == [(0, "send", "window_open"), (1, "send", "window_open"), (2, "send", "window_open")]
    assert told.enrollment.ended_at == NOON + timedelta(hours=5)


def test_a_closed_window_sends_the_template_and_without_one_a_person_is_asked(ours, begin):
    with ours.transaction():
        approve(ours)
    enrollment = begin(step(template="carrito"), step("¿Sigues ahí?", hours=1), step("fin", hours=1))
    shut(ours, enrollment)

    run()
    told = Told(ours, enrollment)
    assert told.sent == [("template", "Hola Rosa Quispe, tu carrito espera.")]

    run(1)
    told = Told(ours, enrollment)
    assert told.state == ("task", 1, "no_template")
    assert [(task.why, task.text, task.state) for task in told.tasks] == [("no_template", "¿Sigues ahí?", "open")]
    assert run(50) == 0  # it waits for the person


@pytest.mark.parametrize(
    ("category", "status", "why"), [("MARKETING", "PAUSED", "template_state"), ("MARKETING", "APPROVED", "opted_out")]
)
def test_a_template_that_may_not_go_becomes_a_task(ours, begin, category, status, why):
    with ours.transaction():
        template = approve(ours, category=category)
        template.status = status
        template.save()
    enrollment = begin(step("", template="carrito"))
    shut(ours, enrollment)
    if why == "opted_out":
        with ours.transaction():
            Contact.objects.update(marketing_stopped=True)

    run()

    told = Told(ours, enrollment)
    assert told.state == ("task", 0, why)
    assert told.sent == []
    assert told.tasks[0].template_name == "carrito"


def test_a_step_may_be_left_out_but_never_in_silence(ours, begin):
    enrollment = begin(Step("", variants=(Variant(text="hola"),), closed=Closed.SKIP), step("dos", hours=30))
    shut(ours, enrollment)

    run()

    told = Told(ours, enrollment)
    assert told.state == ("active", 1, "")
    assert told.runs == [(0, "skip", "no_template")]


def test_running_twice_changes_nothing(ours, begin):
    enrollment = begin(step("uno"), step("dos", hours=1))
    run()
    before = Told(ours, enrollment)
    with ours.transaction():  # a worker that was killed before its commit: the row is due again
        Enrollment.objects.filter(pk=enrollment.pk).update(position=0, due_at=NOON, state="active")

    run()

    after = Told(ours, enrollment)
    assert after.sent == before.sent == [("text", "uno")]
    assert after.runs == before.runs


def test_the_reply_on_its_way_when_a_step_ran_pauses_the_next(ours, begin):
    """WhatsApp's time of the reply is before our decision; it reached us after it."""
    enrollment = begin(step("uno"), step("dos", hours=1))
    run(0.001)
    with ours.transaction():
        Conversation.objects.filter(pk=enrollment.conversation_id).update(last_inbound_at=NOON)

    run(1.1)

    assert Told(ours, enrollment).state == ("paused", 1, "replied")


def test_a_reply_pauses_at_once_by_the_announcement_of_the_merge(ours, begin):
    enrollment = begin(step("uno", hours=1))
    with ours.transaction():
        contact = Conversation.objects.get(pk=enrollment.conversation_id).contact_id

    from sequences.receivers import pause

    pause(None, tenant_id=ours.tenant.pk, contact_ids=[contact], at=NOON + timedelta(minutes=5))

    told = Told(ours, enrollment)
    assert told.state == ("paused", 0, "replied")
    assert told.runs == [(0, "pause", "replied")]
    assert run(2) == 0

    with ours.transaction():
        Conversation.objects.filter(pk=enrollment.conversation_id).update(last_inbound_at=NOON + timedelta(minutes=5))
        assert enrolling.resume(told.enrollment, now=NOON + timedelta(hours=3)) is True
        assert enrolling.resume(told.enrollment, now=NOON + timedelta(hours=3)) is False
    run(3)
    assert Told(ours, enrollment).sent == [("text", "uno")]


@pytest.mark.parametrize(
    ("rules", "change", "state"),
    [
        ({"stop_on_reply": True}, {"last_inbound_at": NOON + timedelta(minutes=1)}, ("stopped", 0, "replied")),
        ({}, {"status": "closed"}, ("stopped", 0, "closed")),
        ({"stop_label": "compró"}, {}, ("stopped", 0, "label")),
    ],
)
def test_what_stops_it(ours, begin, rules, change, state):
    enrollment = begin(step("uno"), rules=rules)
    with ours.transaction():
        Conversation.objects.filter(pk=enrollment.conversation_id).update(**change or {"unread_count": 1})
        Contact.objects.update(labels=["compró"])

    run()

    told = Told(ours, enrollment)
    assert told.state == state
    assert told.sent == []
    assert told.enrollment.ended_at


def test_what_it_may_cost_stops_it(ours, begin):
    enrollment = begin(step("uno"), step("dos", hours=1), rules={"max_cost": "0.05"})
    run()
    with ours.transaction():
        Message.objects.filter(source="sequence").update(cost_amount=Decimal("0.07"))

    run(1)

    assert Told(ours, enrollment).state == ("stopped", 1, "cost")


def test_a_number_that_may_not_send_holds_it_up_and_nothing_is_lost(ours, begin):
    enrollment = begin(step("uno"))
    with ours.transaction():
        ours.number.paused_reason = "auth"
        ours.number.save()
    run()
    assert Told(ours, enrollment).state == ("active", 0, "number_down")
    with ours.transaction():
        ours.number.paused_reason = ""
        ours.number.save()
    run(0.3)
    assert Told(ours, enrollment).sent == [("text", "uno")]


def test_after_an_outage_what_is_late_is_spread_over_half_an_hour(ours):
    with ours.transaction():
        sequence = build(ours, step("uno"))
        enrolling.enroll(sequence, [conversation(ours, f"Cliente {n}") for n in range(60)], now=NOON)
    run(10)
    with ours.transaction():
        assert not Message.objects.filter(source="sequence").exists()
        due = list(Enrollment.objects.values_list("due_at", flat=True))
    assert len(set(due)) > 40
    assert max(due) - min(due) > timedelta(minutes=15)

    run(10.5)
    with ours.transaction():
        assert Message.objects.filter(source="sequence").count() == 60


def test_who_has_neither_phone_nor_id_ends_with_the_reason(ours, begin):
    enrollment = begin(step("uno"))
    with ours.transaction():
        Contact.objects.update(phone="")
    run()
    assert Told(ours, enrollment).state == ("stopped", 0, "no_address")


def test_whoever_began_with_a_version_finishes_it(ours, begin):
    enrollment = begin(step("viejo uno"), step("viejo dos", hours=1))
    run()
    with ours.transaction():
        build(ours, step("nuevo"), sequence=Sequence.objects.get())
    run(1)
    assert Told(ours, enrollment).sent == [("text", "viejo uno"), ("text", "viejo dos")]


def test_companies_run_side_by_side(ours, theirs, begin):
    first = begin(step("nuestro"))
    with theirs.transaction():
        sequence = build(theirs, step("suyo"))
        someone = conversation(theirs)
        enrolling.enroll(sequence, [someone], now=NOON)

    assert run() == 2

    assert Told(ours, first).sent == [("text", "nuestro")]
    with theirs.transaction():
        assert Message.objects.get(source="sequence").text == "suyo"


def test_a_page_costs_the_same_queries_for_one_and_for_many(ours, django_assert_max_num_queries):
    with ours.transaction():
        approve(ours)
        sequence = build(ours, step("uno", template="carrito"), step("dos", hours=1))
        enrolling.enroll(sequence, [conversation(ours, f"Cliente {n}") for n in range(40)], now=NOON)

    with django_assert_max_num_queries(26):
        assert run() == 40


def test_choices_of_a_step_go_out_as_buttons(ours, begin):
    choices = Variant(text="Hola {name}, ¿cuándo?", options=("Hoy", "Otro día"), label="Ver")
    enrollment = begin(Step("", variants=(choices,)))
    run()
    assert Told(ours, enrollment).sent == [("interactive", "Hola Rosa Quispe, ¿cuándo?")]
    with ours.transaction():
        payload = Message.objects.get(source="sequence").payload
    assert payload["kind"] == "button" and [each["title"] for each in payload["options"]] == ["Hoy", "Otro día"]


def test_a_step_may_carry_a_link(ours, begin):
    link = Variant(text="Su pedido", options=("Verlo | https://tienda.example/" + "a" * 300,), label="Ver")
    begin(Definition.read({"steps": [asdict(Step("", variants=(link,)))]}).steps[0])
    run()
    with ours.transaction():
        payload = Message.objects.get(source="sequence").payload
    assert (payload["kind"], payload["label"], len(payload["url"])) == ("cta_url", "Verlo", 323)


def test_where_there_are_no_buttons_the_choices_are_words(ours, begin, monkeypatch):
    monkeypatch.setitem(CAPABILITIES, "cloud", replace(CAPABILITIES["cloud"], interactive=False))
    enrollment = begin(Step("", variants=(Variant(text="¿Cuándo?", options=("Hoy", "Otro día"), label="Ver"),)))
    run()
    assert Told(ours, enrollment).sent == [("text", "¿Cuándo?\n• Hoy\n• Otro día")]


PLACE = Variant(place=Place("https://maps.google.com/?q=-12.1219,-77.0297", "Tienda", "Av. Larco 345"))
CARD = Variant(card=Card("Luis Huamán", "+51 900 555 015"))


def test_a_step_may_send_a_place_or_somebodys_contact(ours, begin):
    enrollment = begin(Step("", variants=(PLACE,)), Step("", variants=(CARD,)))
    run()
    run()
    assert Told(ours, enrollment).sent == [("location", "Tienda"), ("contacts", "Luis Huamán")]
    with ours.transaction():
        place, card = Message.objects.filter(source="sequence").order_by("sent_at", "id")
    assert (place.payload["latitude"], place.payload["longitude"]) == (-12.1219, -77.0297)
    assert card.payload["contacts"][0]["phones"][0]["wa_id"] == "51900555015"


@pytest.mark.parametrize(("catalogue", "sent"), [("1948", ("interactive", "TRAIL-43")), ("", ("text", "TRAIL-43"))])
def test_a_step_may_send_a_product(ours, begin, catalogue, sent):
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(catalog_id=catalogue)
    enrollment = begin(Step("", variants=(Variant(product="TRAIL-43"),)))
    run()
    assert Told(ours, enrollment).sent == [sent]


def test_where_there_are_no_locations_the_place_is_words(ours, begin, monkeypatch):
    plain = replace(CAPABILITIES["cloud"], locations=False, contact_cards=False)
    monkeypatch.setitem(CAPABILITIES, "cloud", plain)
    enrollment = begin(Step("", variants=(PLACE,)), Step("", variants=(CARD,)))
    run()
    run()
    assert Told(ours, enrollment).sent == [
        ("text", "Tienda\nAv. Larco 345\nhttps://maps.google.com/?q=-12.121900,-77.029700"),
        ("text", "Luis Huamán +51900555015"),
    ]


def test_a_step_may_send_a_form_with_a_token_for_each_person(ours, begin):
    with ours.transaction():
        flow = published(ours)
        keys.put_into_use(keys.prepare(number=ours.number), NOON)
    form = Step("", variants=(Variant(text="Tus datos, {first_name}", form=Form(str(flow.pk), "Abrir")),))
    for name in ("Rosa Quispe", "Luis Huamán"):
        begin(form, talk={"name": name})
    run()
    run()  # a second run sends nothing, and makes no token
    with ours.transaction():
        sent = sorted(Message.objects.filter(source="sequence"), key=lambda message: message.text)
        tokens = [message.payload["flow"]["token"] for message in sent]
        assert [message.text for message in sent] == ["Tus datos, Luis", "Tus datos, Rosa"]
        assert [message.payload["kind"] for message in sent] == ["flow", "flow"]
        assert len(set(tokens)) == 2
        holders = {token.digest: token.holder for token in FlowToken.objects.all()}
        assert [holders[FlowToken.digest_of(token)] for token in tokens] == [each.conversation_id for each in sent]
        assert len(holders) == 2


def test_a_form_that_is_not_published_is_a_task_that_says_why(ours, begin):
    enrollment = begin(Step("", variants=(Variant(text="Tus datos", form=Form(str(uuid4()), "Abrir")),)))
    run()
    told = Told(ours, enrollment)
    assert [task.why for task in told.tasks] == ["refused"] and told.sent == []
    with ours.transaction():
        (line,) = StepRun.objects.filter(enrollment=enrollment)
    assert "This form is not published for this number" in " ".join(facts_words(line.facts))


def test_a_place_that_cannot_go_is_a_task_with_its_words(ours, begin):
    enrollment = begin(Step("", variants=(PLACE,)), talk={"wrote_at": NOON - timedelta(days=3)})
    run()
    (task,) = Told(ours, enrollment).tasks
    assert task.text.startswith("Tienda\nAv. Larco 345\nhttps://")


def test_a_sequence_waits_behind_people(ours, begin):
    enrollment = begin(step("uno"))
    run()
    with ours.transaction():
        assert Message.objects.get(conversation_id=enrollment.conversation_id, source="sequence").priority == 1


# --- At once, for real: connections of their own ----------------------------------------------------------------------


def test_three_schedulers_at_once_send_each_step_once(committed, monkeypatch):
    company = found_company("ours", number_id="100000000000001")
    with company.transaction():
        sequence = build(company, step("uno"), step("dos", hours=1))
        people = [conversation(company, f"Cliente {n}") for n in range(300)]
        enrolling.enroll(sequence, people, now=NOON)
    monkeypatch.setattr(runner, "PAGE", 20)

    for moment in (NOON, NOON + timedelta(hours=1)):
        at_once(*[partial(runner.run_due, moment)] * 3)

    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT conversation_id, count(*) FROM crm_message WHERE source = 'sequence' GROUP BY 1")
        assert {count for _id, count in cursor.fetchall()} == {2}
        assert StepRun.objects.count() == 600
        assert set(Enrollment.objects.values_list("state", flat=True)) == {"done"}


@pytest.mark.parametrize("place", ["_send", "_record"])
def test_a_worker_that_dies_in_the_middle_leaves_everything_as_it_was(committed, monkeypatch, place):
    company = found_company("ours", number_id="100000000000001")
    with company.transaction():
        sequence = build(company, step("uno"))
        enrolling.enroll(sequence, [conversation(company, f"Cliente {n}") for n in range(5)], now=NOON)

    class Killed(BaseException):
        pass

    done = getattr(runner, place)

    def and_dies(*arguments) -> None:
        done(*arguments)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(runner, place, and_dies)
        run()
    with company.transaction():
        assert not Message.objects.filter(source="sequence").exists()

    assert run() == 5
    with company.transaction():
        assert Message.objects.filter(source="sequence").count() == 5


def test_pages_at_the_same_time_keep_to_one_budget(committed, monkeypatch):
    """Each page waits until the one before it has been written, and counts what that one spends."""
    company = found_company("ours", number_id="100000000000001")
    with company.transaction():
        Budget.objects.create(tenant=company.tenant, monthly_limit=Decimal("0.50"))
        sequence = build(company, step("uno"))
        enrolling.enroll(sequence, [conversation(company, f"Cliente {n}") for n in range(120)], now=NOON)
    monkeypatch.setattr(runner, "PAGE", 10)

    assert run() == 120
    with company.transaction():
        spent = sum(Message.objects.filter(source="sequence").values_list("cost_amount", flat=True))
        assert Decimal("0.45") < spent <= Decimal("0.50")
        assert StepRun.objects.filter(why="budget").count() == 120 - Message.objects.filter(source="sequence").count()
