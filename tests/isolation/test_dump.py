"""What somebody finds who steals the database: no token, no word that was said, no file's name."""

import io
from typing import Any

import pytest
from django.db import connection

from crm.models import Message
from sequences.models import ManualTask
from tenants.context import system_transaction
from tests.cast import Company
from tests.isolation.conftest import CANARY
from whatsapp.models import Endpoint, Number, WebhookEvent

pytestmark = pytest.mark.django_db

SECRETS = ("EAAG-dump-canary-token", "dump-canary-app-secret", "dump canary: mi tarjeta es 4111", "dump-canary.pdf")


def dump() -> bytes:
    """Every row of every table as pg_dump would write it; text form, so that `bytea` is hexadecimal."""
    found = io.BytesIO()
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'm') AND n.nspname = 'public' AND has_table_privilege(c.oid, 'SELECT')"
        )
        for (table,) in cursor.fetchall():
            with cursor.copy(f"COPY (SELECT * FROM {table}) TO STDOUT") as rows:
                for chunk in rows:
                    found.write(bytes(chunk))
    return found.getvalue()


def forms_of(secret: str) -> list[bytes]:
    """As it stands, and as the hexadecimal of an unsealed `bytea`."""
    return [secret.encode(), secret.encode().hex().encode()]


def test_a_dump_holds_no_token_and_nothing_that_was_said(theirs: Company, keys: dict[str, Any]):
    token, app_secret, words, filename = SECRETS
    with theirs.transaction():
        number = Number.objects.get(pk=theirs.number.pk)
        number.token = token
        number.save(update_fields=["token"])
        Endpoint.objects.create(tenant=theirs.tenant, key="dump-canary", app_secret=app_secret, verify_token=app_secret)
        message = Message.objects.get(pk=keys["message"])
        message.text, message.payload = words, {"body": words}
        message.save(update_fields=["text", "payload"])
        message.attachments.update(filename=message.attachments.model._meta.get_field("filename").sealed(
            filename, tenant_id=theirs.tenant.pk
        ))  # fmt: skip
        ManualTask.objects.create(
            tenant=theirs.tenant, enrollment_id=keys["enrollment"], conversation_id=keys["conversation"], position=7,
            why="no_template", text=words, created_at=message.sent_at,
        )  # fmt: skip
    with system_transaction():
        WebhookEvent.objects.create(body=words.encode())

    stolen = dump()

    assert b"dump-canary" in stolen  # the address's key: it does look into the rows
    assert CANARY.encode() in stolen  # and at those of this company
    found = [secret for secret in SECRETS for form in forms_of(secret) if form in stolen]
    assert found == []


def test_it_would_see_one(theirs: Company):
    with theirs.transaction():
        theirs.sales.name = SECRETS[0]
        theirs.sales.save(update_fields=["name"])
    assert forms_of(SECRETS[0])[0] in dump()
