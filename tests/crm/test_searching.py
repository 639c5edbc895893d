"""Messages are found by their words, though the database holds none of them; in one's own company alone."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from crm import searching
from crm.models import Message, MessageWord
from tenants.context import system_transaction
from tests.crm.views.talk import conversation, inbound

pytestmark = pytest.mark.django_db


@pytest.fixture
def said(ours):
    """Somebody says something; the conversation it is in."""

    def said(text: str, name: str = "Rosa Quispe", **fields):
        with ours.transaction():
            talk = conversation(ours, name, **fields)
            inbound(talk, text)
            return talk

    return said


def found(company, words: str) -> list:
    with company.transaction():
        return searching.find(words)


@pytest.mark.parametrize(
    "words",
    [
        "zapatillas",
        "ZAPATILLAS",
        "trekking",
        "trekkíng zapatillas",
        "tallá",
        "43",
        "señora",
        "senora",
        "43 talla trekking",
    ],
)
def test_words_are_found_whatever_their_case_accents_and_order(ours, said, words):
    talk = said("Señora, ¿tienen ZAPATILLAS de trékking, talla 43?")
    said("Otra cosa", "Otra")
    searching.index()

    assert found(ours, words) == [talk.pk]


@pytest.mark.parametrize("words", ["zapa", "zapatillas rojas", "", "¿?", "a", "zapatillas nunca"])
def test_what_was_not_said_is_not_found(ours, said, words):
    said("¿tienen zapatillas?")
    searching.index()
    assert found(ours, words) == []


def test_all_words_have_to_be_in_one_message(ours, said):
    talk = said("quiero zapatillas")
    with ours.transaction():
        inbound(talk, "rojas")
    searching.index()
    assert found(ours, "zapatillas rojas") == []


def test_the_newest_come_first(ours, said):
    talks = [said(f"hola número {n}", f"Cliente {n}") for n in range(5)]
    searching.index()
    assert found(ours, "hola") == [talk.pk for talk in reversed(talks)]


def test_another_company_finds_nothing_and_has_other_numbers_for_the_same_word(ours, theirs, said):
    said("secreto")
    searching.index()
    assert found(theirs, "secreto") == []
    assert searching.tokens_of("secreto", tenant_id=ours.tenant.pk) != searching.tokens_of(
        "secreto", tenant_id=theirs.tenant.pk
    )


def test_nothing_that_was_said_stands_in_the_table(ours, said):
    said("palabraúnica")
    searching.index()
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(w::text, ' ') FROM crm_messageword w")
        assert "palabra" not in cursor.fetchone()[0]


def test_each_message_is_taken_once(ours, said):
    said("hola")
    searching.index()
    with system_transaction():
        before = MessageWord.objects.count()
    assert searching.index() == 0
    said("hola otra vez", "Otra")
    assert searching.index() == 1
    with system_transaction():
        assert MessageWord.objects.count() == before + 3


def test_one_that_commits_late_is_found_all_the_same(ours, said):
    """Its id is older than what was taken already."""
    talk = said("tarde")
    with ours.transaction():
        message = Message.objects.get()
        late = {field.attname: getattr(message, field.attname) for field in Message._meta.concrete_fields}
        Message.objects.all().delete()
    said("temprano", "Otra")
    searching.index()
    with ours.transaction():
        Message.objects.create(**late)

    searching.index()

    assert found(ours, "tarde") == [talk.pk]


def test_many_are_taken_in_one_run_and_those_without_words_hold_nothing_up(ours, said, monkeypatch):
    monkeypatch.setattr(searching, "PAGE", 4)
    for place in range(11):
        said(f"palabra {place}" if place % 3 else "👍", f"Cliente {place}")
    searching.index()
    assert len(found(ours, "palabra")) == 7


def test_a_change_is_taken_anew(ours, said):
    talk = said("antes")
    searching.index()
    with ours.transaction():
        message = Message.objects.get()
        message.text = "después"
        message.save()
        searching.reindex([message.pk])
    assert (found(ours, "antes"), found(ours, "despues")) == ([], [talk.pk])


def test_after_a_change_of_the_key_all_words_are_taken_anew(ours, said, settings, capsys):
    talk = said("hola")
    searching.index()
    settings.SECRET_KEY = "another-key-of-at-least-some-length-0123456789"
    assert found(ours, "hola") == []
    call_command("index_messages", "--all")
    assert found(ours, "hola") == [talk.pk]


def test_the_inbox_finds_by_words_only_what_one_may_see(ours, said):
    said("busco botas impermeables", "Ventas")
    with ours.transaction():
        talk = conversation(ours, "Soporte", queue=ours.support)
        inbound(talk, "mis botas impermeables se rompieron")
    searching.index()

    def names(membership) -> str:
        client = Client()
        client.force_login(membership.user)
        return client.get("/inbox/?q=impermeables").content.decode()

    assert 'data-name="Ventas"' in names(ours.ana)
    assert 'data-name="Soporte"' not in names(ours.ana)
    assert 'data-name="Soporte"' in names(ours.supervisor)
