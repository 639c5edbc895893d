"""Taking stored webhooks and merging them: a batch at a time, and one at a time when a batch has a bad one in it."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from psycopg.errors import DeadlockDetected

from crm import signals
from crm.inbound.erased import persons_of
from crm.inbound.merging import Delivery, Merged, merge
from tenants import clock, counters
from tenants.alerts import raise_alert
from tenants.bulk import bulk_cursor
from tenants.context import system_transaction
from tenants.crash_points import crash_point
from tenants.encryption import unseal
from tenants.models import Severity
from whatsapp import erasing, phones
from whatsapp.events import Event, MalformedBody
from whatsapp.models import WebhookEvent
from whatsapp.providers import get_provider
from whatsapp.providers.base import Erased

log = logging.getLogger(__name__)

BATCH = 1000
TRIES = 8
LONGEST_WAIT_SECONDS = 3600
MOST_DEADLOCKS = 5


@dataclass(frozen=True, slots=True)
class Stored:
    """One webhook that was claimed for merging."""

    id: int
    provider: str
    body: bytes
    received_at: datetime
    attempts: int


_CLAIM = """
SELECT id, provider, body, received_at, attempts FROM whatsapp_webhookevent
WHERE state = 'new' AND next_attempt_at <= statement_timestamp()
ORDER BY next_attempt_at, id LIMIT %s
FOR UPDATE SKIP LOCKED
"""
_CLAIM_ONE = """
SELECT id, provider, body, received_at, attempts FROM whatsapp_webhookevent
WHERE id = %s AND state = 'new' FOR UPDATE SKIP LOCKED
"""
_FINISH = """
UPDATE whatsapp_webhookevent e
SET state = f.state, processed_at = statement_timestamp(), tenant_id = f.tenant_id, reason = f.reason,
    unrouted_number_ids = CASE WHEN f.unrouted = '' THEN '{}' ELSE string_to_array(f.unrouted, ' ') END
FROM unnest(%s::bigint[], %s::text[], %s::uuid[], %s::text[], %s::text[]) AS f (id, state, tenant_id, reason, unrouted)
WHERE e.id = f.id AND e.received_at BETWEEN %s AND %s
"""
_POSTPONE = """
UPDATE whatsapp_webhookevent
SET attempts = attempts + 1, reason = %s,
    state = CASE WHEN attempts + 1 >= %s THEN 'dead' ELSE 'new' END,
    next_attempt_at = statement_timestamp() + make_interval(secs => LEAST(%s, 2 * power(4, attempts)))
WHERE id = %s AND state = 'new'
RETURNING state
"""


def drain(*, batch: int = BATCH) -> int:
    """Merge everything that is waiting; returns how many webhooks were taken. Any number may run at once."""
    taken = 0
    while True:
        found = _drain_batch(batch)
        taken += found
        if found < batch:
            return taken


def _drain_batch(batch: int) -> int:
    ids: list[int] = []
    try:
        with system_transaction(), bulk_cursor() as cursor:
            cursor.execute(_CLAIM, [batch])
            stored = [_stored(row) for row in cursor.fetchall()]
            ids = [one.id for one in stored]
            crash_point("drain.after-claim")
            if stored:
                _merge_stored(cursor, stored)
        return len(ids)
    except Exception:
        # One bad webhook must not hold up the others: each gets a transaction of its own.
        log.warning("batch failed, merging one by one", exc_info=True, extra={"webhooks": len(ids)})
        if not ids:
            raise
    for event_id in ids:
        _drain_one(event_id)
    return len(ids)


def _drain_one(event_id: int, *, deadlocks: int = 0) -> None:
    try:
        with system_transaction(), bulk_cursor() as cursor:
            cursor.execute(_CLAIM_ONE, [event_id])
            row = cursor.fetchone()
            if row:
                _merge_stored(cursor, [_stored(row)])
    except Exception as error:
        if isinstance(error.__cause__, DeadlockDetected) and deadlocks < MOST_DEADLOCKS:
            # What one event says of two people may be locked the other way round by another worker: PostgreSQL ends
            # one of them, which goes again once the other is through. Nothing is wrong with the webhook.
            log.warning("met another worker, merging again", extra={"webhook": event_id})
            return _drain_one(event_id, deadlocks=deadlocks + 1)
        log.exception("webhook could not be merged", extra={"webhook": event_id})
        _postpone(event_id, f"{type(error).__name__}: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    # A database error quotes the row it is about: content must not reach the admin's list.
    return "" if isinstance(error, DatabaseError) else str(error).split("\n")[0][:200]


def _postpone(event_id: int, reason: str) -> None:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_POSTPONE, [reason[:300], TRIES, LONGEST_WAIT_SECONDS, event_id])
        row = cursor.fetchone()
        if row and row[0] == "dead":
            raise_alert(
                tenant_id=None,
                kind="webhook-dead",
                subject=str(event_id),
                severity=Severity.CRITICAL,
                facts={"webhook": event_id, "reason": reason[:300]},
            )


def _stored(row: tuple[Any, ...]) -> Stored:
    event_id, provider, body, received_at, attempts = row
    field = WebhookEvent._meta.get_field("body")
    # Where the demonstration's clock is ahead, so are the phones that it moves along.
    return Stored(event_id, provider, unseal(bytes(body), purpose=field.purpose), received_at + clock.ahead(), attempts)  # type: ignore[union-attr]


def _merge_stored(cursor: Any, stored: Sequence[Stored]) -> Merged:
    """Parse, merge and finish, all in the present transaction. What nobody can read is dead, not retried."""
    deliveries: list[tuple[Stored, Delivery]] = []
    finished: list[tuple[int, str, UUID | None, str, str]] = []
    for one in stored:
        try:
            happenings = get_provider(one.provider).parse(one.body)
        except MalformedBody as error:
            finished.append((one.id, "dead", None, str(error)[:300], ""))
            raise_alert(
                tenant_id=None,
                kind="webhook-dead",
                subject=str(one.id),
                severity=Severity.WARNING,
                facts={"webhook": one.id, "reason": "unreadable"},
            )
            continue
        deliveries.append((one, Delivery(one.provider, happenings, one.received_at)))
    merged = merge(delivery for _, delivery in deliveries)
    finished += [_finished(one, delivery, merged) for one, delivery in deliveries]
    erasing.rewrite(cursor, _without_erased(deliveries, merged.erased))
    # The moments say which days' parts of the table are concerned.
    moments = [one.received_at - clock.ahead() for one in stored]
    cursor.execute(_FINISH, [*map(list, zip(*finished, strict=True)), min(moments), max(moments)])
    _alert_unrouted(finished)
    crash_point("drain.before-commit")
    transaction.on_commit(lambda: _announce(merged))
    return merged


def _without_erased(
    deliveries: Iterable[tuple[Stored, Delivery]], unheard: Iterable[Event]
) -> Iterator[tuple[int, bytes]]:
    """The bodies in which somebody was who had been erased, without them; who wrote again meanwhile stays beside it."""
    old = {id(event) for event in unheard}
    for one, delivery in deliveries if old else ():
        events = [each for each in delivery.happenings if isinstance(each, Event)]
        dropped = [each for each in events if id(each) in old]
        if dropped:
            still = {address for each in events if id(each) not in old for address in _addresses(each)}
            addresses = frozenset({address for each in dropped for address in _addresses(each)} - still)
            messages = frozenset(str(getattr(each, "message_id", "")) for each in dropped)
            numbers = frozenset(each.number_id for each in dropped)
            left = get_provider(one.provider).without(one.body, Erased(addresses, messages, numbers))
            if left != one.body:
                yield one.id, left


def _addresses(event: Event) -> Iterator[str]:
    for person in persons_of(event):
        yield from phones.variants(person.phone) if person.phone else ()
        yield from filter(None, (person.bsuid, person.parent_bsuid))


def _finished(one: Stored, delivery: Delivery, merged: Merged) -> tuple[int, str, UUID | None, str, str]:
    numbers = {
        happening.number_id for happening in delivery.happenings if isinstance(happening, Event) and happening.number_id
    }
    unrouted = sorted(number[:64] for number in numbers if (one.provider, number) not in merged.lines)
    tenants = {
        merged.lines[one.provider, number].tenant_id for number in numbers if (one.provider, number) in merged.lines
    }
    tenant_id = next(iter(tenants)) if len(tenants) == 1 and not unrouted else None
    reason = f"No number is registered with {', '.join(unrouted)}"[:300] if unrouted else ""
    return one.id, "unrouted" if unrouted else "done", tenant_id, reason, " ".join(unrouted)


def _alert_unrouted(finished: Iterable[tuple[int, str, UUID | None, str, str]]) -> None:
    for number in sorted({number for *_, unrouted in finished for number in unrouted.split()}):
        raise_alert(
            tenant_id=None,
            kind="webhook-unrouted",
            subject=number,
            severity=Severity.CRITICAL,
            facts={"phone_number_id": number},
        )


def _announce(merged: Merged) -> None:
    crash_point("drain.after-commit")
    counters.count("merged_messages_total", merged.inserted)
    for tenant_id, contacts in merged.replied.items():
        signals.contacts_replied.send_robust(
            sender=None, tenant_id=tenant_id, contact_ids=list(contacts), at=max(contacts.values())
        )


def replay(event_ids: Sequence[int]) -> Merged:
    """Merge stored webhooks again, whatever became of them; what was merged already changes nothing."""
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, provider, body, received_at, attempts FROM whatsapp_webhookevent WHERE id = ANY(%s)"
            " ORDER BY id FOR UPDATE",
            [list(event_ids)],
        )
        stored = [_stored(row) for row in cursor.fetchall()]
        return _merge_stored(cursor, stored) if stored else Merged()
