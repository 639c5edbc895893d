"""After a restore who was erased is erased again; the commands say what they did and what they cannot use."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from crm.inbound.replaying import replay_all
from crm.models import Contact, Erasure
from tests import meta
from tests.crm.erasing.person import ROSA, ask, deliver, hits, rosas, said, traces, work_off
from whatsapp.models import WebhookEvent

pytestmark = pytest.mark.django_db


def test_who_is_there_again_after_a_restore_is_erased_again(ours, theirs, rosa, folder, tmp_path):
    """The copy is the database before the erasure: what the erasure did is rolled back, as a restore would."""
    file = tmp_path / "erasures.jsonl"
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ask(ours, rosa.pk)
        call_command("erasures", export=str(file))
        raise ZeroDivisionError
    with ours.transaction():
        assert Contact.objects.filter(pk=rosa.pk).exists() and not Erasure.objects.exists()
    assert hits(file.read_bytes()) == []

    said_by_it = io.StringIO()
    call_command("erase", again=str(file), stdout=said_by_it)

    assert said_by_it.getvalue().strip() == "1 erasures put back, 1 people erased again."
    assert traces(folder, theirs) == []
    call_command("erase", again=str(file), stdout=said_by_it)
    assert said_by_it.getvalue().splitlines()[-1] == "0 erasures put back, 0 people erased again."
    assert replay_all(WebhookEvent.objects.all()).rows_changed == 0
    assert traces(folder, theirs) == []


def test_who_came_back_by_themselves_stays_after_a_restore(ours, rosa, tmp_path):
    file = tmp_path / "erasures.jsonl"
    ask(ours, rosa.pk)
    work_off()
    deliver(said(meta.text("Hola de nuevo", wamid="wamid.new", wa_id=ROSA, at=meta.now() + 1), name="Rosa"))
    call_command("erasures", export=str(file))

    call_command("erase", again=str(file), stdout=io.StringIO())

    with ours.transaction():
        assert rosas().phone == ROSA


@pytest.mark.parametrize("written", ["", "nothing", '{"ventana": "erasures", "version": 9}', '{"a": 1}\n{}'])
def test_what_is_no_file_of_erasures_is_refused(ours, tmp_path, written):
    file = tmp_path / "file"
    file.write_text(written)
    with pytest.raises(CommandError, match="file"):
        call_command("erase", again=str(file))


def test_the_command_erases_by_a_phone_in_any_spelling(ours, theirs, rosa, folder):
    call_command("erase", tenant="ours", phone="900 555 014", stdout=io.StringIO())

    assert traces(folder, theirs) == []
    with ours.transaction():
        assert (Erasure.objects.get().door, Erasure.objects.get().asked_by) == ("command", None)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "Say whom"),
        ({"tenant": "nobody", "phone": "900555014"}, "no company"),
        ({"tenant": "ours", "phone": "900555000"}, "Nobody"),
        ({"tenant": "ours", "phone": "12"}, "too short"),
        ({"again": "/nowhere/file"}, "cannot be read"),
    ],
)
def test_a_wrong_order_is_explained(ours, options, sentence):
    with pytest.raises(CommandError, match=sentence):
        call_command("erase", **options)
