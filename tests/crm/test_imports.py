"""A file of contacts: each row checked with a reason, brought in page by page, and taken back."""

from datetime import timedelta

import pytest
from django.db import connection

from crm import contact_files, imports
from crm.contact_files import Entry, Fault, NotAList, entry_of, guess, parse
from crm.explanations import NO_PHONES
from crm.inbound import drain
from crm.models import Contact, ContactImport, Identity
from tenants.context import system_transaction
from tests import meta
from tests.crm.inbound.people import said
from tests.crm.views.talk import NOON, conversation
from whatsapp import phones

COLUMNS = ["nombre", "teléfono", "correo", "acepta", "etiquetas", "ciudad"]
FILE = """\
nombre;teléfono;correo;acepta;etiquetas;ciudad
Rosa Quispe;+51 900 555 014;rosa@correo.example;sí;VIP, feria;Lima
Luis Rojas;+51 900 555 015;;no;;Cusco
Ana;900555016;;;;
Eva;999 55;;;;
Mal;+51 900 555 017;ana.rojas@;;;
Otra Rosa;51900555014;;;;
Sin nada;;;;;
Duda;+51 900 555 018;;quizás;;
Sólo correo;;solo@correo.example;;;
"""


@pytest.mark.parametrize(
    ("cells", "fixes", "expected"),
    [
        (["Rosa", "+51 900 555 014", "", "", "", ""], {}, {"phone": "51900555014", "agreed": None}),
        (["Rosa", "51900555014", "", "sí", "", ""], {}, {"phone": "51900555014", "agreed": True}),
        (["Rosa", "0051 900 555 014", "", "NO", "", ""], {}, {"phone": "51900555014", "agreed": False}),
        (["Rosa", "900 555 014", "", "", "", ""], {}, Fault("no_country", "900 555 014")),
        (["Rosa", "900 555 014", "", "", "", ""], {"country": "PE"}, {"phone": "51900555014"}),
        (["Rosa", "+5511987654321", "", "", "", ""], {"country": "PE"}, {"phone": "5511987654321"}),
        (["Rosa", "", "Rosa@Correo.example", "", "a; b|a", "Lima"], {},
         {"phone": "", "email": "Rosa@Correo.example", "labels": ("a", "b"), "attributes": {"ciudad": "Lima"}}),
        (["Rosa", "+51 900 555 014", "rosa@", "", "", ""], {}, Fault("email", "rosa@")),
        (["Rosa", "+51 900 555 014", "rosa@", "", "", ""], {"without_email": True}, {"email": ""}),
        (["Rosa", "", "", "", "", ""], {}, Fault("no_address", "Rosa")),
        (["Rosa", "+51 900 555 014", "", "tal vez", "", ""], {}, Fault("consent", "tal vez")),
    ],
)  # fmt: skip
def test_a_row_is_a_contact_or_says_why_not(cells, fixes, expected):
    found = entry_of(cells, COLUMNS, guess(COLUMNS), country="PE", fixes=fixes)

    if isinstance(expected, Fault):
        assert found == expected
    else:
        assert isinstance(found, Entry)
        assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("written", ["999 55", "hola", "+51 900", "12345678901234567890"])
def test_what_is_no_phone_says_what_is_wrong_with_it(written):
    found = entry_of(["Eva", written, "", "", "", ""], COLUMNS, guess(COLUMNS), country="PE", fixes={"country": "PE"})

    assert isinstance(found, Fault)
    assert found.kind == "not_a_phone"
    assert found.written == written
    assert found.sentence in NO_PHONES


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), ("nombre,telefono\n", "empty"), ("a," * 50 + "\n1\n", "too_many_columns")],
)
def test_what_is_no_list_is_refused(text, reason):
    with pytest.raises(NotAList) as refusal:
        parse(text)
    assert refusal.value.reason == reason


def test_columns_are_guessed_and_named_apart():
    assert parse("tel,,tel\n1,2,3\n").columns == ["tel", "2", "tel 3"]
    assert guess(["Nombre", "Teléfono", "Celular", "E-mail", "Talla"]) == {
        "Nombre": "name", "Teléfono": "phone", "Celular": "attribute", "E-mail": "email", "Talla": "attribute",
    }  # fmt: skip


def bring(company, text: str = FILE, **choices) -> ContactImport:
    with company.transaction():
        asked = imports.begin("clientes.csv", text.encode(), by=company.supervisor, now=NOON)
    imports.run(NOON)
    with company.transaction():
        asked.refresh_from_db()
        if fixes := choices.pop("fixes", None):
            assert imports.ask_again(asked, fixes=fixes)
    imports.run(NOON)
    if choices:
        with company.transaction():
            asked.refresh_from_db()
            assert imports.start(asked, **choices)
        imports.run(NOON)
    with company.transaction():
        return ContactImport.objects.get(pk=asked.pk)


@pytest.mark.django_db
def test_the_check_counts_and_lists_what_is_wrong(ours):
    with ours.transaction():
        known = conversation(ours, "Luis", identified=True).contact
        Identity.objects.filter(contact=known).update(value="51900555015", address="51900555015")

    asked = bring(ours)

    assert asked.state == "checked"
    assert asked.found == {"new": 2, "updates": 1, "agreed": 1, "not_agreed": 2, "errors": 6}
    assert [(row, kind) for row, kind, *_more in asked.faults] == [
        (4, "no_country"), (5, "not_a_phone"), (6, "email"), (7, "repeated"), (8, "no_address"), (9, "consent"),
    ]  # fmt: skip
    assert asked.faults[3][3] == "2"
    with ours.transaction():
        assert Contact.objects.count() == 1


@pytest.mark.django_db
def test_an_answer_mends_all_rows_like_it(ours):
    asked = bring(ours, fixes={"country": "PE", "without_email": True})

    assert asked.found["errors"] == 4
    assert asked.found["new"] == 5


@pytest.mark.django_db
def test_the_good_rows_become_contacts(ours):
    asked = bring(ours, fixes={"country": "PE"}, uses_consent=True, label="noviembre")

    assert (asked.state, asked.place) == ("done", 9)
    with ours.transaction():
        rosa = Contact.objects.matching("51900555014").get()
        assert (rosa.name, rosa.email, rosa.attributes) == ("Rosa Quispe", "rosa@correo.example", {"ciudad": "Lima"})
        assert rosa.labels == ["VIP", "feria", "noviembre"]
        assert (rosa.marketing, rosa.marketing_source) == ("agreed", "import")
        assert Contact.objects.matching("luis").get().marketing == ""
        assert Contact.objects.matching("51900555016").get().name == "Ana"
        assert Contact.objects.matching("solo@correo.example").get().identities.count() == 0
        assert Contact.objects.count() == 4


@pytest.mark.django_db
def test_the_same_file_again_makes_nobody_and_changes_nothing(ours):
    bring(ours, uses_consent=True)
    with ours.transaction():
        before = list(Contact.objects.order_by("pk").values())

    again = bring(ours, uses_consent=True)

    assert (again.found["new"], again.found["updates"]) == (0, 3)
    with ours.transaction():
        assert list(Contact.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_what_our_people_wrote_and_the_person_stopped_is_kept(ours):
    with ours.transaction():
        rosa = Contact.objects.create(
            tenant=ours.tenant, name="Rosa", email="r@x.example", labels=["vip"], attributes={"talla": "M", "ciudad": "Puno"},
            marketing_stopped=True, marketing_source="word",
        )  # fmt: skip
        Identity.objects.create(tenant=ours.tenant, contact=rosa, kind="phone", value="51900555014")

    bring(ours, "telefono,acepta,etiquetas,ciudad\n+51900555014,si,VIP;nuevo,Lima\n", uses_consent=True)

    with ours.transaction():
        rosa.refresh_from_db()
        assert (rosa.name, rosa.email, rosa.labels) == ("Rosa", "r@x.example", ["vip", "nuevo"])
        assert rosa.attributes == {"talla": "M", "ciudad": "Lima"}
        assert (rosa.marketing, rosa.marketing_consent_at) == ("stopped", None)


@pytest.mark.django_db
def test_undone_it_leaves_the_contacts_as_they_were(ours):
    with ours.transaction():
        known = conversation(ours, "Luis", identified=True).contact
        Identity.objects.filter(contact=known).update(value="51900555015", address="51900555015")
        before = list(Contact.objects.values()), list(Identity.objects.values())
    asked = bring(ours, uses_consent=True, label="x")
    with ours.transaction():
        assert Contact.objects.count() == 3
        assert imports.take_back(asked, now=NOON + timedelta(days=1))

    imports.run(NOON)

    with ours.transaction():
        assert (list(Contact.objects.values()), list(Identity.objects.values())) == before
        assert ContactImport.objects.get().state == "undone"


@pytest.mark.django_db
def test_whoever_wrote_or_was_changed_since_stays_so(ours):
    asked = bring(ours, "nombre,telefono\nRosa,+51900555014\nLuis,+51900555015\n", uses_consent=False)
    meta.store(meta.body(said("w1", phone="51900555014")))
    drain()
    with ours.transaction():
        assert imports.take_back(asked, now=NOON)

    imports.run(NOON)

    with ours.transaction():
        assert Contact.objects.get().name == "Rosa"


@pytest.mark.django_db
def test_it_is_too_late_to_undo_after_a_week(ours):
    asked = bring(ours, uses_consent=False)

    with ours.transaction():
        assert not imports.take_back(asked, now=NOON + timedelta(days=7))


@pytest.mark.django_db
def test_a_page_that_is_killed_is_done_again(ours, monkeypatch):
    monkeypatch.setattr(imports, "PAGE", 3)
    told, calls = imports.contacts.tell_changed_ids, []

    def fails_once(*args, **more):
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError
        told(*args, **more)

    monkeypatch.setattr(imports.contacts, "tell_changed_ids", fails_once)
    text = "nombre,telefono\n" + "".join(f"P{n},+519005550{n:02}\n" for n in range(10, 20))
    with pytest.raises(ZeroDivisionError):
        bring(ours, text, uses_consent=False)

    imports.run(NOON)

    with ours.transaction():
        assert ContactImport.objects.get().state == "done"
        assert sorted(Contact.objects.values_list("name", flat=True)) == [f"P{n}" for n in range(10, 20)]
        assert Identity.objects.count() == 10


@pytest.mark.django_db
def test_a_page_is_a_few_statements_however_many_rows_it_has(ours):
    text = "nombre,telefono,correo\n" + "".join(f"P{n},+5190055{n:04},p{n}@x.example\n" for n in range(600))
    with ours.transaction():
        asked = imports.begin("a.csv", text.encode(), by=ours.supervisor, now=NOON)
    imports.run(NOON)
    with ours.transaction():
        asked.refresh_from_db()
        imports.start(asked, uses_consent=False)
    statements: list[str] = []

    def count(execute, sql, *args):
        statements.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(count):
        imports.run(NOON)

    with ours.transaction():
        assert Contact.objects.count() == 600
    assert len(statements) < 50


@pytest.mark.django_db
def test_the_file_is_read_once_however_many_pages_it_has(ours, monkeypatch):
    monkeypatch.setattr(imports, "PAGE", 2)
    asked = bring(ours)
    with ours.transaction():
        assert imports.start(asked, uses_consent=True)
    read: list[str] = []
    parse = imports.contact_files.parse
    monkeypatch.setattr(imports.contact_files, "parse", lambda text: (read.append(text), parse(text))[1])

    assert imports.run(NOON) >= 3

    assert len(read) == 1


def test_its_rows_are_sealed(ours):
    asked = bring(ours, uses_consent=False)

    with ours.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM crm_contactimport t WHERE id = %s", [asked.pk])
        kept = cursor.fetchone()[0]
        cursor.execute("SELECT t::text FROM crm_contactimportpage t")
        kept += "".join(row[0] for row in cursor.fetchall())
    assert "Rosa" not in kept
    assert "900555014" not in kept
    assert contact_files.MOST_ROWS == 100_000


def test_every_sentence_about_phones_is_known_to_the_translations():
    said = {
        value
        for name, value in vars(phones).items()
        if name.startswith("_") and isinstance(value, str) and value[-1:] in ".?"
    }

    assert said == set(NO_PHONES)


@pytest.mark.django_db
def test_an_old_file_is_dropped_and_its_contacts_stay(ours):
    bring(ours, uses_consent=False)

    with system_transaction():
        assert imports.forget(NOON + timedelta(days=29)) == 0
        assert imports.forget(NOON + timedelta(days=31)) == 2  # the import and its page

    with ours.transaction():
        assert not ContactImport.objects.exists()
        assert Contact.objects.count() == 3
