"""Quick replies: written once by supervisors, found by a short name, filled in for the person they go to."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm.models import Contact, QuickReply
from tests.crm.views.talk import conversation

FRAGMENT = {"HX-Request": "true"}
GOOD = {
    "shortcut": "/Envio",
    "text": "Hola {first_name}, el envío es gratis.",
    "options": "Gracias\nOtra cosa",
    "queue": "",
}


@pytest.fixture
def ana(client, ours):
    client.force_login(ours.ana.user)
    return client


@pytest.fixture
def supervisor(ours):
    client = Client()
    client.force_login(ours.supervisor.user)
    return client


@pytest.fixture
def rosa(ours):
    with ours.transaction():
        return conversation(ours, "Rosa Quispe", now=timezone.now())


def replies(company) -> list[tuple[str, str, str]]:
    with company.transaction():
        return list(QuickReply.objects.values_list("shortcut", "text", "options"))


def save(company, shortcut: str, text: str = "hola", **fields: Any) -> QuickReply:
    with company.transaction():
        return QuickReply.objects.create(tenant=company.tenant, shortcut=shortcut, text=text, **fields)


def test_a_supervisor_writes_one_and_changes_it(supervisor, ours):
    assert supervisor.post("/replies/", GOOD).url == "/replies/"
    assert [each[0] for each in replies(ours)] == ["envio"]

    with ours.transaction():
        reply = QuickReply.objects.get()
    assert "el envío es gratis" in supervisor.get(f"/replies/{reply.pk}/").content.decode()
    supervisor.post(f"/replies/{reply.pk}/", GOOD | {"text": "Cuesta 10"})
    assert [each[1] for each in replies(ours)] == ["Cuesta 10"]
    supervisor.post(f"/replies/{reply.pk}/removal/")
    assert replies(ours) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shortcut": "dos palabras"}, "Write a short word"),
        ({"shortcut": "adios"}, "There is one with this name"),
        ({"text": ""}, "This field is required"),
        ({"text": "a" * 4097}, "4096"),
        ({"options": "\n".join(f"Talla {n}" for n in range(11))}, "a list of one to ten"),
        ({"options": "Un título que no cabe en una fila"}, "Each choice needs words of its own"),
    ],
)
def test_what_could_not_be_sent_or_found_is_refused_when_it_is_written(supervisor, ours, change, said):
    save(ours, "adios")
    answer = supervisor.post("/replies/", GOOD | change)

    assert answer.status_code == 422 and said in answer.content.decode()
    assert len(replies(ours)) == 1


def test_an_agent_uses_them_and_writes_none(ana, ours, rosa):
    reply = save(ours, "envio", "Hola {first_name}")

    assert "/envio" in ana.get("/replies/").content.decode()
    for address in ("/replies/", f"/replies/{reply.pk}/", f"/replies/{reply.pk}/removal/"):
        assert ana.post(address, GOOD).status_code == 403
    assert len(replies(ours)) == 1


def test_they_are_offered_filled_in_and_only_those_of_ones_queues(ana, supervisor, ours, theirs, rosa):
    save(ours, "envio", "Hola {first_name}, llega {dia}", options="Gracias")
    save(ours, "ventas", "de ventas", queue=ours.sales)
    save(ours, "soporte", "de soporte", queue=ours.support)
    save(theirs, "ajena", "de otra empresa")
    with ours.transaction():
        Contact.objects.filter(pk=rosa.contact_id).update(attributes={"dia": "el martes"})

    offered = ana.get(f"/conversations/{rosa.pk}/replies/", headers=FRAGMENT).content.decode()
    all_of_them = supervisor.get(f"/conversations/{rosa.pk}/replies/", headers=FRAGMENT).content.decode()

    assert 'data-text="Hola Rosa, llega el martes"' in offered and 'data-options="Gracias"' in offered
    assert "de ventas" in offered and "de soporte" not in offered and "de otra empresa" not in offered
    assert "de soporte" in all_of_them and "de otra empresa" not in all_of_them


def test_without_javascript_one_is_chosen_by_its_address(ana, ours, rosa):
    reply = save(ours, "envio", "Hola {first_name}", options="Gracias\nAdiós")

    page = ana.get(f"/inbox/{rosa.pk}/?reply={reply.pk}").content.decode()

    assert ">Hola Rosa</textarea>" in page and "Gracias\nAdiós</textarea>" in page
    assert ana.get(f"/inbox/{rosa.pk}/?reply=nonsense").status_code == 200


def test_choices_are_shown_as_on_the_phone_while_one_writes(ana):
    def preview(**said: str) -> str:
        return ana.post("/replies/preview/", said, headers=FRAGMENT).content.decode()

    buttons = preview(text="*¿Cuándo?*", options="Hoy\nMañana")
    assert "<strong>¿Cuándo?</strong>" in buttons and buttons.count("<li>") == 2
    assert "See options" in preview(text="¿Cuál?", options="\n".join("abcd"))
    assert "Verlo" in preview(text="Su pedido", options="Verlo | https://nube.test")
    assert "a list of one to ten" in preview(text="¿Cuál?", options="\n".join("abcdefghijkl"))
    assert "Write something first" in preview(text=" ", options="")


def test_another_companys_is_not_there(supervisor, ours, theirs):
    foreign = save(theirs, "ajena")

    assert supervisor.get(f"/replies/{foreign.pk}/").status_code == 404
    assert supervisor.post(f"/replies/{foreign.pk}/", GOOD).status_code == 404
    assert supervisor.post(f"/replies/{foreign.pk}/removal/").status_code == 404
    assert len(replies(theirs)) == 1
