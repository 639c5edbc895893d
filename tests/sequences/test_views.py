"""Sequences as people meet them: written, put to use, watched, and their tasks done; each only by who may."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm.models import Message
from sequences.models import Enrollment, ManualTask, Sequence, SequenceVersion
from tests.cast import signed_in
from tests.crm.views.talk import NOON, conversation
from tests.sequences.conftest import Told, approve, build, run, shut, step, written
from whatsapp.models import Number

pytestmark = pytest.mark.django_db


def test_a_sequence_is_written_and_read_again(supervisor, ours):
    answer = supervisor.post("/sequences/new/", written("Hola {name}", "¿Sigues ahí?"))
    with ours.transaction():
        sequence = Sequence.objects.get()
        assert answer.headers["Location"] == f"/sequences/{sequence.pk}/"
        assert [each.variants[0].text for each in sequence.version.content.steps] == ["Hola {name}", "¿Sigues ahí?"]
        assert (sequence.version.number, sequence.is_active) == (1, False)

    page = supervisor.get(f"/sequences/{sequence.pk}/").content.decode()
    assert "¿Sigues ahí?" in page
    assert "2 hours later" in page


def test_a_change_is_a_new_version_and_the_same_is_none(supervisor, ours):
    with ours.transaction():
        sequence = build(ours, step("uno"))
    supervisor.post(f"/sequences/{sequence.pk}/", written("uno", "dos"))
    supervisor.post(f"/sequences/{sequence.pk}/", written("uno", "dos"))
    with ours.transaction():
        assert sorted(SequenceVersion.objects.values_list("number", flat=True)) == [1, 2]


def test_what_is_missing_is_said_at_its_step_and_nothing_is_lost(supervisor, ours):
    answer = supervisor.post("/sequences/new/", written("", "dos", name=""))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Write a text, choose a template, or make it a step for a person." in page
    assert ">dos</textarea>" in page
    with ours.transaction():
        assert not Sequence.objects.exists()


@pytest.mark.parametrize(
    ("order", "texts"),
    [
        ("add", ["a", "b", "c", ""]),
        ("remove:1", ["a", "c"]),
        ("up:2", ["a", "c", "b"]),
        ("down:0", ["b", "a", "c"]),
        ("copy:1", ["a", "b", "b", "c"]),
        ("up:0", ["a", "b", "c"]),
        ("move:2:0", ["c", "a", "b"]),
        ("move:0:2", ["b", "c", "a"]),
        ("move:0:99", ["b", "c", "a"]),
        ("move:99:0", ["a", "b", "c"]),
        ("move:1:x", ["a", "b", "c"]),
        ("remove:99", ["a", "b", "c"]),
        ("nonsense", ["a", "b", "c"]),
    ],
)
def test_steps_are_arranged_without_javascript_and_without_saving(supervisor, ours, order, texts):
    answer = supervisor.post("/sequences/new/", written("a", "b", "c", do=order))
    assert [each["text"] for each in answer.context["steps"]] == texts
    with ours.transaction():
        assert not Sequence.objects.exists()


def test_a_template_brings_its_variables(supervisor, ours):
    with ours.transaction():
        approve(ours)
    data = written("", **{"s0-template": "carrito|es", "do": "refresh"})
    assert 'name="s0-var-1"' in supervisor.post("/sequences/new/", data).content.decode()

    supervisor.post("/sequences/new/", written("", **{"s0-template": "carrito|es", "s0-var-1": "{first_name}"}))
    with ours.transaction():
        [variant] = Sequence.objects.get().version.content.steps[0].variants
        assert (variant.template.name, variant.template.variables) == ("carrito", {"1": "{first_name}"})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"trigger": "label"}, "Write the label."),
        ({"trigger": "no_reply", "trigger_value": "soon"}, "1 to 720"),
        ({"s0-count": "-3"}, "whole number"),
        ({"weekdays": []}, "Choose a day"),
        ({"quiet_from": "late"}, "09:30"),
        ({"name": "Otra"}, "Another sequence has this name."),
    ],
)
def test_what_cannot_be_is_said(supervisor, ours, fields, words):
    with ours.transaction():
        build(ours, step("uno"), name="Otra")
    answer = supervisor.post("/sequences/new/", written("hola", **fields))
    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_it_is_put_to_use_and_out_of_it(supervisor, ours):
    with ours.transaction():
        sequence = build(ours, step("uno"))
    supervisor.post(f"/sequences/{sequence.pk}/activity/", {"active": "0"})
    with ours.transaction():
        assert Sequence.objects.get().is_active is False
    assert (
        supervisor.post(f"/sequences/{sequence.pk}/activity/", {"active": "1", "next": "sequences"}).headers["Location"]
        == "/sequences/"
    )
    with ours.transaction():
        assert Sequence.objects.get().activated_at


def test_it_goes_out_as_json_and_comes_in_again(supervisor, ours):
    with ours.transaction():
        sequence = build(ours, step("uno {name}", template="carrito"))
    exported = supervisor.get(f"/sequences/{sequence.pk}/export/")
    assert exported.headers["Content-Disposition"] == 'attachment; filename="carrito.json"'

    file = SimpleUploadedFile("carrito.json", exported.content, "application/json")
    answer = supervisor.post("/sequences/import/", {"file": file})
    assert answer.status_code == 200
    assert "uno {name}" in answer.content.decode()
    assert 'action="/sequences/new/"' in answer.content.decode()
    with ours.transaction():
        assert Sequence.objects.count() == 1  # the person saves it


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"definition": 5}', b'{"definition": {"steps": []}}', b"[" * 100000]
)
def test_a_file_that_is_no_sequence_is_refused_in_words(supervisor, content):
    answer = supervisor.post("/sequences/import/", {"file": SimpleUploadedFile("x.json", content)}, follow=True)
    assert "This file is no exported sequence" in answer.content.decode()


# --- Running ----------------------------------------------------------------------------------------------------------


def test_an_agent_begins_one_from_the_panel_and_reads_why(ours, begin):
    with ours.transaction():
        sequence = build(ours, step("uno", hours=1))
        talk = conversation(ours)
    ana = signed_in(ours.ana)
    assert f'value="{sequence.pk}"' in ana.get(f"/inbox/{talk.pk}/").content.decode()

    for _ in range(2):
        ana.post(f"/conversations/{talk.pk}/enrollments/", {"sequence": sequence.pk})
    with ours.transaction():
        enrollment = Enrollment.objects.get()
        assert enrollment.started_by == ours.ana
    page = ana.get(f"/enrollments/{enrollment.pk}/").content.decode()
    assert "1 hour later" in page
    assert "Ana" in page

    assert ana.post(f"/enrollments/{enrollment.pk}/act/", {"do": "pause"}).status_code == 302
    assert Told(ours, enrollment).state == ("paused", 0, "by_hand")
    ana.post(f"/enrollments/{enrollment.pk}/act/", {"do": "resume"})
    assert Told(ours, enrollment).state[0] == "active"
    ana.post(f"/enrollments/{enrollment.pk}/act/", {"do": "stop"})
    assert Told(ours, enrollment).state[0] == "stopped"
    page = ana.post(f"/enrollments/{enrollment.pk}/act/", {"do": "resume"}, follow=True).content.decode()
    assert "It had changed meanwhile" in page


def test_the_story_says_what_was_decided_and_from_which_facts(ours, begin):
    enrollment = begin(step("uno"), step("dos", hours=1))
    run()
    shut(ours, enrollment)
    run(1)
    page = signed_in(ours.ana).get(f"/enrollments/{enrollment.pk}/").content.decode()
    for words in (
        "Sent as a message",
        "The 24-hour window was open.",
        "The window was closed and the step has no template.",
        "time zone America/Lima",
        "window until",
    ):
        assert words in page


def test_a_list_of_many_costs_no_more_queries(supervisor, ours, django_assert_max_num_queries):
    with ours.transaction():
        sequence = build(ours, step("uno"))
        from sequences import enrolling

        enrolling.enroll(sequence, [conversation(ours, f"Cliente {n}") for n in range(60)], now=NOON)
    for address in (f"/sequences/{sequence.pk}/enrollments/", "/sequences/", "/pending/"):
        supervisor.get(address)
        with django_assert_max_num_queries(22):
            assert supervisor.get(address).status_code == 200


# --- Tasks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def task(ours, begin) -> ManualTask:
    enrollment = begin(step("¿Sigues ahí, {name}?"), step("fin", hours=1))
    shut(ours, enrollment)
    run()
    with ours.transaction():
        return ManualTask.objects.select_related("enrollment__sequence", "conversation__contact").get(
            enrollment=enrollment
        )


@pytest.mark.parametrize(("order", "state"), [("done", "done"), ("skip", "skipped")])
def test_a_task_that_is_over_lets_the_sequence_go_on(ours, task, order, state):
    ana = signed_in(ours.ana)
    assert "¿Sigues ahí, Rosa Quispe?" in ana.get("/pending/").content.decode()
    for _ in range(2):
        ana.post(f"/pending/{task.pk}/", {"do": order})
    told = Told(ours, task.enrollment)
    assert told.state == ("active", 1, "")
    assert [(each.state, each.ended_by_id) for each in told.tasks] == [(state, ours.ana.pk)]


def test_a_task_is_sent_as_a_template_once(ours, task):
    with ours.transaction():
        approve(ours, "retomar", category="UTILITY")
    ana = signed_in(ours.ana)
    for _ in range(2):
        ana.post(f"/pending/{task.pk}/", {"do": "template", "template": "retomar|es"})
    told = Told(ours, task.enrollment)
    assert told.sent == [("template", "Hola Rosa, tu carrito espera.")]
    assert told.tasks[0].state == "done"


def test_a_template_that_may_not_go_leaves_the_task_and_says_why(ours, task):
    with ours.transaction():
        approve(ours, "promo")
        talk = task.conversation
        talk.contact.marketing_stopped = True
        talk.contact.save()
    answer = signed_in(ours.ana).post(f"/pending/{task.pk}/", {"do": "template", "template": "promo|es"}, follow=True)
    assert "stopped our marketing" in answer.content.decode()
    assert Told(ours, task.enrollment).tasks[0].state == "open"


# --- Who may ----------------------------------------------------------------------------------------------------------


def test_agents_do_not_write_sequences(ours):
    with ours.transaction():
        sequence = build(ours, step("uno"))
    ana = signed_in(ours.ana)
    assert ana.get("/sequences/").status_code == 200
    for address in ("/sequences/new/", f"/sequences/{sequence.pk}/", f"/sequences/{sequence.pk}/export/"):
        assert ana.get(address).status_code == 403
    for address in ("activity", "begin"):
        assert ana.post(f"/sequences/{sequence.pk}/{address}/").status_code == 403
    assert ana.post("/sequences/import/").status_code == 403


def test_another_company_or_another_queue_finds_nothing(ours, theirs, task):
    sequence, enrollment = task.enrollment.sequence, task.enrollment
    stranger, luis = signed_in(theirs.owner), signed_in(ours.luis)
    for address in ("", "export/", "enrollments/"):
        assert stranger.get(f"/sequences/{sequence.pk}/{address}").status_code == 404
    for client in (stranger, luis):
        assert client.get(f"/enrollments/{enrollment.pk}/").status_code == 404
        assert client.post(f"/enrollments/{enrollment.pk}/act/", {"do": "stop"}).status_code == 404
        assert client.post(f"/pending/{task.pk}/", {"do": "done"}).status_code == 404
        assert (
            client.post(f"/conversations/{task.conversation_id}/enrollments/", {"sequence": sequence.pk}).status_code
            == 404
        )
        assert "Rosa Quispe" not in client.get("/pending/").content.decode()
    assert Told(ours, enrollment).state[0] == "task"
    assert Client().get("/pending/").status_code == 302


def test_exported_json_is_the_definition(supervisor, ours):
    with ours.transaction():
        sequence = build(ours, step("uno"))
    assert json.loads(supervisor.get(f"/sequences/{sequence.pk}/export/").content)["definition"]["steps"]
    with ours.transaction():
        assert not Message.objects.exists()


def test_a_sequence_for_two_numbers_says_so_and_any_number_once_they_are_taken_off(ours, supervisor):
    with ours.transaction():
        second = Number.objects.create(
            tenant=ours.tenant, alias="Segunda", provider="cloud", phone_number_id="100000000000077", queue=ours.sales
        )
    chosen = [str(ours.number.pk), str(second.pk)]
    supervisor.post("/sequences/new/", written("hola", numbers=chosen))
    with ours.transaction():
        sequence = Sequence.objects.get()
        assert {str(pk) for pk in sequence.number_ids} == set(chosen)
    page = supervisor.get(f"/sequences/{sequence.pk}/").content.decode()
    assert page.count('name="numbers"') == 2 and page.count("checked><span>") >= 2
    assert "Segunda" in supervisor.get("/sequences/").content.decode()

    supervisor.post(f"/sequences/{sequence.pk}/", written("hola"))
    with ours.transaction():
        assert Sequence.objects.get().number_ids == frozenset()


def test_somebody_elses_number_is_no_choice(ours, theirs, supervisor):
    answer = supervisor.post("/sequences/new/", written("hola", numbers=[str(theirs.number.pk)]))
    assert answer.status_code == 422
    with ours.transaction():
        assert not Sequence.objects.exists()


def test_a_step_with_choices_is_kept_and_shown_and_what_is_wrong_is_said(ours, supervisor):
    refused = supervisor.post("/sequences/new/", written("¿Cuándo?", **{"s0-options": "\n".join("abcdefghijk")}))
    assert refused.status_code == 422 and "a list of one to ten" in refused.content.decode()

    supervisor.post("/sequences/new/", written("¿Cuándo?", **{"s0-options": "Hoy\r\nOtro día\r\n"}))
    with ours.transaction():
        sequence = Sequence.objects.select_related("version").get()
        (variant,) = sequence.version.content.steps[0].variants
    assert variant.options == ("Hoy", "Otro día") and variant.label
    page = supervisor.get(f"/sequences/{sequence.pk}/").content.decode()
    assert "Hoy\nOtro día</textarea>" in page and "<li>Otro día</li>" in page


def test_a_step_says_why_its_template_cannot_be_sent_and_keeps_it(supervisor, ours):
    with ours.transaction():
        stopped = approve(ours, "carrito")
        stopped.status, stopped.reason = "PAUSED", "FIRST_PAUSE"
        stopped.save()
        sequence = build(ours, step("uno", template="carrito"))

    page = supervisor.get(f"/sequences/{sequence.pk}/").content.decode()

    assert "Meta paused this template." in page
    assert '<option value="carrito|es" selected>' in page
