"""What somebody said, and a worker that stands still while it merges that."""

import threading
from collections.abc import Callable

from django.db import connection

from crm.inbound import draining
from tenants.context import system_transaction
from tests import meta


def said(wamid: str, *, phone: str = "", user_id: str = "", at: int = meta.NOON, name: str = "Rosa") -> dict:
    """One message by phone, by user id, or by both, as the value of a webhook."""
    message = meta.text(wamid=wamid, wa_id=phone, at=at) | ({"from_user_id": user_id} if user_id else {})
    if not phone:
        del message["from"]
    person = (
        {"profile": {"name": name}} | ({"wa_id": phone} if phone else {}) | ({"user_id": user_id} if user_id else {})
    )
    return meta.messages(message, contacts=[person])


def merge_held(value: dict, *, held: threading.Event, go_on: threading.Event) -> Callable[[], None]:
    """Merge a webhook in a transaction that stands still before its commit."""

    def merge() -> None:
        event_id = meta.store(meta.body(value))
        with system_transaction(), connection.cursor() as cursor:
            cursor.execute(draining._CLAIM_ONE, [event_id])
            draining._merge_stored(cursor, [draining._stored(cursor.fetchone())])
            held.set()
            assert go_on.wait(10)

    return merge


def snapshot() -> dict[str, list]:
    """Every row the merge writes, without what only says when we wrote it."""
    tables = ["crm_contact", "crm_identity", "crm_conversation", "crm_episode", "crm_message", "crm_reaction",
              "crm_attachment", "crm_unmatchedstatus"]  # fmt: skip
    with system_transaction(), connection.cursor() as cursor:
        rows = {}
        for table in tables:
            cursor.execute(f"SELECT t.*, t.xmin::text FROM {table} t ORDER BY id")
            rows[table] = cursor.fetchall()
        return rows
