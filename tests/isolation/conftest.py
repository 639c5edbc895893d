"""Another company with a row behind every address, each holding the canary; and people who must never see it."""

import io
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from crm.api.tokens import create_token
from crm.media import storing
from crm.models import (
    Attachment,
    ContactImport,
    ContactMerge,
    DeliveryIssue,
    Direction,
    Erasure,
    FileState,
    Message,
    MessageStatus,
    QuickReply,
    Source,
)
from sequences.models import Broadcast, Enrollment, ManualTask, Recipient
from tenants import clock
from tenants.context import system_transaction
from tests.back_office import furnish
from tests.cast import Company
from tests.crm.flows.conftest import published
from tests.crm.views.talk import NOON, conversation, inbound
from tests.sequences.conftest import build, step
from whatsapp.models import TemplateChange

CANARY = "CANARIO-5f1c"


@pytest.fixture
def folder(settings: Any, tmp_path: Any) -> None:
    media = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "media": media}


@pytest.fixture
def keys(theirs: Company, folder: None) -> dict[str, Any]:
    """Ids of the other company's rows, by the name that addresses and bodies use for them."""
    rows = furnish(theirs, CANARY)
    with theirs.transaction():
        talk = conversation(theirs, f"{CANARY} contact")
        message = inbound(talk, f"{CANARY} said something")
        sent = Message.objects.create(
            tenant=theirs.tenant, conversation=talk, number=theirs.number, direction=Direction.OUTBOUND,
            source=Source.AGENT, type="text", text=f"{CANARY} answered", payload={"body": CANARY}, client_id=uuid4(),
            sent_at=NOON, status=MessageStatus.FAILED, error_reason="invalid",
        )  # fmt: skip
        file = Attachment.objects.create(
            tenant=theirs.tenant, message=message, mime_type="application/pdf", filename=f"{CANARY}.pdf", size=12,
            stored_as=storing.save(theirs.tenant.pk, io.BytesIO(CANARY.encode())), state=FileState.FAILED,
        )  # fmt: skip
        sequence = build(theirs, step(f"{CANARY} step"), name=f"{CANARY} sequence")
        enrollment = Enrollment.objects.create(
            tenant=theirs.tenant, sequence=sequence, version=sequence.version, conversation=talk, since=NOON,
            created_at=NOON, due_at=NOON,
        )  # fmt: skip
        task = ManualTask.objects.create(
            tenant=theirs.tenant, enrollment=enrollment, conversation=talk, position=0, why="no_template",
            text=f"{CANARY} task", created_at=NOON,
        )  # fmt: skip
        broadcast = Broadcast.objects.create(
            tenant=theirs.tenant, name=f"{CANARY} broadcast", number=theirs.number, template_name="t",
            template_language="es", template_category="utility", created_at=NOON,
        )  # fmt: skip
        Recipient.objects.create(tenant=theirs.tenant, broadcast=broadcast, position=0, address=f"{CANARY} address")
        change = TemplateChange.objects.create(
            tenant=theirs.tenant, kind="create", waba_id="3", name=f"{CANARY} change", language="es", category="UTILITY",
        )  # fmt: skip
        issue = DeliveryIssue.objects.create(
            tenant=theirs.tenant, conversation=talk, number=theirs.number, level="probable", likelihood=0.96, misses=2,
            since=NOON, found_at=NOON, judged_at=NOON,
        )  # fmt: skip
        reply = QuickReply.objects.create(tenant=theirs.tenant, shortcut="canario", text=f"{CANARY} quick reply")
        flow = published(theirs, name=f"{CANARY} flow")
        merge = ContactMerge.objects.create(
            tenant=theirs.tenant, contact_id=talk.contact_id, merged_ids=[uuid4()], rows={"before": CANARY},
            moved={"joined": {}}, merged_at=clock.now(),
        )  # fmt: skip
        brought = ContactImport.objects.create(
            tenant=theirs.tenant, filename=f"{CANARY} file", content=f"phone\n{CANARY} phone\n", columns=["phone"],
            mapping={"phone": "phone"}, faults=[[2, "not_a_phone", f"{CANARY} phone", ""]], state="checked", total=1,
            created_at=clock.now(),
        )  # fmt: skip
        erasure = Erasure.objects.create(
            tenant=theirs.tenant, contact_ids=[uuid4()], reason="request", door="page", asked_by=theirs.admin,
            asked_at=clock.now(), until=clock.now(), addresses={"ids": [CANARY]}, step="done", done_at=clock.now(),
        )  # fmt: skip
    return {
        "erasure": erasure.pk,
        "merge": merge.pk,
        "import": brought.pk,
        "conversation": talk.pk,
        "message": sent.pk,
        "attachment": file.pk,
        "sequence": sequence.pk,
        "enrollment": enrollment.pk,
        "task": task.pk,
        "issue": issue.pk,
        "broadcast": broadcast.pk,
        "reply": reply.pk,
        "flow": flow.pk,
        "contact": talk.contact_id,
        "number": theirs.number.pk,
        "phone_number_id": theirs.number.phone_number_id,
        "queue": theirs.support.pk,
        "template": rows["template"].pk,
        "template_change": change.pk,
        "alert": rows["alert"].pk,
        "assignee": theirs.ana.pk,
        "tenant": theirs.tenant.pk,
    }


@pytest.fixture
def people(ours: Company) -> dict[str, Callable[[], Client]]:
    """Everybody who must not get in: by session, by token, and signed out."""

    def signed_in(membership: Any) -> Callable[[], Client]:
        def client() -> Client:
            browser = Client(raise_request_exception=False)
            browser.force_login(membership.user)
            return browser

        return client

    def by_token(membership: Any) -> Callable[[], Client]:
        return lambda: APIClient(raise_request_exception=False, HTTP_AUTHORIZATION=f"Token {create_token(membership)}")

    return {
        "nobody": lambda: Client(raise_request_exception=False),
        "owner": signed_in(ours.owner),
        "admin": signed_in(ours.admin),
        "supervisor": signed_in(ours.supervisor),
        "agent": signed_in(ours.ana),
        "program of the owner": by_token(ours.owner),
        "program of an agent": by_token(ours.ana),
    }


def rows_of(company: Company) -> dict[str, list[Any]]:
    """Every row of the company with its version: any write shows."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
        )
        found = {}
        for (table,) in sorted(cursor.fetchall()):
            cursor.execute(
                f"SELECT tableoid, xmin::text, ctid::text FROM {table} WHERE tenant_id = %s ORDER BY 1, 3",
                [company.tenant.pk],
            )
            found[table] = cursor.fetchall()
        return found
