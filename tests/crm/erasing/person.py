"""A person with a trace of every kind, and where one of them is still to be found."""

import io
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import redis
from django.conf import settings
from django.db import connection

from crm import contacts, erasing, imports, inbound, merges, searching
from crm.media import storing
from crm.models import (
    Activity,
    Attachment,
    Contact,
    Conversation,
    DeliveryIssue,
    Episode,
    Erasure,
    ErasureDoor,
    ErasureReason,
    FileState,
    Identity,
    Message,
    MessageStatus,
    Reaction,
    UnmatchedStatus,
)
from crm.reports import rollups
from sequences import enrolling
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
from whatsapp.models import Flow

ROSA, LUIS = "51900555014", "51900555099"
WORD = "canario"  # in everything of Rosa's
BSUID = "PE.canario14"
CANARIES = (WORD, ROSA, "900555014", "900 555 014")


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


def leave_traces(ours: Company) -> Contact:
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
    imports.run(clock.now())
    brought.refresh_from_db()
    imports.start(brought, uses_consent=False)
    imports.run(clock.now())


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
