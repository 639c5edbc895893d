"""The page of one person, as our people meet it."""

import pytest
from django.utils import timezone

from crm import contacts
from crm.models import Contact, Conversation, Identity, Message
from tests.crm.views.contacts.pages import ENGLISH, exported, names, page
from tests.crm.views.talk import inbound

pytestmark = pytest.mark.django_db


def test_an_agent_edits_what_we_know(ana, ours, rosa):
    values = {"name": "Rosa Q. Mamani", "email": "rosa@correo.example", "a-name": ["ciudad", "hijos", "nacida", "socia", ""],
              "a-kind": ["text", "number", "date", "yes_no", "text"], "a-value": ["Lima", "2", "1991-02-28", "sí", ""]}  # fmt: skip
    assert ana.post(f"/contacts/{rosa.pk}/", values).url == f"/contacts/{rosa.pk}/"

    with ours.transaction():
        rosa.refresh_from_db()
        assert (rosa.name, rosa.email) == ("Rosa Q. Mamani", "rosa@correo.example")
        assert rosa.attributes == {"ciudad": "Lima", "hijos": 2, "nacida": "1991-02-28", "socia": True}
    shown = page(ana, f"/contacts/{rosa.pk}/")
    assert "Rosa Quispe</del>" in shown
    assert "Ana · " in shown


@pytest.mark.parametrize(
    ("kind", "value"), [("number", "dos"), ("date", "1991-02-31"), ("yes_no", "quizás"), ("number", "inf")]
)
def test_a_value_of_the_wrong_kind_is_refused_and_nothing_is_lost(ana, ours, rosa, kind, value):
    values = {"name": "Otra", "email": "", "a-name": ["x"], "a-kind": [kind], "a-value": [value]}

    answer = ana.post(f"/contacts/{rosa.pk}/", values, headers=ENGLISH)

    assert answer.status_code == 422
    assert f'value="{value}"' in answer.content.decode()
    assert "Write" in answer.content.decode()
    with ours.transaction():
        rosa.refresh_from_db()
        assert (rosa.name, rosa.attributes) == ("Rosa Quispe", {})


def test_what_a_program_nested_is_kept(ana, ours, rosa):
    with ours.transaction():
        contacts.change(rosa, {"attributes": {"pedido": {"id": 7}, "a": 1}}, now=timezone.now())

    ana.post(f"/contacts/{rosa.pk}/", {"name": "Rosa", "a-name": ["a"], "a-kind": ["number"], "a-value": ["2"]})

    with ours.transaction():
        rosa.refresh_from_db()
        assert rosa.attributes == {"pedido": {"id": 7}, "a": 2}


def test_a_person_may_have_several_numbers(ana, ours, rosa):
    address = f"/contacts/{rosa.pk}/phones/"
    ana.post(address, {"add": "900 555 015"})
    ana.post(address, {"first": "51900555015"})
    with ours.transaction():
        rosa.refresh_from_db()
        assert rosa.phone == "51900555015"
        assert Contact.objects.matching("900555014").get() == Contact.objects.matching("900555015").get() == rosa

    ana.post(address, {"remove": "51900555015"})
    with ours.transaction():
        rosa.refresh_from_db()
        assert (rosa.phone, rosa.identities.count()) == ("51900555014", 1)
    assert "the only way" in ana.post(address, {"remove": "51900555014"}, headers=ENGLISH).content.decode()


@pytest.mark.parametrize("written", ["12", "hola", "+51 900 555 014"])
def test_a_phone_that_cannot_be_added_says_why(ana, ours, rosa, written):
    answer = ana.post(f"/contacts/{rosa.pk}/phones/", {"add": written}, headers=ENGLISH)

    assert answer.status_code == 422
    assert f'value="{written}"' in answer.content.decode()
    with ours.transaction():
        assert rosa.identities.count() == 1


def test_somebody_elses_phone_leads_to_comparing_the_two(supervisor, ours, rosa):
    with ours.transaction():
        luis = Contact.objects.create(tenant=ours.tenant, name="Luis")

    shown = supervisor.post(f"/contacts/{luis.pk}/phones/", {"add": "51900555014"}, headers=ENGLISH).content.decode()

    assert "Rosa Quispe" in shown
    assert f"/contacts/merge/?contact={luis.pk}&amp;contact={rosa.pk}" in shown


def test_what_they_say_of_marketing_is_kept_with_who_and_when(ana, ours, rosa):
    address = f"/contacts/{rosa.pk}/marketing/"
    ana.post(address, {"wanted": "1"})
    with ours.transaction():
        rosa.refresh_from_db()
        assert (rosa.marketing, rosa.marketing_source, rosa.marketing_consent_at is not None) == (
            "agreed",
            "person",
            True,
        )

    ana.post(address, {"wanted": "0"})
    with ours.transaction():
        rosa.refresh_from_db()
        assert (rosa.marketing, rosa.marketing_source) == ("stopped", "person")
    assert "Asked to stop" in page(ana, f"/contacts/{rosa.pk}/")


def test_a_contact_by_hand_opens_its_conversation(ana, ours):
    values = {"name": "Nueva", "phone": "900 555 099", "label": "feria", "number": ours.number.pk}

    answer = ana.post("/contacts/new/", values)

    with ours.transaction():
        contact = Contact.objects.get()
        talk = Conversation.objects.get()
        assert (contact.name, contact.phone, contact.labels) == ("Nueva", "51900555099", ["feria"])
        assert talk.contact == contact
        assert not Message.objects.exists()
    assert answer.url == f"/inbox/{talk.pk}/"
    assert ana.get(answer.url).status_code == 200


def test_a_conversation_of_another_queue_is_not_begun(ana, ours):
    with ours.transaction():
        ours.number.queue = ours.support
        ours.number.save(update_fields=["queue"])
        contact = Contact.objects.create(tenant=ours.tenant, name="Luis")

    answer = ana.post(f"/contacts/{contact.pk}/conversations/", {"number": ours.number.pk}, headers=ENGLISH)

    assert "A queue you are not in" in page(ana, answer.url)
    with ours.transaction():
        assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [({}, "Write a phone"), ({"phone": "12"}, "too short"), ({"name": "x", "email": "x@"}, "email"),
     ({"phone": "51900555014"}, "already")],
)  # fmt: skip
def test_a_contact_that_cannot_be_added_says_why(ana, ours, rosa, values, words):
    answer = ana.post("/contacts/new/", values, headers=ENGLISH)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    with ours.transaction():
        assert Contact.objects.count() == 1


def test_a_contact_without_a_phone_is_listed_found_shown_and_written_to(supervisor, ours):
    with ours.transaction():
        contact = Contact.objects.create(tenant=ours.tenant, username="rosa.q")
        Identity.objects.create(tenant=ours.tenant, contact=contact, kind="bsuid", value="PE.1349", address="PE.1349")

    assert names(supervisor, q="@rosa.q") == names(supervisor) == ["@rosa.q"]
    assert "PE.1349" in page(supervisor, f"/contacts/{contact.pk}/")
    answer = supervisor.post(f"/contacts/{contact.pk}/conversations/", {"number": ours.number.pk})
    assert supervisor.get(answer.url).status_code == 200
    assert "PE.1349" in exported(supervisor)[0].values()


def test_a_probable_double_is_pointed_at(supervisor, ours, rosa):
    with ours.transaction():
        contacts.change(rosa, {"email": "rosa@correo.example"}, now=timezone.now())
        double = Contact.objects.create(tenant=ours.tenant, name="R. Quispe", email="ROSA@correo.example")
        Contact.objects.create(tenant=ours.tenant, name="Otra", email="otra@correo.example")

    shown = page(supervisor, f"/contacts/{rosa.pk}/")

    assert "Perhaps the same person" in shown
    assert f"/contacts/merge/?contact={rosa.pk}&amp;contact={double.pk}" in shown
    assert "Otra" not in shown


def test_a_card_in_a_message_becomes_contacts(ana, ours, rosa):
    cards = [
        {"name": {"formatted_name": "Luis Rojas"}, "phones": [{"phone": "+51 900 555 077", "wa_id": "51900555077"}, {"phone": "01 555 0101"}],
         "emails": [{"email": "luis@correo.example"}]},
        {"name": {"formatted_name": "Rosa de la tarjeta"}, "phones": [{"wa_id": "51900555014"}]},
        {"name": {"formatted_name": "Sin teléfono"}},
        "basura",
    ]  # fmt: skip
    with ours.transaction():
        talk = Conversation.objects.get()
        message = inbound(talk, "Luis Rojas", type="contacts", payload={"contacts": cards})
    address = f"/conversations/{talk.pk}/messages/{message.pk}/contacts/"

    for _ in range(2):
        assert ana.post(address).url == f"/inbox/{talk.pk}/"

    with ours.transaction():
        luis = Contact.objects.get(name="Luis Rojas")
        assert (luis.email, sorted(luis.identities.values_list("value", flat=True))) == (
            "luis@correo.example", ["5115550101", "51900555077"],
        )  # fmt: skip
        assert Contact.objects.count() == 2
        assert Contact.objects.get(pk=rosa.pk).name == "Rosa Quispe"


@pytest.mark.parametrize(
    "address",
    [
        "/contacts/{}/",
        "/contacts/{}/phones/",
        "/contacts/{}/marketing/",
        "/contacts/{}/labels/",
        "/contacts/{}/conversations/",
    ],
)
def test_another_companys_contact_is_not_there(supervisor, theirs, address):
    with theirs.transaction():
        stranger = Contact.objects.create(tenant=theirs.tenant, name="Nadie")

    assert supervisor.post(address.format(stranger.pk), {"add": "x", "name": "x"}).status_code == 404
    with theirs.transaction():
        stranger.refresh_from_db()
        assert stranger.name == "Nadie"
