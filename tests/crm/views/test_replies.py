"""Quick replies: written once by supervisors, found by a short name, filled in for the person they go to."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm.models import Contact, QuickReply, ReplyKind
from tests.crm.views.talk import conversation
from whatsapp.models import Flow, FlowStatus, Number

FRAGMENT = {"HX-Request": "true"}
GOOD = {
    "shortcut": "/Envio",
    "text": "Hola {first_name}, el envío es gratis.",
    "options": "Gracias\nOtra cosa",
    "queue": "",
}


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


def test_they_are_offered_filled_in_and_only_those_of_the_conversations_queue(ana, supervisor, ours, theirs, rosa):
    save(ours, "envio", "Hola {first_name}, llega {dia}", options="Gracias")
    save(ours, "ventas", "de ventas", queue=ours.sales)
    save(ours, "soporte", "de soporte", queue=ours.support)
    save(theirs, "ajena", "de otra empresa")
    with ours.transaction():
        Contact.objects.filter(pk=rosa.contact_id).update(attributes={"dia": "el martes"})

    offered = ana.get(f"/conversations/{rosa.pk}/replies/", headers=FRAGMENT).content.decode()
    to_all = supervisor.get(f"/conversations/{rosa.pk}/replies/", headers=FRAGMENT).content.decode()

    assert 'data-text="Hola Rosa, llega el martes"' in offered and 'data-options="Gracias"' in offered
    assert "de ventas" in offered and "de soporte" not in offered and "de otra empresa" not in offered
    assert "de ventas" in to_all and "de soporte" not in to_all and "de otra empresa" not in to_all


def test_without_javascript_one_is_chosen_by_its_address(ana, ours, rosa):
    reply = save(ours, "envio", "Hola {first_name}", options="Gracias\nAdiós")

    page = ana.get(f"/inbox/{rosa.pk}/?reply={reply.pk}").content.decode()

    assert ">Hola Rosa</textarea>" in page and "Gracias\nAdiós</textarea>" in page
    assert ana.get(f"/inbox/{rosa.pk}/?reply=nonsense").status_code == 200


@pytest.mark.parametrize("fields", [{}, {"options": "Gracias"}, {"asks": "location"}, {"product": "TRAIL-43"}])
def test_an_address_gives_none_of_another_queue(ana, supervisor, ours, theirs, rosa, fields):
    with ours.transaction():
        Number.objects.update(catalog_id="1")
    ids = [
        save(ours, "ventas", "palabras de ventas", queue=ours.sales, **fields).pk,
        save(ours, "soporte", "palabras de soporte", queue=ours.support, **fields).pk,
        save(theirs, "ajena", "palabras ajenas", **fields).pk,
    ]

    def given(browser: Client) -> list[bool]:
        addresses = [
            f"/{path}?reply={id}" for id in ids for path in (f"inbox/{rosa.pk}/", f"conversations/{rosa.pk}/composer/")
        ]
        return ["palabras " in browser.get(address).content.decode() for address in addresses]

    assert given(ana) == given(supervisor) == [True, True, False, False, False, False]


def test_choices_are_shown_as_on_the_phone_while_one_writes(ana):
    def preview(**said: str) -> str:
        return ana.post("/replies/preview/", said, headers=FRAGMENT).content.decode()

    buttons = preview(text="*¿Cuándo?*", options="Hoy\nMañana")
    assert "<strong>¿Cuándo?</strong>" in buttons and buttons.count("<li>") == 2
    assert "See options" in preview(text="¿Cuál?", options="\n".join("abcd"))
    assert "Verlo" in preview(text="Su pedido", options="Verlo | https://nube.test")
    assert "a list of one to ten" in preview(text="¿Cuál?", options="\n".join("abcdefghijkl"))
    assert "Write something first" in preview(text=" ", options="")


def survey(company, **fields: Any) -> Flow:
    known = {"name": "Encuesta", "provider_flow_id": "4413", "waba_id": company.number.waba_id}
    with company.transaction():
        return Flow.objects.create(tenant=company.tenant, status=FlowStatus.PUBLISHED, **known | fields)


def test_what_goes_with_the_words_is_chosen_and_nothing_else_is_kept(supervisor, ours):
    form = survey(ours)
    supervisor.post("/replies/", GOOD | {"shortcut": "donde", "kind": "location"})
    supervisor.post("/replies/", GOOD | {"shortcut": "fono", "kind": "phone"})
    supervisor.post("/replies/", GOOD | {"shortcut": "datos", "kind": "flow", "flow": form.pk, "flow_label": "Llenar"})
    supervisor.post("/replies/", GOOD | {"shortcut": "trail", "kind": "product", "product": "TRAIL-43"})
    supervisor.post("/replies/", GOOD | {"shortcut": "nada", "kind": "text", "product": "TRAIL-43"})

    with ours.transaction():
        kept = {each.shortcut: each for each in QuickReply.objects.all()}
    assert {name: each.kind for name, each in kept.items()} == {
        "donde": ReplyKind.LOCATION,
        "fono": ReplyKind.PHONE,
        "datos": ReplyKind.FLOW,
        "trail": ReplyKind.PRODUCT,
        "nada": ReplyKind.TEXT,
    }
    assert all(each.options == "" for each in kept.values()) and kept["nada"].product == ""
    assert kept["datos"].flow_label == "Llenar"
    page = supervisor.get(f"/replies/{kept['datos'].pk}/").content.decode()
    assert f'value="{form.pk}" selected' in page and 'value="flow" selected' in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "flow"}, "Choose a form"),
        ({"kind": "flow", "flow": "00000000-0000-7000-8000-000000000001"}, "Select a valid choice"),
        ({"kind": "product", "product": " "}, "Write the product"),
        ({"kind": "location", "text": "a" * 1025}, "1,024"),
        ({"kind": "poll"}, "Select a valid choice"),
    ],
)
def test_what_its_kind_needs_is_said_when_it_is_written(supervisor, ours, change, said):
    answer = supervisor.post("/replies/", GOOD | change)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert replies(ours) == []


def test_only_what_this_number_can_send_is_offered(ana, ours, rosa):
    save(ours, "datos", flow=survey(ours))
    save(ours, "otros", flow=survey(ours, name="De otra cuenta", waba_id="9", provider_flow_id="9"))
    save(ours, "trail", product="TRAIL-43")
    save(ours, "donde", asks="location")

    def offered() -> set[str]:
        page = ana.get(f"/conversations/{rosa.pk}/replies/", headers=FRAGMENT).content.decode()
        return {name for name in ("datos", "otros", "trail", "donde") if f'data-reply="{name}"' in page}

    assert offered() == {"datos", "donde"}
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(catalog_id="1948")
    assert offered() == {"datos", "donde", "trail"}
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(provider="twilio")
    assert offered() == set()


def test_one_that_asks_fills_the_composer_with_its_request(ana, ours, rosa):
    reply = save(ours, "donde", "Hola {first_name}, ¿dónde estás?", asks="location")
    offered = ana.get(f"/conversations/{rosa.pk}/replies/", headers=FRAGMENT).content.decode()
    address = f"/conversations/{rosa.pk}/composer/?reply={reply.pk}"

    page = ana.get(address, headers=FRAGMENT).content.decode()

    assert f'data-composer-at="{address}"' in offered
    assert ">Hola Rosa, ¿dónde estás?</textarea>" in page
    assert 'name="asks" value="location"' in page


def test_one_with_a_form_or_a_product_opens_what_it_is_sent_with(ana, ours, rosa):
    form = survey(ours)
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(catalog_id="1948")
    with_form = save(ours, "datos", "¿Nos ayudas?", flow=form, flow_label="Responder")
    with_product = save(ours, "trail", "Es esta, {first_name}", product="TRAIL-43")

    def composer(reply: QuickReply) -> str:
        return ana.get(f"/conversations/{rosa.pk}/composer/?reply={reply.pk}", headers=FRAGMENT).content.decode()

    assert f'value="{form.pk}" selected' in composer(with_form) and 'value="Responder"' in composer(with_form)
    assert 'value="TRAIL-43"' in composer(with_product) and 'value="Es esta, Rosa"' in composer(with_product)


def test_without_its_form_it_is_its_words(ours):
    form = survey(ours)
    reply = save(ours, "datos", flow=form)

    with ours.transaction():
        form.delete()
        reply.refresh_from_db()
        assert reply.kind == ReplyKind.TEXT


def test_requests_forms_and_products_are_shown_as_on_the_phone(ana):
    def preview(**said: str) -> str:
        return ana.post("/replies/preview/", said, headers=FRAGMENT).content.decode()

    assert "Send location" in preview(text="¿Dónde?", asks="location")
    assert "Share phone number" in preview(text="¿A qué número?", kind="phone")
    assert "Open the form" in preview(text="¿Nos ayudas?", flow="1") and "Ir" in preview(
        text="x", kind="flow", flow_label="Ir"
    )
    assert "TRAIL-43" in preview(words="", product="TRAIL-43")
    assert "Write the product" in preview(words="", product="")
    assert "TRAIL-43" not in preview(text="x", kind="text", product="TRAIL-43")


def test_another_companys_is_not_there(supervisor, ours, theirs):
    foreign = save(theirs, "ajena")

    assert supervisor.get(f"/replies/{foreign.pk}/").status_code == 404
    assert supervisor.post(f"/replies/{foreign.pk}/", GOOD).status_code == 404
    assert supervisor.post(f"/replies/{foreign.pk}/removal/").status_code == 404
    assert len(replies(theirs)) == 1
