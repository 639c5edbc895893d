"""Erasing from a contact's page and through the API: who may, what is said, and what is left."""

import pytest

from crm.models import Contact, Erasure
from tests.crm.api.conftest import ROOT, api  # noqa: F401
from tests.crm.views.talk import conversation, inbound

pytestmark = pytest.mark.django_db


@pytest.fixture
def rosa(ours) -> Contact:
    with ours.transaction():
        talk = conversation(ours, identified=True)
        inbound(talk)
        return talk.contact


def test_the_page_says_what_goes_and_what_stays(client, ours, rosa):
    client.force_login(ours.admin.user)

    assert f"/contacts/{rosa.pk}/erasure/" in client.get(f"/contacts/{rosa.pk}/").content.decode()
    said = client.get(f"/contacts/{rosa.pk}/erasure/").content.decode()

    assert "Rosa Quispe" in said
    assert said.count("<dd>1</dd>") == 2  # a conversation, a message
    with ours.transaction():
        assert Contact.objects.filter(pk=rosa.pk).exists()


def test_who_does_not_say_that_they_know_erases_nobody(client, ours, rosa):
    client.force_login(ours.owner.user)

    for body in ({"reason": "request"}, {"sure": "1"}, {"sure": "1", "reason": "because"}):
        assert client.post(f"/contacts/{rosa.pk}/erasure/", body).status_code == 422
    with ours.transaction():
        assert not Erasure.objects.exists()


def test_after_it_they_are_on_no_page_and_the_list_says_who_asked(client, ours, rosa):
    client.force_login(ours.admin.user)

    answer = client.post(f"/contacts/{rosa.pk}/erasure/", {"reason": "consent", "sure": "1"}, follow=True)

    said = answer.content.decode()
    assert answer.redirect_chain[-1][0] == "/contacts/erasures/"
    assert "Admin" in said and "Rosa" not in said
    assert client.get(f"/contacts/{rosa.pk}/").status_code == 404
    assert "Rosa" not in client.get("/contacts/").content.decode()
    assert "Rosa" not in client.get("/inbox/?mode=all").content.decode()
    with ours.transaction():
        assert (Erasure.objects.get().asked_by, Erasure.objects.get().reason) == (ours.admin, "consent")


@pytest.mark.parametrize("who", ["supervisor", "ana"])
def test_others_may_not(client, ours, rosa, who):
    client.force_login(getattr(ours, who).user)

    assert f"/contacts/{rosa.pk}/erasure/" not in client.get(f"/contacts/{rosa.pk}/").content.decode()
    assert client.get(f"/contacts/{rosa.pk}/erasure/").status_code == 403
    assert client.post(f"/contacts/{rosa.pk}/erasure/", {"reason": "request", "sure": "1"}).status_code == 403
    assert client.get("/contacts/erasures/").status_code == 403
    with ours.transaction():
        assert not Erasure.objects.exists()


def test_a_program_erases_and_asks_how_far_it_is(api, ours, rosa):  # noqa: F811
    admin = api(ours.admin)

    answer = admin.delete(f"{ROOT}contacts/{rosa.pk}/?reason=authority")

    assert answer.status_code == 202
    told = answer.json()
    assert (told["state"], told["reason"], told["door"], told["asked_by"]["name"]) == (
        "running", "authority", "api", "Admin",
    )  # fmt: skip
    assert admin.get(f"{ROOT}erasures/{told['id']}/").json() == told
    assert [each["id"] for each in admin.get(f"{ROOT}erasures/").json()["results"]] == [told["id"]]
    assert admin.get(f"{ROOT}contacts/{rosa.pk}/").status_code == 404
    assert admin.delete(f"{ROOT}contacts/{rosa.pk}/").status_code == 404


@pytest.mark.parametrize("who", ["supervisor", "ana"])
def test_a_program_of_others_may_not(api, ours, rosa, who):  # noqa: F811
    program = api(getattr(ours, who))

    assert program.delete(f"{ROOT}contacts/{rosa.pk}/").status_code == 403
    assert program.get(f"{ROOT}erasures/").status_code == 403
    with ours.transaction():
        assert not Erasure.objects.exists()


def test_a_reason_that_nobody_knows_erases_nobody(api, ours, rosa):  # noqa: F811
    assert api(ours.owner).delete(f"{ROOT}contacts/{rosa.pk}/?reason=because").status_code == 400
