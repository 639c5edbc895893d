"""Finding messages by their words, though what they say is sealed: a word becomes a number that only the company's key gives.

Words are taken from messages in the background, so that nothing that arrives waits for it. Case and accents do not count.
The key comes from SECRET_KEY and the company; after a change of it `manage.py index_messages --all` takes the words anew.
"""

import hashlib
import hmac
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connection

from crm.models import Message
from crm.rows import as_parameter
from tenants.context import current_tenant_id, system_transaction
from tenants.encryption import unseal

PAGE = 2000
LATE = timedelta(minutes=5)
"""A transaction may commit this long after it gave its messages their ids: until then they are looked for again."""
MOST_WORDS = 200  # of one message
MOST_FOUND = 200
_LOOKED_THROUGH = 5000

_NOTHING = 0
_WORD = re.compile(r"[^\W_]{2,40}")
_NEXT = """
SELECT m.id, m.tenant_id, m.conversation_id, m.text FROM crm_message m
WHERE m.id > %s AND NOT EXISTS (SELECT FROM crm_messageword w WHERE w.message_id = m.id)
ORDER BY m.id LIMIT %s
"""
_WRITE = """
INSERT INTO crm_messageword (tenant_id, token, message_id, conversation_id)
SELECT m.tenant_id, token, m.message_id, m.conversation_id
FROM json_to_recordset(%s) AS m (tenant_id uuid, message_id uuid, conversation_id uuid, tokens bigint[]), unnest(m.tokens) AS token
ON CONFLICT DO NOTHING
"""
_BEGIN = """
INSERT INTO crm_searchprogress (id, done_until) VALUES (1, '00000000-0000-0000-0000-000000000000') ON CONFLICT DO NOTHING
"""
_PROGRESS = "SELECT done_until FROM crm_searchprogress FOR UPDATE SKIP LOCKED"


def words_of(text: str) -> list[str]:
    """The words of a text, folded: lower case, without accents, each once, the first MOST_WORDS."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    return list(dict.fromkeys(_WORD.findall(plain)))[:MOST_WORDS]


def tokens_of(text: str, *, tenant_id: UUID) -> list[int]:
    """The words as numbers under the company's key."""
    key = _key(settings.SECRET_KEY, tenant_id)
    return [
        int.from_bytes(hmac.digest(key, word.encode(), "sha256")[:8], "big", signed=True) for word in words_of(text)
    ]


@lru_cache(maxsize=1024)
def _key(secret: str, tenant_id: UUID) -> bytes:
    derived = HKDF(SHA256(), length=32, salt=tenant_id.bytes, info=b"message search").derive(secret.encode())
    return hashlib.sha256(derived).digest()


def find(words: str) -> list[UUID]:
    """The conversations of the present tenant in which a message has all of these words, the newest such message first.

    At most MOST_FOUND, of the newest messages with the first word; rights are the caller's to apply.
    """
    tenant_id = current_tenant_id()
    tokens = tokens_of(words, tenant_id=tenant_id)
    if not tokens:
        return []
    joins = "".join(
        f" JOIN crm_messageword w{place} ON w{place}.tenant_id = %s AND w{place}.token = %s"
        f" AND w{place}.message_id = a.message_id"
        for place in range(1, len(tokens))
    )
    values: list[Any] = [tenant_id, tokens[0], _LOOKED_THROUGH if len(tokens) > 1 else MOST_FOUND * 5]
    for token in tokens[1:]:
        values += [tenant_id, token]
    # Placeholders and numbered aliases alone are put together here.
    query = f"""
        SELECT a.conversation_id FROM (
            SELECT conversation_id, message_id FROM crm_messageword WHERE tenant_id = %s AND token = %s
            ORDER BY message_id DESC LIMIT %s) a{joins}
        GROUP BY a.conversation_id ORDER BY max(a.message_id::text) DESC LIMIT {MOST_FOUND}
    """
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [row[0] for row in cursor.fetchall()]


def index(*, now: datetime | None = None) -> int:
    """Take the words of the messages that have come since; returns how many were looked at. One works, others return."""
    looked = 0
    while True:
        count, done = _index_page(now or datetime.now(UTC))
        looked += count
        if done:
            return looked


def _index_page(now: datetime) -> tuple[int, bool]:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        cursor.execute(_PROGRESS)
        row = cursor.fetchone()
        if row is None:
            return 0, True
        cursor.execute(_NEXT, [row[0], PAGE])
        rows = cursor.fetchall()
        _write(cursor, rows)
        # The line stays behind for those that are late; what it leaves is told apart by having rows.
        reached = rows[-1][0] if len(rows) == PAGE else _at(now)
        until = max(row[0], min(reached, _at(now - LATE)), key=lambda each: each.int)
        cursor.execute("UPDATE crm_searchprogress SET done_until = %s", [until])
        return len(rows), len(rows) < PAGE


def _write(cursor: Any, rows: list[tuple[Any, ...]]) -> None:
    purpose = Message._meta.get_field("text").purpose  # type: ignore[union-attr]
    taken = []
    for message_id, tenant_id, conversation_id, text in rows:
        said = unseal(bytes(text), purpose=purpose, tenant_id=tenant_id).decode(errors="replace")
        # A message without words gets a row too, so that it is not looked at again.
        tokens = tokens_of(said, tenant_id=tenant_id) or [_NOTHING]
        about = {"tenant_id": tenant_id, "message_id": message_id, "conversation_id": conversation_id}
        taken.append(about | {"tokens": tokens})
    if taken:
        cursor.execute(_WRITE, [as_parameter(taken)])


def reindex(message_ids: list[UUID]) -> None:
    """Take the words of these anew, because what they say has changed. In the tenant's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM crm_messageword WHERE message_id = ANY(%s)", [message_ids])
        cursor.execute("SELECT id, tenant_id, conversation_id, text FROM crm_message WHERE id = ANY(%s)", [message_ids])
        _write(cursor, cursor.fetchall())


def start_again() -> None:
    """Forget every word; the next runs of `index` take them all anew."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM crm_messageword")
        cursor.execute("UPDATE crm_searchprogress SET done_until = %s", [UUID(int=0)])


def _at(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment: what is older has a smaller one."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
