"""The page of contacts and that of one person, as our people meet them."""

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from crm import contacts
from crm.models import Contact, ContactImport, ContactMerge, Conversation, Identity, Message
from tenants import clock
from tests.crm.views.talk import conversation, inbound

pytestmark = pytest.mark.django_db
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def now():
    return clock.now()


@pytest.fixture
def supervisor(client, ours):
    client.force_login(ours.supervisor.user)
    return client


@pytest.fixture
def rosa(ours, now):
    with ours.transaction():
        talk = conversation(ours, "Rosa Quispe", now=now, identified=True)
        Contact.objects.filter(pk=talk.contact_id).update(seen_at=now, phone="51900555014", labels=["vip"])
        Identity.objects.update(value="51900555014", address="51900555014")
        return Contact.objects.get()


def page(client, url: str = "/contacts/", **query) -> str:
    answer = client.get(url, query, headers=ENGLISH)
    assert answer.status_code == 200
    return answer.content.decode()


def names(client, **query) -> list[str]:
    shown = client.get("/contacts/", query, headers=ENGLISH).context["listing"]
    return [row.contact.shown_name for row in shown.rows]


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


# --- One person -------------------------------------------------------------------------------------------------------


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


# --- Merging, imports and exports -------------------------------------------------------------------------------------


@pytest.fixture
def luis(ours):
    with ours.transaction():
        contact = Contact.objects.create(tenant=ours.tenant, name="Luis Rojas", email="luis@correo.example")
        Identity.objects.create(tenant=ours.tenant, contact=contact, kind="phone", value="51900555077")
        return contact


def test_two_are_compared_merged_and_taken_apart(supervisor, ours, rosa, luis):
    chosen = {"contact": [rosa.pk, luis.pk]}
    shown = page(supervisor, "/contacts/merge/", **chosen)
    assert "Rosa Quispe" in shown and "luis@correo.example" in shown

    answer = supervisor.post(
        "/contacts/merge/", chosen | {"keep": luis.pk, "name": "Rosa Quispe", "email": "not of theirs"}
    )

    assert answer.url == f"/contacts/{luis.pk}/"
    with ours.transaction():
        kept, merged = Contact.objects.get(), ContactMerge.objects.get()
        assert (kept.pk, kept.name, kept.email) == (luis.pk, "Rosa Quispe", "luis@correo.example")
    assert "merged into this one" in page(supervisor, answer.url)
    assert supervisor.get(f"/contacts/{rosa.pk}/").url == answer.url
    supervisor.post(f"/contacts/merges/{merged.pk}/undo/")
    with ours.transaction():
        assert sorted(Contact.objects.values_list("name", flat=True)) == ["Luis Rojas", "Rosa Quispe"]


def test_one_alone_is_not_merged(supervisor, rosa):
    assert supervisor.get("/contacts/merge/", {"contact": rosa.pk}).url == "/contacts/"


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("get", "/contacts/merge/"),
        ("post", "/contacts/merge/"),
        ("get", "/contacts/export/"),
        ("post", "/contacts/imports/"),
    ],
)
def test_an_agent_neither_merges_nor_brings_in_nor_takes_out(ana, rosa, method, address):
    assert getattr(ana, method)(address, {"contact": [rosa.pk]}).status_code == 403
    shown = page(ana)
    assert "/contacts/export/" not in shown and "/contacts/merge/" not in shown and "/contacts/imports/" not in shown


def exported(client, **query) -> list[dict[str, str]]:
    answer = client.get("/contacts/export/", query)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_export_has_what_the_filters_let_through_and_no_formula(supervisor, ours, rosa, luis, monkeypatch):
    monkeypatch.setattr("crm.views.contacts.exporting.PAGE", 1)
    with ours.transaction():
        contacts.change(luis, {"name": "=cmd()", "attributes": {"ciudad": "@Lima", "talla": 3}}, now=timezone.now())

    rows = exported(supervisor)

    assert [row["name"] for row in rows] == ["Rosa Quispe", "'=cmd()"]
    assert (rows[0]["phone"], rows[0]["labels"], rows[0]["ciudad"]) == ("'+51900555014", "vip", "")
    assert (rows[1]["ciudad"], rows[1]["talla"]) == ("'@Lima", "3")
    assert [row["name"] for row in exported(supervisor, q="quispe")] == ["Rosa Quispe"]


def test_an_export_is_read_back_by_an_import(supervisor, ours, rosa):
    from crm.contact_files import Entry, entry_of, guess, parse

    answer = supervisor.get("/contacts/export/")
    file = parse(b"".join(answer.streaming_content).decode("utf-8-sig"))

    found = entry_of(file.rows[0], file.columns, guess(file.columns), country="PE", fixes={})

    assert isinstance(found, Entry)
    assert (found.phone, found.name, found.labels) == ("51900555014", "Rosa Quispe", ("vip",))


def upload(client, text: str):
    file = io.BytesIO(text.encode())
    file.name = "clientes.csv"
    return client.post("/contacts/imports/", {"file": file}, headers=ENGLISH)


def test_a_file_is_checked_mended_brought_in_and_undone(supervisor, ours):
    from crm import imports

    answer = upload(supervisor, "nombre,teléfono\nRosa,+51900555014\nAna,900555016\nEva,12\n")
    assert "Checking 3 rows" in page(supervisor, answer.url)
    imports.run(clock.now())
    shown = page(supervisor, answer.url)
    assert "Use +51" in shown and "too short" in shown and "Import 1 row" in shown

    supervisor.post(answer.url, {"do": "country"})
    imports.run(clock.now())
    assert "Import 2 rows" in page(supervisor, answer.url)
    bad = supervisor.get(f"{answer.url}errors/").content.decode("utf-8-sig").splitlines()
    assert len(bad) == 2 and bad[1].startswith("Eva,12,4,")

    supervisor.post(answer.url, {"do": "run", "label": "noviembre", "consent": "none"})
    imports.run(clock.now())
    with ours.transaction():
        assert sorted(Contact.objects.values_list("name", "phone")) == [("Ana", "51900555016"), ("Rosa", "51900555014")]
    assert "Undo the import" in page(supervisor, answer.url)
    supervisor.post(answer.url, {"do": "undo"})
    imports.run(clock.now())
    with ours.transaction():
        assert not Contact.objects.exists()
    assert "was undone" in page(supervisor, answer.url)


def test_columns_may_be_something_else(supervisor, ours):
    from crm import imports

    answer = upload(supervisor, "quién,dónde\nRosa,+51900555014\n")
    imports.run(clock.now())
    with ours.transaction():
        assert ContactImport.objects.get().found["errors"] == 1

    supervisor.post(answer.url, {"do": "columns", "column": ["quién", "dónde"], "kind": ["name", "phone"]})
    imports.run(clock.now())
    supervisor.post(answer.url, {"do": "run"})
    imports.run(clock.now())

    with ours.transaction():
        assert Contact.objects.get().name == "Rosa"


@pytest.mark.parametrize(
    ("text", "words"), [("", "nothing below"), ("nombre,telefono\n", "nothing below the first line")]
)
def test_a_file_that_is_no_list_is_refused_in_words(supervisor, ours, text, words):
    upload(supervisor, text)

    assert words in page(supervisor)
    with ours.transaction():
        assert not ContactImport.objects.exists()


def test_chosen_people_begin_a_sequence(supervisor, ours, rosa, luis):
    from sequences.models import Enrollment
    from tests.sequences.conftest import build, step

    with ours.transaction():
        sequence = build(ours, step("hola"))
    assert "/contacts/enrollments/" in page(supervisor)

    supervisor.post("/contacts/enrollments/", {"contact": [rosa.pk, luis.pk], "sequence": sequence.pk})

    with ours.transaction():
        assert Enrollment.objects.get().conversation.contact == rosa


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
