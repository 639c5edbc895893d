"""One company's token never reaches the other's things: not by path, not by body, not by filter, not in a list."""

from uuid import uuid4

import pytest

from crm.models import Contact, Conversation, Message
from tests.crm.api.conftest import ROOT, approve, publish, talk

pytestmark = pytest.mark.django_db


@pytest.fixture
def their_template(theirs):
    return approve(theirs, "their_secret_offer", "Nadie debe leer esto")


@pytest.fixture
def their_flow(theirs):
    return publish(theirs, "Nadie debe abrir esto")


@pytest.fixture
def intruder(api, ours):
    """Our owner, who may see everything, of ours."""
    return api(ours.owner)


@pytest.mark.parametrize("what", ["", "messages/"])
def test_their_conversation_cannot_be_read(intruder, their_talk, what):
    assert intruder.get(f"{their_talk.url}{what}").status_code == 404


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("messages", {"type": "text", "text": "Hola"}),
        ("messages", {}),
        ("close", {}),
        ("reopen", {}),
        ("read", {}),
        ("assign", {"assignee": "me"}),
        ("transfer", {"queue": "Ventas"}),
        ("snooze", {"until": "2999-01-01T00:00:00Z"}),
    ],
)
def test_their_conversation_cannot_be_changed(intruder, theirs, their_talk, what, body):
    with theirs.transaction():
        before = Conversation.objects.values().get()

    assert intruder.post(f"{their_talk.url}{what}/", body, format="json").status_code == 404
    with theirs.transaction():
        assert Conversation.objects.values().get() == before
        assert Message.objects.count() == 1


def test_their_other_things_cannot_be_read_or_changed(intruder, theirs, their_talk, their_template, their_flow):
    things = {
        "contacts": their_talk.contact.pk,
        "messages": their_talk.message.pk,
        "numbers": theirs.number.pk,
        "queues": theirs.sales.pk,
        "templates": their_template.pk,
        "flows": their_flow.pk,
    }

    assert {intruder.get(f"{ROOT}{noun}/{key}/").status_code for noun, key in things.items()} == {404}
    assert intruder.patch(f"{ROOT}contacts/{things['contacts']}/", {"name": "x"}, format="json").status_code == 404


@pytest.mark.parametrize("noun", ["conversations", "contacts", "numbers", "queues", "templates", "flows", "stats"])
def test_lists_hold_nothing_of_theirs(intruder, theirs, their_talk, their_template, their_flow, noun):
    shown = intruder.get(f"{ROOT}{noun}/?page_size=200").content.decode()

    theirs_only = [their_talk.conversation.pk, their_talk.contact.pk, theirs.number.pk, theirs.sales.pk]
    assert not [key for key in [*theirs_only, "Nadie", "their_secret_offer", theirs.number.alias] if str(key) in shown]


def test_their_ids_in_a_body_are_not_there_either(intruder, ours, theirs, our_talk, their_talk):
    number = str(ours.number.pk)
    attempts = [
        (f"{our_talk.url}assign/", {"assignee": str(theirs.ana.pk)}),
        (f"{our_talk.url}transfer/", {"queue": str(theirs.sales.pk)}),
        (f"{our_talk.url}transfer/", {"queue": str(ours.support.pk), "assignee": str(theirs.ana.pk)}),
        (f"{our_talk.url}messages/", reaction_to(their_talk.message.pk)),
        (f"{our_talk.url}messages/", reaction_to(their_talk.message.provider_message_id)),
        (f"{our_talk.url}messages/", {"type": "text", "text": "x", "quoted_message_id": str(their_talk.message.pk)}),
        (f"{ROOT}conversations/", {"number": number, "contact": str(their_talk.contact.pk)}),
        (f"{ROOT}conversations/", {"number": str(theirs.number.pk), "phone": "900555077"}),
        (f"{ROOT}conversations/", {"number": theirs.number.phone_number_id, "phone": "900555077"}),
    ]

    assert [intruder.post(url, body, format="json").status_code for url, body in attempts] == [404] * len(attempts)


def test_their_template_is_as_unknown_as_one_that_never_was(intruder, our_talk, their_template):
    def refusal(name: str) -> tuple[int, dict]:
        body = {"type": "template", "template": {"name": name, "language": "es"}}
        answer = intruder.post(f"{our_talk.url}messages/", body, format="json")
        return answer.status_code, answer.json()

    assert refusal("their_secret_offer") == refusal("never_was")


@pytest.mark.parametrize("name", ["queue", "number", "assignee"])
def test_their_ids_in_a_filter_are_told_as_any_unknown_id(intruder, theirs, their_talk, name):
    key = {"queue": theirs.sales.pk, "number": theirs.number.pk, "assignee": theirs.ana.pk}[name]

    of_theirs = intruder.get(f"{ROOT}conversations/", {name: key})
    of_nobody = intruder.get(f"{ROOT}conversations/", {name: uuid4()})

    assert of_theirs.status_code == of_nobody.status_code == 400
    assert of_theirs.json() == of_nobody.json()


def test_their_phone_finds_nothing_and_starts_somebody_of_ours(intruder, ours, their_talk):
    phone = "+51900555099"

    assert intruder.get(f"{ROOT}contacts/", {"phone": phone}).json()["results"] == []
    started = intruder.post(f"{ROOT}conversations/", {"number": str(ours.number.pk), "phone": phone}, format="json")

    assert started.status_code == 201
    assert started.json()["contact"]["name"] == ""
    with ours.transaction():
        assert Contact.objects.get().pk != their_talk.contact.pk


def test_the_same_client_id_in_two_companies_is_two_messages(api, ours, theirs, our_talk, their_talk):
    body = {"type": "text", "text": "Hola", "client_id": str(uuid4())}

    in_ours = api(ours.owner).post(f"{our_talk.url}messages/", body, format="json")
    in_theirs = api(theirs.owner).post(f"{their_talk.url}messages/", body, format="json")

    assert (in_ours.status_code, in_theirs.status_code) == (201, 201)


def test_what_is_asked_by_one_token_after_another_never_mixes(api, ours, theirs, our_talk, their_talk):
    """One connection serves both, one request after the other."""
    clients = {"ours": (api(ours.owner), our_talk), "theirs": (api(theirs.owner), their_talk)}

    for name in ("ours", "theirs") * 3:
        client, own = clients[name]
        (row,) = client.get(f"{ROOT}conversations/").json()["results"]
        assert row["id"] == str(own.conversation.pk)


def test_a_token_of_the_other_company_does_not_revoke_ours(api, ours, theirs, our_talk):
    mine, other = api(ours.owner), api(theirs.owner)

    assert other.delete(f"{ROOT}auth/token/").status_code == 204
    assert mine.get(our_talk.url).status_code == 200


def reaction_to(message_id) -> dict:
    return {"type": "reaction", "reaction": {"message_id": str(message_id), "emoji": "👍"}}


def test_talking_in_one_company_leaves_the_other_as_it_was(api, ours, theirs, our_talk):
    talk(theirs, "51900555014")

    api(ours.owner).post(f"{our_talk.url}messages/", {"type": "text", "text": "Hola"}, format="json")

    with theirs.transaction():
        assert Message.objects.count() == 1
