"""Contacts: found by phone in any spelling, changed in what is ours to say."""

import json
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.models import Contact
from tests.crm.api.conftest import ROOT, ids, talk

URL = f"{ROOT}contacts/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def rosa(api, ours, our_talk):
    return f"{URL}{our_talk.contact.pk}/"


def test_a_contact_shows_its_addresses(api, ours, rosa):
    shown = api(ours.ana).get(rosa).json()

    assert (shown["name"], shown["profile_name"], shown["phone"]) == ("Rosa", "Rosa", "+51900555014")
    assert (shown["labels"], shown["attributes"]) == ([], {})
    assert shown["identities"] == [{"kind": "phone", "value": "51900555014"}]


def test_a_contact_may_have_no_phone(api, ours):
    with ours.transaction():
        contact = Contact.objects.create(tenant=ours.tenant, username="rosa.q")

    shown = api(ours.ana).get(f"{URL}{contact.pk}/").json()

    assert (shown["phone"], shown["username"]) == (None, "rosa.q")


def test_our_name_goes_before_the_one_on_whatsapp(api, ours, rosa):
    client = api(ours.ana)

    assert client.patch(rosa, {"name": "Rosa Quispe"}, format="json").json()["name"] == "Rosa Quispe"
    assert client.patch(rosa, {"name": ""}, format="json").json()["name"] == "Rosa"


def test_labels_attributes_and_time_zone_are_ours_to_say(api, ours, rosa):
    changes = {"labels": ["vip", "lima", "vip"], "attributes": {"order": {"id": 7}}, "timezone": "America/Bogota"}

    shown = api(ours.ana).patch(rosa, changes, format="json").json()

    assert shown["labels"] == ["vip", "lima"]
    assert (shown["attributes"], shown["timezone"]) == ({"order": {"id": 7}}, "America/Bogota")
    assert shown == api(ours.ana).get(rosa).json()


def test_what_is_not_named_stays(api, ours, rosa):
    client = api(ours.ana)
    client.patch(rosa, {"labels": ["vip"]}, format="json")

    shown = client.patch(rosa, {"attributes": {"a": 1}}, format="json").json()

    assert shown["labels"] == ["vip"]
    assert client.patch(rosa, {}, format="json").json() == shown


def test_a_renamed_contact_is_found_by_its_new_name(api, ours, rosa, our_talk):
    client = api(ours.ana)
    client.patch(rosa, {"name": "Señora Quíspe"}, format="json")

    assert ids(client.get(URL, {"search": "senora quispe"})) == [our_talk.contact.pk]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "\ud83d"}, "detail"),
        ({"labels": "vip"}, "labels"),
        ({"labels": [None]}, "labels"),
        ({"labels": ["x" * 61]}, "labels"),
        ({"labels": ["x"] * 51}, "labels"),
        ({"attributes": []}, "attributes"),
        ({"attributes": None}, "attributes"),
        ({"attributes": {"x": "y" * 40_000}}, "attributes"),
        ({"attributes": {"x": "\x00"}}, "detail"),
        ({"timezone": "Lima"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
    ],
)
def test_bad_input_is_told_by_field(api, ours, rosa, body, field):
    answer = api(ours.ana).patch(rosa, json.dumps(body), content_type="application/json")

    assert answer.status_code == 400, answer.content
    assert list(answer.json()) == [field]


@pytest.mark.parametrize("phone", ["+51900555014", "900 555 014"])
def test_contacts_are_found_by_phone(api, ours, our_talk, phone):
    talk(ours, "51900555015")

    assert ids(api(ours.ana).get(URL, {"phone": phone})) == [our_talk.contact.pk]


def test_contacts_are_found_by_label(api, ours, rosa, our_talk):
    talk(ours, "51900555015")
    client = api(ours.ana)
    client.patch(rosa, {"labels": ["vip", "lima"]}, format="json")

    assert ids(client.get(URL, {"label": "vip"})) == [our_talk.contact.pk]


def test_every_member_sees_every_contact(api, ours, our_talk):
    assert ids(api(ours.luis).get(URL)) == [our_talk.contact.pk]


def test_a_list_of_many_asks_the_database_as_often_as_a_list_of_one(api, ours, our_talk):
    client = api(ours.ana)
    client.get(URL)

    with CaptureQueriesContext(connection) as of_one:
        client.get(URL)
    for n in range(5):
        talk(ours, f"5190055510{n}")
    with CaptureQueriesContext(connection) as of_many:
        assert len(client.get(URL).json()["results"]) == 6

    assert len(of_many) == len(of_one)


@pytest.mark.parametrize("phone", ["+51 900 555 077", "900555077", "51900555077"])
def test_adding_a_contact_by_phone(api, ours, phone):
    answer = api(ours.ana).post(URL, {"phone": phone, "name": "Luz", "labels": ["nueva"]}, format="json")

    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["name"], shown["phone"], shown["labels"]) == ("Luz", "+51900555077", ["nueva"])
    assert shown["identities"] == [{"kind": "phone", "value": "51900555077"}]


@pytest.mark.parametrize("phone", ["5511987654321", "551187654321", "+55 11 8765-4321"])
def test_who_is_there_in_another_spelling_is_not_added_again(api, ours, phone):
    brazilian = talk(ours, "5511987654321")

    answer = api(ours.ana).post(URL, {"phone": phone, "name": "Outra"}, format="json")

    assert answer.status_code == 409
    assert answer.json()["contact"] == str(brazilian.contact.pk)
    with ours.transaction():
        assert [contact.name for contact in Contact.objects.all()] == [""]


@pytest.mark.parametrize("body", [{}, {"phone": "abc"}, {"phone": None}, {"phone": 7}, {"phone": ["900555077"]}, []])
def test_without_a_phone_nobody_is_added(api, ours, body):
    assert api(ours.ana).post(URL, body, format="json").status_code == 400


def test_the_same_phone_in_another_company_is_another_contact(api, ours, theirs):
    theirs_talk = talk(theirs, "51900555014")

    answer = api(ours.ana).post(URL, {"phone": "+51900555014"}, format="json")

    assert answer.status_code == 201
    assert answer.json()["id"] != str(theirs_talk.contact.pk)


def test_a_contact_may_be_added_without_a_phone(api, ours):
    client = api(ours.ana)

    added = client.post(
        URL, {"name": "Rosa", "email": "rosa@correo.example", "marketing": "agreed"}, format="json"
    ).json()

    assert (added["phone"], added["email"], added["marketing_stopped"]) == (None, "rosa@correo.example", False)
    assert added["marketing_consent_at"]
    assert ids(client.get(URL, {"search": "rosa@correo.example"})) == [UUID(added["id"])]
    assert client.post(URL, {}, format="json").status_code == 400


def test_what_they_said_of_marketing_is_kept(api, ours, rosa):
    client = api(ours.ana)

    assert client.patch(rosa, {"marketing": "stopped"}, format="json").json()["marketing_stopped"] is True
    assert client.patch(rosa, {"marketing": "agreed"}, format="json").json()["marketing_stopped"] is False
    assert client.patch(rosa, {"marketing": "perhaps"}, format="json").status_code == 400
