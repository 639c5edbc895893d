"""The page of contacts: who is on it, in what order, and what is done with those who are chosen."""

from datetime import timedelta

import pytest

from crm.models import Contact
from tests.crm.views.contacts.pages import names, page
from tests.crm.views.talk import conversation

pytestmark = pytest.mark.django_db


def test_the_list_shows_who_was_seen_last_on_top(supervisor, ours, rosa, now):
    with ours.transaction():
        older = conversation(ours, "Luis", now=now)
        Contact.objects.filter(pk=older.contact_id).update(seen_at=now - timedelta(days=2))
        Contact.objects.create(tenant=ours.tenant, username="sin.telefono")

    assert names(supervisor) == ["Rosa Quispe", "Luis", "@sin.telefono"]
    shown = page(supervisor)
    assert "+51 900 555 014" in shown
    assert 'data-state="open"' in shown
    assert "@sin.telefono" in shown


def test_filters_narrow_it(supervisor, ours, rosa, now):
    with ours.transaction():
        for name, values in {
            "Lejos": {"phone": "5511987654321", "seen_at": now - timedelta(days=40)},
            "Parada": {"marketing_stopped": True, "phone": "51900000001"},
            "Acepta": {"marketing_consent_at": now, "labels": ["Feria"], "phone": "51900000002"},
        }.items():
            Contact.objects.create(tenant=ours.tenant, name=name, **values)

    assert names(supervisor, active="1") == ["Rosa Quispe"]
    assert names(supervisor, country="55") == ["Lejos"]
    assert names(supervisor, label="feria") == ["Acepta"]
    assert names(supervisor, window="open") == ["Rosa Quispe"]
    assert "Rosa Quispe" not in names(supervisor, window="closed")
    assert names(supervisor, marketing="stopped") == ["Parada"]
    assert names(supervisor, marketing="agreed") == ["Acepta"]
    assert names(supervisor, marketing="unknown") == ["Rosa Quispe", "Lejos"]
    assert names(supervisor, q="5014") == names(supervisor, q="quis", active="1") == ["Rosa Quispe"]
    assert names(supervisor, q="nadie") == []
    assert "Nobody found" in page(supervisor, q="nadie")


@pytest.mark.parametrize("query", [{"after": "x"}, {"before": "2026-01-01~x"}, {"country": "abc"}, {"window": "x"},
                                   {"q": "\x00"}, {"label": "\x00"}, {"after": "2026-01-01~" + "0" * 32},
                                   {"sort": "x"}, {"sort": "name", "after": "\x00~" + "0" * 32}, {"sort": "name", "after": "~"}])  # fmt: skip
def test_what_cannot_be_read_in_the_address_is_ignored(supervisor, rosa, query):
    assert supervisor.get("/contacts/", query).status_code == 200


def test_pages_go_down_and_up_again_without_a_gap(supervisor, ours, now):
    with ours.transaction():
        Contact.objects.bulk_create(
            Contact(tenant=ours.tenant, name=f"P{n:03}", seen_at=now - timedelta(minutes=n // 3)) for n in range(120)
        )
    seen, after = [], ""
    while True:
        shown = supervisor.get("/contacts/", {"after": after} if after else {}).context["listing"]
        seen.append([row.contact.pk for row in shown.rows])
        if not shown.next:
            break
        after = shown.next

    assert [len(part) for part in seen] == [50, 50, 20]
    assert len({pk for part in seen for pk in part}) == 120
    up = supervisor.get("/contacts/", {"before": shown.previous}).context["listing"]
    assert [row.contact.pk for row in up.rows] == seen[1]
    assert up.next and up.previous


def test_by_name_neither_accents_nor_capitals_matter_and_who_has_none_comes_last(supervisor, ours):
    with ours.transaction():
        for values in (
            {"name": "Zoila"}, {"name": "álvaro"}, {"profile_name": "Beto"}, {"name": "ÑATO"}, {"name": "Nora"},
            {"name": "Alva"}, {"username": "carla"}, {"phone": "51900555014"}, {"name": "Óscar", "profile_name": "Aa"},
        ):  # fmt: skip
            Contact.objects.create(tenant=ours.tenant, **values)

    wanted = ["Alva", "álvaro", "Beto", "@carla", "ÑATO", "Nora", "Óscar", "Zoila", "+51 900 555 014"]
    assert names(supervisor, sort="name") == wanted
    assert names(supervisor, sort="-name") == wanted[::-1]
    assert names(supervisor, sort="name", q="alv") == ["Alva", "álvaro"]


@pytest.mark.parametrize("sort", ["name", "-name"])
def test_pages_by_name_go_down_and_up_again_without_a_gap(supervisor, ours, sort):
    with ours.transaction():
        Contact.objects.bulk_create(Contact(tenant=ours.tenant, name=f"P~{n // 3:03} & \U0001f600") for n in range(120))
    seen, after = [], ""
    while True:
        shown = supervisor.get("/contacts/", {"sort": sort, "after": after}).context["listing"]
        seen.append(shown.rows)
        if not shown.next:
            break
        after = shown.next

    found = [row.contact.name for part in seen for row in part]
    assert [len(part) for part in seen] == [50, 50, 20]
    assert found == sorted(found, reverse=sort == "-name")
    assert len({row.contact.pk for part in seen for row in part}) == 120
    up = supervisor.get("/contacts/", {"sort": sort, "before": shown.previous}).context["listing"]
    assert [row.contact.pk for row in up.rows] == [row.contact.pk for row in seen[1]]


def test_the_order_is_no_filter_and_stays_with_them(supervisor, rosa):
    shown = page(supervisor, sort="name")
    assert "Clear" not in shown
    assert 'aria-sort="ascending"' in shown and 'href="?sort=-name"' in shown
    narrowed = page(supervisor, sort="-name", label="vip")
    assert 'data-query="label=vip&amp;sort=-name"' in narrowed and 'href="?label=vip"' in narrowed


def test_the_chosen_ones_get_a_label(supervisor, ours, rosa):
    with ours.transaction():
        other = Contact.objects.create(tenant=ours.tenant, name="Luis", labels=["Feria"])

    supervisor.post("/contacts/labels/", {"contact": [rosa.pk, other.pk, "x"], "label": " feria  sur "})
    supervisor.post("/contacts/labels/", {"contact": [rosa.pk, other.pk], "label": "FERIA"})

    with ours.transaction():
        assert [each.labels for each in Contact.objects.order_by("name")] == [
            ["Feria", "feria sur"],
            ["vip", "feria sur", "FERIA"],
        ]


def test_the_answer_leads_back_only_within_the_product(supervisor, rosa):
    values = {"contact": [rosa.pk], "label": "x"}
    assert supervisor.post("/contacts/labels/", values | {"next": "/contacts/?q=ro"}).url == "/contacts/?q=ro"
    assert supervisor.post("/contacts/labels/", values | {"next": "https://evil.example/"}).url == "/contacts/"
