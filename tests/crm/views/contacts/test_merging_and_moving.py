"""Two become one, lists come in and go out; each only by who may."""

import io

import pytest
from django.utils import timezone

from crm import contacts
from crm.models import Contact, ContactImport, ContactMerge
from tenants import clock
from tests.crm.views.contacts.pages import ENGLISH, exported, page

pytestmark = pytest.mark.django_db


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
