"""Somebody is erased: gone from the pages at once, from everywhere soon, and nothing old brings them back."""

import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from crm import contacts, erasing, imports, inbound, merges, searching
from crm.erasing import working
from crm.inbound.replaying import replay_all
from crm.media import storing
from crm.models import (
    Activity,
    Attachment,
    Contact,
    ContactImport,
    Conversation,
    DeliveryIssue,
    Episode,
    Erasure,
    ErasureDoor,
    ErasureReason,
    FileState,
    Identity,
    Message,
    MessageHour,
    MessageStatus,
    Reaction,
    UnmatchedStatus,
)
from crm.reports import rollups
from sequences import broadcasting, enrolling, freezing
from sequences.models import Broadcast, BulkEnrollment, Enrollment, ManualTask, Recipient, StepRun
from tenants import clock
from tenants.alerts import raise_alert
from tenants.context import system_transaction
from tenants.encryption import unseal
from tenants.models import Severity
from tenants.rotating import sealed_columns
from tests import meta
from tests.cast import Company
from tests.crm.views.talk import outbound as answered
from tests.sequences.conftest import build, step
from whatsapp.flows.exchanging import Invitation, invite
from whatsapp.models import Flow, FlowToken, WebhookEvent

pytestmark = pytest.mark.django_db

ROSA, LUIS = "51900555014", "51900555099"
WORD = "canario"  # in everything of Rosa's
BSUID = "PE.canario14"
CANARIES = (WORD, ROSA, "900555014", "900 555 014")


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Any) -> Any:
    media = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / "media")}}
    settings.STORAGES = {**settings.STORAGES, "media": media}
    return tmp_path / "media"


def hour_ago() -> int:
    return meta.now() - 3600


def deliver(*values: dict[str, Any], **options: Any) -> int:
    event_id = meta.store(meta.body(*values, **options))
    inbound.drain()
    return event_id


def said(*found: dict[str, Any], wa_id: str = ROSA, name: str = f"Rosa {WORD}", **more: Any) -> dict[str, Any]:
    person = meta.contact(wa_id, name, **more)
    return meta.messages(*found, contacts=[person])


def from_rosa(kind: str, content: dict[str, Any], *, wamid: str, at: int | None = None, **more: Any) -> dict[str, Any]:
    moment = str(at or hour_ago())
    return {"from": ROSA, "from_user_id": BSUID, "id": wamid, "timestamp": moment, "type": kind, kind: content, **more}


def ask(company: Company, contact_id: Any, **more: Any) -> Erasure:
    defaults = {"reason": ErasureReason.REQUEST, "door": ErasureDoor.PAGE, "by": company.admin, "now": clock.now()}
    with company.transaction():
        return erasing.ask(contact_id, tenant_id=company.tenant.pk, **defaults | more)


def work_off() -> None:
    while erasing.run(clock.now()):
        pass
    with system_transaction():
        assert not Erasure.objects.filter(done_at=None).exists()


def rosas() -> Contact:
    return Identity.objects.select_related("contact").get(kind="phone", value=ROSA).contact


# --- A person with a trace of every kind --------------------------------------------------------------------------------


@pytest.fixture
def rosa(ours: Company, theirs: Company) -> Contact:
    """Rosa, who wrote everything that can be written and to whom everything was done; Luis, who said the same of others."""
    _writes(ours)
    deliver(said(from_rosa("text", {"body": f"{WORD} otra empresa"}, wamid="wamid.canario-theirs"))
            | {"metadata": meta.value("200000000000001")["metadata"]})  # fmt: skip
    with ours.transaction():
        contact = rosas()
        talk = Conversation.objects.get(contact=contact)
        contacts.change(contact, {"name": f"Rosa {WORD}", "email": f"{WORD}@correo.example"}, now=clock.now())
        contacts.label(contact, add=f"{WORD} vip", now=clock.now())
        contacts.change(contact, {"attributes": {"dni": f"{WORD} 123"}}, now=clock.now())
        twin = contacts.create(
            tenant_id=ours.tenant.pk, name=f"Rosita {WORD}", phone="51911000014", email=f"r2@{WORD}.example", now=clock.now()
        )  # fmt: skip
        merges.merge([contact.pk, twin.pk], tenant_id=ours.tenant.pk, by=ours.supervisor, now=clock.now())
        _is_written_to(ours, talk)
        _is_followed_up(ours, talk)
        _is_listed(ours, contact)
    searching.index()
    rollups.refresh(clock.now())
    return contact


def _writes(ours: Company) -> None:
    places = {"latitude": 1, "longitude": 2, "name": f"Casa {WORD}", "address": WORD}
    card = {
        "name": {"formatted_name": f"Prima {WORD}"},
        "phones": [{"phone": "+51 900 000 001", "wa_id": "51900000001"}],
    }
    order = {"catalog_id": "1", "text": f"{WORD} pedido", "product_items": [{"product_retailer_id": "a", "quantity": 1, "item_price": 5, "currency": "PEN"}]}  # fmt: skip
    form = {
        "type": "nfm_reply",
        "nfm_reply": {"name": "flow", "body": "Sent", "response_json": json.dumps({"nombre": WORD})},
    }
    button = {"type": "button_reply", "button_reply": {"id": "1", "title": f"{WORD} sí"}}
    found = [
        from_rosa("text", {"body": f"{WORD} hola"}, wamid="wamid.canario-1"),
        from_rosa("location", places, wamid="wamid.canario-2"),
        from_rosa("contacts", [card], wamid="wamid.canario-3"),
        from_rosa("order", order, wamid="wamid.canario-4"),
        from_rosa("interactive", form, wamid="wamid.canario-5"),
        from_rosa("interactive", button, wamid="wamid.canario-6"),
        from_rosa("document", {"id": "1", "mime_type": "application/pdf", "filename": f"{WORD}.pdf", "caption": WORD}, wamid="wamid.canario-7"),
        from_rosa("edit", {"original_message_id": "wamid.canario-1", "message": {"type": "text", "text": {"body": f"{WORD} corregido"}}}, wamid="wamid.canario-8"),
        from_rosa("reaction", {"message_id": "wamid.canario-out", "emoji": "👍"}, wamid="wamid.canario-9"),
        from_rosa("text", {"body": "BAJA"}, wamid="wamid.canario-10"),
    ]  # fmt: skip
    for message in found:
        deliver(said(message, user_id=BSUID))
    # One delivery that speaks of both, one that was never merged, and one that nobody can read.
    both = meta.messages(
        meta.text(f"{WORD} a la vez", wamid="wamid.canario-11", wa_id=ROSA, at=hour_ago()),
        meta.text("de Luis", wamid="wamid.luis-1", wa_id=LUIS, at=hour_ago()),
        contacts=[meta.contact(ROSA, f"Rosa {WORD}"), meta.contact(LUIS, "Luis")],
    )
    deliver(both, said(from_rosa("text", {"body": f"{WORD} sin ruta"}, wamid="wamid.canario-12")))
    meta.store(json.dumps({"from": ROSA, "said": WORD}).encode()[:-1])
    inbound.drain()


def _is_written_to(ours: Company, talk: Conversation) -> None:
    now = clock.now()
    sent = answered(
        talk,
        f"{WORD} respuesta",
        at=now,
        provider_message_id="wamid.canario-out",
        cost_amount="0.02",
        cost_currency="USD",
    )
    answered(talk, f"{WORD} en cola", at=now, status=MessageStatus.QUEUED, provider_message_id=None)
    for name in (f"{WORD} 1.pdf", f"{WORD} 2.pdf"):
        message = answered(talk, WORD, at=now, type="document")
        Attachment.objects.create(
            tenant=ours.tenant, message=message, mime_type="application/pdf", filename=name, size=9,
            stored_as=storing.save(ours.tenant.pk, io.BytesIO(f"{WORD} file".encode())),
            thumbnail=storing.save(ours.tenant.pk, io.BytesIO(f"{WORD} thumb".encode())), state=FileState.THERE,
        )  # fmt: skip
    Reaction.objects.create(
        tenant=ours.tenant, number=ours.number, target_message_id="wamid.canario-1", ours=True, emoji="❤", at=now
    )
    UnmatchedStatus.objects.create(
        tenant=ours.tenant, number=ours.number, provider_message_id=sent.provider_message_id, status="read", at=now
    )
    Episode.objects.get_or_create(conversation=talk, closed_at=None, defaults={"tenant": ours.tenant, "opened_at": now})
    Activity.objects.create(tenant=ours.tenant, conversation=talk, kind="closed", facts={"word": WORD}, at=now)
    DeliveryIssue.objects.create(
        tenant=ours.tenant, conversation=talk, number=ours.number, level="probable", likelihood=0.96, misses=2, since=now,
        found_at=now, judged_at=now,
    )  # fmt: skip
    raise_alert(tenant_id=ours.tenant.pk, kind="odd", subject=str(talk.pk), severity=Severity.INFO, facts={"who": WORD})


def _is_followed_up(ours: Company, talk: Conversation) -> None:
    now = clock.now()
    sequence = build(ours, step("hola"))
    enrolling.enroll(sequence, [talk], now=now)
    enrollment = Enrollment.objects.get(conversation=talk)
    ManualTask.objects.create(tenant=ours.tenant, enrollment=enrollment, conversation=talk, position=0, why="no_template", text=WORD, created_at=now)  # fmt: skip
    StepRun.objects.create(tenant=ours.tenant, enrollment=enrollment, position=0, action="send", why="due", facts={"name": WORD}, at=now)  # fmt: skip
    flow = Flow.objects.create(tenant=ours.tenant, waba_id="3", name="f")
    invite([Invitation(flow_id=flow.pk, number_id=ours.number.pk, holder=talk.pk, token=uuid4().hex)], now=now)


def _is_listed(ours: Company, contact: Contact) -> None:
    now = clock.now()
    talk = Conversation.objects.get(contact=contact)
    sent = Message.objects.get(provider_message_id="wamid.canario-out")
    defaults = {"tenant": ours.tenant, "number": ours.number, "template_name": "t", "template_language": "es", "template_category": "utility", "created_at": now}  # fmt: skip
    rows = [[2, "900 555 014", {"nombre": WORD}], [3, f"+{LUIS}", {"nombre": "Luis"}]]
    Broadcast.objects.create(name="borrador", rows=rows, **defaults)
    running = Broadcast.objects.create(name="en marcha", state="running", **defaults)
    for place, fate in enumerate(("sent", "waiting")):
        broadcast = running if fate == "sent" else Broadcast.objects.create(name="otra", state="paused", **defaults)
        Recipient.objects.create(
            tenant=ours.tenant, broadcast=broadcast, position=place, address=ROSA, conversation=talk, fate=fate,
            values={"1": WORD}, message=sent if fate == "sent" else None,
        )  # fmt: skip
    Recipient.objects.create(
        tenant=ours.tenant, broadcast=running, position=7, address=ROSA, fate="refused", reason="twice"
    )
    BulkEnrollment.objects.create(tenant=ours.tenant, sequence=build(ours, step("x"), name="Masa"), phones=[ROSA, LUIS], created_at=now)  # fmt: skip
    file = f"celular;nombre;nota\n900 555 014;Rosa {WORD};{WORD}\n+{LUIS};Luis;\nno;malo;\n"
    brought = imports.begin("lista.csv", file.encode(), by=ours.admin, now=now)
    brought.fixes = {"country": "PE"}
    brought.save(update_fields=["fixes"])
    _run_import(brought)
    brought.refresh_from_db()
    imports.start(brought, uses_consent=False)
    _run_import(brought)


def _run_import(brought: ContactImport) -> None:
    imports.run(clock.now())


# --- The whole ----------------------------------------------------------------------------------------------------------


def opened() -> bytes:
    """Every sealed value of the database, opened."""
    found = io.BytesIO()
    with system_transaction(), connection.cursor() as cursor:
        for column in sealed_columns():
            cursor.execute(f'SELECT "{column.name}" FROM "{column.table}" WHERE "{column.name}" IS NOT NULL')
            for (value,) in cursor.fetchall():
                found.write(unseal(bytes(value), purpose=column.purpose) + b"\n")
    return found.getvalue()


def stored_files(folder: Any) -> bytes:
    return b"".join(path.read_bytes() + path.name.encode() for path in folder.rglob("*") if path.is_file())


def remembered() -> bytes:
    client = redis.Redis.from_url(settings.REDIS_URL)
    return b"\n".join(key + b" " + (client.dump(key) or b"") for key in client.keys("*"))


def hits(*places: bytes) -> list[str]:
    return [canary for canary in CANARIES for place in places if canary.encode() in place]


THEIR_OWN = (b"otra empresa",)  # what another company has of the same person


def traces(folder: Any, other: Company) -> list[str]:
    """Where Rosa still is, but for what the other company has of her."""
    with system_transaction():
        rows = "\n".join(_rows_of_ours(other)).encode()
    return hits(rows, _opened_of_ours(other), stored_files(folder), remembered())


def _rows_of_ours(other: Company) -> Iterator[str]:
    with connection.cursor() as cursor:
        for table, column in _tables(cursor):
            where = f"WHERE {column} IS DISTINCT FROM '{other.tenant.pk}'" if column else ""
            cursor.execute(f"SELECT t::text FROM {table} t {where}")
            yield from (row[0] for row in cursor.fetchall())


def _tables(cursor: Any) -> list[tuple[str, str]]:
    cursor.execute(
        "SELECT c.relname, COALESCE((SELECT attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND attname = 'tenant_id'), '')"
        " FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
        " AND has_table_privilege(c.oid, 'SELECT')"
    )
    return cursor.fetchall()


def _opened_of_ours(other: Company) -> bytes:
    theirs = other.tenant.pk
    with system_transaction(), connection.cursor() as cursor:
        found = []
        owned = dict(_tables(cursor))
        for column in sealed_columns():
            where = f"tenant_id IS DISTINCT FROM '{theirs}'" if owned.get(column.table) else "true"
            cursor.execute(
                f'SELECT "{column.name}" FROM "{column.table}" WHERE "{column.name}" IS NOT NULL AND {where}'
            )
            found += [unseal(bytes(value), purpose=column.purpose) for (value,) in cursor.fetchall()]
    return b"\n".join(found)


def others(company: Company, contact_id: Any) -> dict[str, list[str]]:
    """Every row of the company's people but this one's, as text."""
    with company.transaction(), connection.cursor() as cursor:
        found = {}
        for table, column in (
            ("crm_contact", "id"), ("crm_identity", "contact_id"), ("crm_conversation", "contact_id"), ("crm_contactword", "contact_id"),
        ):  # fmt: skip
            cursor.execute(f"SELECT t::text FROM {table} t WHERE {column} <> %s ORDER BY 1", [contact_id])
            found[table] = [row[0] for row in cursor.fetchall()]
        for table in ("crm_message", "crm_episode", "crm_messageword"):
            cursor.execute(
                f"SELECT t::text FROM {table} t WHERE conversation_id IN (SELECT id FROM crm_conversation WHERE contact_id <> %s)"
                " ORDER BY 1",
                [contact_id],
            )
            found[table] = [row[0] for row in cursor.fetchall()]
    return found


def test_nothing_is_left_of_a_person_but_figures(ours, theirs, rosa, folder, caplog):
    assert len(set(traces(folder, theirs))) >= 3  # it would see them
    before, counted = others(ours, rosa.pk), figures(ours)

    ask(ours, rosa.pk)
    work_off()

    assert traces(folder, theirs) == []
    assert WORD not in caplog.text and ROSA not in caplog.text
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert others(ours, rosa.pk) == before
    rollups.refresh(clock.now(), hours=48)
    assert figures(ours)[:2] == counted[:2]  # messages and money
    with theirs.transaction():
        assert Contact.objects.get().phone == ROSA
        assert Message.objects.get().text == f"{WORD} otra empresa"


def figures(company: Company) -> tuple[Any, ...]:
    with company.transaction():
        hours = list(MessageHour.objects.values_list("messages", "amount"))
        sums = broadcasting.summary(Broadcast.objects.filter(name="en marcha"))
    return sum(row[0] for row in hours), sum(row[1] for row in hours), sums


def test_a_broadcast_still_adds_up(ours, rosa):
    before = figures(ours)[2]
    ((_id, counts),) = before.items()
    assert (counts["sent"], counts["delivered"], float(counts["cost"])) == (1, 1, 0.02)

    ask(ours, rosa.pk)
    assert figures(ours)[2] == before
    work_off()

    assert figures(ours)[2] == before
    with ours.transaction():
        assert Recipient.objects.get(fate="skipped").reason == "erased"


def test_at_once_they_are_on_no_page_and_nothing_goes_out(ours, rosa):
    ask(ours, rosa.pk)

    with ours.transaction():
        assert not Contact.objects.filter(pk=rosa.pk).exists()
        assert not Conversation.objects.filter(contact=rosa.pk).exists()
        assert not Contact.objects.matching(WORD).exists() and not Contact.objects.matching("900555014").exists()
        assert not Enrollment.objects.exists() and not ManualTask.objects.exists() and not FlowToken.objects.exists()
        assert set(Message.objects.filter(status="failed").values_list("error_reason", flat=True)) == {"erased"}
        assert not Message.objects.filter(status__in=["queued", "sending"]).exists()


def test_the_tombstone_says_who_asked_and_not_who_it_was(ours, rosa):
    asked = ask(ours, rosa.pk)
    work_off()

    with ours.transaction():
        stone = Erasure.objects.get(pk=asked.pk)
        assert (stone.asked_by, stone.reason, stone.door) == (ours.admin, "request", "page")
        assert (stone.addresses, stone.files, stone.step) == (None, [], "done")
        assert stone.counts["messages"] >= 14 and stone.counts["webhooks"] >= 10
        assert stone.marketing_stopped and stone.marketing_source == "word"
        assert list(stone.history.values_list("pgh_label", flat=True).order_by("pgh_id")) == ["insert", "update"]
        assert len(stone.contact_ids) == 2


# --- Nothing old brings them back ---------------------------------------------------------------------------------------


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


# --- After a restore ----------------------------------------------------------------------------------------------------


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
