"""On a number's page: what the phone that shares it hands over, who may ask for it, and what a second press says."""

from datetime import timedelta

import pytest

from crm import bells
from tenants import clock
from tests.crm.views.wizard import ENGLISH, signed_in
from whatsapp import health
from whatsapp.models import Handover, HealthKind, Number

pytestmark = pytest.mark.django_db
HTMX = {**ENGLISH, "HX-Request": "true"}


@pytest.fixture(autouse=True)
def rung(monkeypatch) -> list[tuple]:
    told: list[tuple] = []
    monkeypatch.setattr(bells, "_ring", lambda task, *arguments: told.append((task.name, *arguments)))
    return told


@pytest.fixture
def shared(ours) -> Number:
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(findings={"is_coexistent": True})
        health.note(ours.number, HealthKind.CONNECTED, after="x", at=clock.now() - timedelta(hours=1))
    return ours.number


@pytest.fixture
def admin(client, ours):
    return signed_in(client, ours.admin)


def url(number: Number) -> str:
    return f"/numbers/{number.pk}/handovers/"


def page(client, number: Number) -> str:
    return client.get(f"/numbers/{number.pk}/", headers=ENGLISH).content.decode()


def ask(client, number: Number, kind: str = "contacts", **headers):
    return client.post(url(number), {"kind": kind}, headers=headers or HTMX)


def change(company, **values) -> None:
    with company.transaction():
        Handover.objects.update(**values)


def test_only_a_number_that_a_phone_shares_offers_it(admin, ours, shared):
    assert "Ask for the contacts" in page(admin, shared) and "within 24 hours of connecting: until" in page(
        admin, shared
    )
    with ours.transaction():
        Number.objects.update(findings={})

    assert "Ask for the contacts" not in page(admin, shared)
    assert ask(admin, shared).status_code == admin.get(url(shared)).status_code == 404


@pytest.mark.parametrize(("kind", "other"), [("contacts", "history"), ("history", "contacts")])
def test_a_press_asks_and_the_other_button_stays(
    admin, ours, shared, rung, kind, other, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        answer = ask(admin, shared, kind)

    said = answer.content.decode()
    assert answer.status_code == 200 and "being asked for" in said
    assert f'value="{kind}"' not in said and f'value="{other}"' in said
    assert 'hx-trigger="every 5s"' in said
    assert ("whatsapp.tasks.hand_over", str(ours.tenant.pk), str(shared.pk)) in rung
    with ours.transaction():
        assert Handover.objects.get().kind == kind


def test_a_second_press_is_refused_with_the_reason(admin, ours, shared):
    ask(admin, shared)

    answer = ask(admin, shared)

    said = answer.content.decode()
    assert answer.status_code == 422
    assert "Asked for already, today" in said and "only once for each connection" in said
    assert "disconnect the number in the WhatsApp Business app" in said


def test_without_htmx_it_is_the_whole_page(admin, ours, shared):
    assert ask(admin, shared, **ENGLISH).status_code == 302
    answer = ask(admin, shared, **ENGLISH)

    assert answer.status_code == 422
    assert "only once for each connection" in answer.content.decode() and "<html" in answer.content.decode()


def test_what_is_asked_for_must_be_something(admin, ours, shared):
    assert ask(admin, shared, "everything").status_code == 422
    with ours.transaction():
        assert not Handover.objects.exists()


@pytest.mark.parametrize("who", ["supervisor", "ana"])
def test_only_admins_and_owners_ask(client, ours, shared, who):
    signed_in(client, getattr(ours, who))

    assert ask(client, shared).status_code == 403
    with ours.transaction():
        assert not Handover.objects.exists()


def test_a_supervisor_sees_how_far_it_is_and_no_button(client, ours, shared, admin):
    ask(admin, shared)
    signed_in(client, ours.supervisor)

    said = client.get(url(shared), headers=HTMX).content.decode()
    assert "being asked for" in said and "<button" not in said


def test_another_companys_number_is_not_there(admin, theirs):
    assert ask(admin, theirs.number).status_code == 404


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state": "taken"}, ["asked for", "It arrives by itself."]),
        ({"state": "taken", "heard_at": "now"}, ["received", "The last of it came today"]),
        ({"state": "taken", "progress": 70, "heard_at": "now"}, ["70 % is here", "The last of it came today"]),
        ({"state": "taken", "progress": 100, "heard_at": "now"}, ["all of it is here"]),
        ({"state": "declined"}, ["not shared", "connect it anew, sharing them"]),
        ({"state": "refused", "reason": "handover_late"}, ["More than 24 hours have passed", "ask at once"]),
        ({"state": "refused", "reason": "handed_over"}, ["only once for each connection"]),
        ({"state": "refused", "reason": "auth"}, ["Paste another one, then ask again."]),
        ({"state": "refused", "reason": "unreachable"}, ["could not be reached"]),
        ({"state": "refused", "reason": "invalid", "detail": "Odd."}, ["WhatsApp refused: Odd. Put that right"]),
    ],
)
def test_a_word_for_each_state_and_what_to_do(admin, ours, shared, values, words):
    ask(admin, shared, "history")
    change(ours, **values | ({"heard_at": clock.now()} if "heard_at" in values else {}))

    said = admin.get(url(shared), headers=HTMX).content.decode()

    assert [word for word in words if word not in said] == []
    assert ('value="history"' in said) is (values["state"] == "refused")


@pytest.mark.parametrize(
    ("kind", "values", "looks"),
    [
        ("history", {"progress": 70}, True),
        ("history", {"progress": 100}, False),
        ("history", {"state": "declined"}, False),
        ("contacts", {"ago": timedelta(minutes=1)}, True),
        ("contacts", {"ago": timedelta(minutes=3)}, False),
    ],
)
def test_it_looks_again_while_something_is_to_come(admin, ours, shared, kind, values, looks):
    ask(admin, shared, kind)
    heard = {"heard_at": clock.now() - values.pop("ago")} if "ago" in values else {}
    change(ours, **{"state": "taken"} | values | heard)

    assert ("every 5s" in admin.get(url(shared), headers=HTMX).content.decode()) is looks


def test_after_a_day_it_says_that_it_is_probably_too_late(admin, ours, shared):
    with ours.transaction():
        ours.number.health_changes.update(at=clock.now() - timedelta(hours=25))

    said = page(admin, shared)
    assert "those are over as far as we know" in said and "Ask for the contacts" in said
