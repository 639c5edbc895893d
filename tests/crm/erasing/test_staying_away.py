"""Nothing old brings back who was erased, and what was under way goes too."""

import pytest
from django.core.files.storage import storages

from crm import erasing, imports, inbound
from crm.erasing import working
from crm.inbound.replaying import replay_all
from crm.models import Attachment, Contact, Conversation, Erasure, Identity, Message, Reaction
from sequences import freezing
from sequences.models import Broadcast, Recipient
from tenants import clock
from tenants.context import system_transaction
from tests import meta
from tests.crm.erasing.person import LUIS, ROSA, WORD, ask, deliver, from_rosa, rosas, said, traces, work_off
from tests.crm.views.talk import outbound as answered
from whatsapp.models import WebhookEvent

pytestmark = pytest.mark.django_db


def test_replaying_everything_changes_nothing(ours, theirs, rosa, folder):
    ask(ours, rosa.pk)
    work_off()

    replayed = replay_all(WebhookEvent.objects.all())

    assert replayed.failed == [] and replayed.rows_changed == 0
    assert traces(folder, theirs) == []


@pytest.mark.parametrize("is_worked_off", [True, False])
def test_a_redelivery_of_something_old_is_not_heard_and_not_kept(ours, theirs, rosa, folder, is_worked_off):
    ask(ours, rosa.pk)
    if is_worked_off:
        work_off()

    deliver(said(from_rosa("text", {"body": f"{WORD} hola"}, wamid="wamid.canario-1")))
    deliver(meta.statuses(meta.status("read", wamid="wamid.canario-out", at=meta.now() + 5)))
    deliver(said(from_rosa("reaction", {"message_id": "wamid.canario-out", "emoji": "👎"}, wamid="wamid.canario-20", at=meta.now() + 5)))  # fmt: skip
    work_off()

    assert traces(folder, theirs) == []
    with ours.transaction():
        assert not Identity.objects.filter(value=ROSA).exists()


def test_who_writes_again_is_somebody_new_who_wants_no_marketing(ours, rosa):
    ask(ours, rosa.pk)
    deliver(said(meta.text("Hola de nuevo", wamid="wamid.new", wa_id=ROSA, at=meta.now() + 1), name="Rosa"))
    work_off()  # it was stored while they were being erased

    with ours.transaction():
        again = rosas()
        assert (again.pk == rosa.pk, again.name, again.labels) == (False, "", [])
        assert (again.marketing_stopped, again.marketing_source) == (True, "word")
        assert [message.text for message in Message.objects.filter(conversation__contact=again)] == ["Hola de nuevo"]
    # And stays, when all that is stored is merged again; what they say of it is theirs.
    deliver(
        said(from_rosa("reaction", {"message_id": "wamid.new", "emoji": "👍"}, wamid="wamid.r2", at=meta.now() + 2))
    )
    assert replay_all(WebhookEvent.objects.all()).rows_changed == 0
    with ours.transaction():
        assert Message.objects.filter(conversation__contact=again).count() == 1
        assert Reaction.objects.get(target_message_id="wamid.new").emoji == "👍"


def test_a_message_that_waits_to_be_merged_is_not_lost(ours, rosa):
    ask(ours, rosa.pk)
    meta.store(meta.body(said(meta.text("¿Hola?", wamid="wamid.new", wa_id=ROSA, at=meta.now() + 1), name="Rosa")))
    work_off()
    inbound.drain()

    with ours.transaction():
        assert Message.objects.get(conversation__contact=rosas()).text == "¿Hola?"


def test_an_import_or_a_list_that_was_given_before_does_not_bring_them_back(ours, rosa):
    with ours.transaction():
        brought = imports.begin(
            "otra.csv", f"celular\n+{ROSA}\n+51900777001\n".encode(), by=ours.admin, now=clock.now()
        )
    imports.run(clock.now())
    with ours.transaction():
        brought.refresh_from_db()
        imports.start(brought, uses_consent=False)
        reading = imports.Reading()
        reading.of(brought)  # somebody has read the file before it loses the row
        draft = Broadcast.objects.get(name="borrador")

    ask(ours, rosa.pk)
    imports._work(ours.tenant.pk, brought.pk, reading, clock.now())
    with ours.transaction():
        freezing.freeze(draft, clock.now())

        assert not Identity.objects.filter(value=ROSA).exists()
        assert Identity.objects.filter(value="51900777001").exists()
        assert list(Recipient.objects.filter(broadcast=draft).order_by("position").values_list("address", "reason")) == [
            ("", "erased"), (LUIS, ""),
        ]  # fmt: skip
    work_off()


def test_what_was_under_way_when_they_were_erased_goes_too(ours, rosa, theirs, folder):
    asked = ask(ours, rosa.pk)
    while True:
        with system_transaction():
            if Erasure.objects.get(pk=asked.pk).step == "rest":
                talk = Conversation.objects.get(contact=rosa.pk)
                break
        working._work(asked.pk, clock.now())
    with system_transaction():
        Message.objects.create(
            tenant=ours.tenant, conversation=talk, number=ours.number, direction="inbound", source="customer", type="text",
            text=f"{WORD} tarde", provider_message_id="wamid.late", sent_at=clock.now(), status="received",
        )  # fmt: skip
    deliver(meta.statuses(meta.status("read", wamid="wamid.late", at=meta.now())))

    work_off()

    assert traces(folder, theirs) == []


def test_doing_a_piece_twice_or_losing_one_changes_nothing(ours, theirs, rosa, folder, monkeypatch):
    monkeypatch.setattr(working, "PAGE", 3)
    asked = ask(ours, rosa.pk)

    class Killed(Exception):
        pass

    pieces = 0
    while True:
        with system_transaction():
            if Erasure.objects.get(pk=asked.pk).is_done:
                break
        monkeypatch.setattr(working, "crash_point", lambda name: _raise(Killed))
        with pytest.raises(Killed):
            working._work(asked.pk, clock.now())
        monkeypatch.setattr(working, "crash_point", lambda name: None)
        working._work(asked.pk, clock.now())
        pieces += 1

    assert pieces > 8
    assert traces(folder, theirs) == []
    assert erasing.run(clock.now()) == 0


def _raise(error: type[Exception]) -> None:
    raise error


def test_a_file_that_others_got_too_stays(ours, rosa, folder):
    with ours.transaction():
        shared = Attachment.objects.filter(filename__isnull=False).exclude(stored_as="").first().stored_as
        luis = Identity.objects.get(value=LUIS).contact
        message = answered(Conversation.objects.get(contact=luis), "folleto", at=clock.now(), type="document")
        Attachment.objects.create(
            tenant=ours.tenant, message=message, mime_type="application/pdf", stored_as=shared, size=9
        )

    ask(ours, rosa.pk)
    work_off()

    assert storages["media"].exists(shared)
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 1


def test_nobody_is_erased_twice(ours, rosa):
    ask(ours, rosa.pk)
    with pytest.raises(erasing.CannotErase, match="no longer there"):
        ask(ours, rosa.pk)


def test_another_companys_contact_is_not_there(ours, theirs, rosa):
    with pytest.raises(erasing.CannotErase):
        ask(theirs, rosa.pk)
    with ours.transaction():
        assert Contact.objects.filter(pk=rosa.pk).exists()
