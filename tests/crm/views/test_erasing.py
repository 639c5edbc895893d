"""Erasing from a contact's page and through the API: who may, what is said, and what is left."""

from datetime import timedelta

import pytest

from crm import bells, erasing, tombstones
from crm.models import Contact, Erasure, ErasureDoor, ErasureReason
from tenants import clock
from tenants.alerts import words_of
from tenants.models import Alert, Severity
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


def test_a_program_is_told_to_ask_later_while_a_list_is_made(api, ours, rosa, monkeypatch):  # noqa: F811
    def is_busy(*_: object) -> None:
        raise tombstones.Busy

    monkeypatch.setattr(tombstones, "lock", is_busy)

    answer = api(ours.admin).delete(f"{ROOT}contacts/{rosa.pk}/")

    assert (answer.status_code, answer.json()["reason"]) == (422, "busy")
    assert api(ours.admin).get(f"{ROOT}contacts/{rosa.pk}/").status_code == 200


@pytest.mark.parametrize(("who", "is_shown"), [("admin", True), ("supervisor", False), ("ana", False)])
def test_the_list_of_contacts_leads_to_the_erasures(client, ours, who, is_shown):
    client.force_login(getattr(ours, who).user)

    assert ('href="/contacts/erasures/"' in client.get("/contacts/").content.decode()) == is_shown


def test_an_erasure_that_takes_longer_than_a_day_is_an_alert_until_it_is_done(client, ours, rosa, monkeypatch):
    with ours.transaction():
        erasing.ask(
            rosa.pk, tenant_id=ours.tenant.pk, reason=ErasureReason.REQUEST, door=ErasureDoor.PAGE, by=ours.admin,
            now=clock.now() - timedelta(hours=23, minutes=59),
        )  # fmt: skip
    monkeypatch.setattr(erasing, "run", lambda now: 0)
    bells.erase()
    with ours.transaction():
        assert not Alert.objects.exists()

    with ours.transaction():
        Erasure.objects.update(asked_at=clock.now() - timedelta(hours=24))
    bells.erase()
    bells.erase()

    with ours.transaction():
        found = Alert.objects.get()
        assert (found.kind, found.severity, found.resolved_at) == ("erasure-late", Severity.CRITICAL, None)
        told = words_of(found)
    assert told.url == "/contacts/erasures/" and "Asked for on" in told.about

    monkeypatch.undo()
    bells.erase()

    with ours.transaction():
        assert Erasure.objects.get().is_done
        assert Alert.objects.get().resolved_at is not None
