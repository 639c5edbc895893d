"""Taking what is due from the outbox and sending it: claim a page, COMMIT, send on threads, settle the page."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from crm import bells
from crm.models import IdentityKind, Message, MessageStatus, Priority
from crm.outbound import pace
from crm.outbound.settling import Outcome, settle
from crm.references import reference
from tenants.context import tenant_transaction
from tenants.crash_points import crash_point
from tenants.crew import Crew
from tenants.encryption import unseal
from whatsapp.capabilities import CAPABILITIES, PairPace
from whatsapp.errors import Reason
from whatsapp.models import Number
from whatsapp.outgoing import Recipient, from_payload
from whatsapp.providers import get_provider
from whatsapp.providers.base import Account, NotSent, OutcomeUnknown, Refused

log = logging.getLogger(__name__)

# What one number has under way stays below the threads there are, so that a person's answer never queues for one.
PAGE = 32
MOST_AT_ONCE = 3
GUEST_PAGE = 8
THREADS = 128
LONGEST_RUN_SECONDS = 20.0
GATHER_SECONDS = 0.1
# While people write, on whatever number, a campaign takes small pages and rests after each: their answers must find the
# processor free.
PEOPLE_WRITE_SECONDS = 10.0
PAGE_AMONG_PEOPLE = 12
REST_SECONDS = 0.1

_crew = Crew(most=MOST_AT_ONCE)
_people = SimpleNamespace(wrote_at=-PEOPLE_WRITE_SECONDS)  # when this process last sent what a person wrote
_executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="send")


@dataclass(frozen=True, slots=True)
class Claimed:
    """One attempt at one message, with all that sending needs, so that no query runs while we wait for the provider."""

    message_id: UUID
    conversation_id: UUID
    attempt: int
    type: str
    payload: dict[str, Any]
    quoted_message_id: str
    priority: int
    recipient: Recipient


# One dispatcher at a time claims for a number (advisory lock), so that two cannot take two messages of one conversation
# and swap them; what another one is still sending keeps the rest of its conversation waiting for the same reason, and so
# does an earlier message that is to be tried again within the minute. One that waits longer (a marketing message that
# WhatsApp held back for a day) holds up nobody.
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('dispatch:' || %s, 0))"
_CLAIM = """
WITH due AS (
    SELECT m.id
    FROM crm_message m
    WHERE m.number_id = %(number)s AND m.status = 'queued' AND m.next_attempt_at <= statement_timestamp()
      AND m.priority <= %(lowest)s
      AND NOT EXISTS (
          SELECT FROM crm_message busy
          WHERE busy.conversation_id = m.conversation_id AND busy.status = 'sending' AND busy.lease_expires_at > statement_timestamp()
      )
      AND NOT EXISTS (
          SELECT FROM crm_message earlier
          WHERE earlier.number_id = %(number)s AND earlier.conversation_id = m.conversation_id
            AND earlier.status = 'queued' AND earlier.next_attempt_at > statement_timestamp()
            AND earlier.next_attempt_at < statement_timestamp() + interval '1 minute'
            AND (earlier.sent_at, earlier.id) < (m.sent_at, m.id) AND earlier.priority <= m.priority
      )
    ORDER BY m.priority, m.next_attempt_at, m.id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE crm_message m
    SET status = 'sending', attempt = m.attempt + 1,
        lease_expires_at = statement_timestamp() + make_interval(secs => %(lease)s)
    FROM due WHERE m.id = due.id
    RETURNING m.id, m.conversation_id, m.attempt, m.type, m.payload, m.quoted_message_id, m.priority, m.sent_at
)
SELECT c.id, c.conversation_id, c.attempt, c.type, c.payload, c.quoted_message_id, c.priority, contact.phone,
       (SELECT i.address FROM crm_identity i WHERE i.contact_id = contact.id AND i.kind = %(bsuid)s LIMIT 1)
FROM claimed c
JOIN crm_conversation conversation ON conversation.id = c.conversation_id
JOIN crm_contact contact ON contact.id = conversation.contact_id
ORDER BY c.priority, c.sent_at, c.id
"""
# Claimed and not begun: as if it had not been claimed. The lease may have run out meanwhile; still nothing was sent.
_PUT_BACK = """
UPDATE crm_message m
SET status = 'queued', attempt = m.attempt - 1, lease_expires_at = NULL, unknown_at = NULL, error_detail = '',
    next_attempt_at = statement_timestamp() + make_interval(secs => p.wait)
FROM unnest(%s::uuid[], %s::int[], %s::float8[]) AS p (id, attempt, wait)
WHERE m.id = p.id AND m.attempt = p.attempt AND m.status IN ('sending', 'unknown')
"""


def dispatch(*, tenant_id: UUID, number_id: UUID) -> int:
    """Send everything that is due on one number, page by page; returns how many were tried.

    Safe to run any number of times at once: a few work, one more sends what people wrote while all of those have a page
    of a campaign in hand, the others return at once. Stops after a while so that other numbers get their turn, and rings
    for the rest.
    """
    if not _crew.join(number_id):
        return _send_for_people(tenant_id, number_id)
    sent, is_done = 0, False
    try:
        sent, is_done = _send_pages(tenant_id, number_id)
    finally:
        if _crew.leave(number_id, is_done=is_done):
            bells.ring_dispatch(tenant_id, number_id)
    return sent


def _send_pages(tenant_id: UUID, number_id: UUID) -> tuple[int, bool]:
    """(how many were tried, whether nothing was left that is due)."""
    sent, until = 0, time.monotonic() + LONGEST_RUN_SECONDS
    while time.monotonic() < until:
        # The second half of a lease is for the answer: what could not begin before goes back.
        begin_until = time.monotonic() + settings.SEND_LEASE_SECONDS / 2
        page, number, wait = _claim(tenant_id, number_id, most=_most())
        if number is None:
            return sent, True
        if page:
            crash_point("dispatch.after-claim")
            sent += _send_page(tenant_id, number, page, begin_until=begin_until)
            _give_way(number_id, page)
        elif wait >= GATHER_SECONDS and _crew.has_others(number_id):
            return sent, False  # the pace holds us back: one that waits for it is enough
        elif wait and wait < 1.0:
            time.sleep(wait)
        else:
            return sent, True
    return sent, False


def _send_for_people(tenant_id: UUID, number_id: UUID) -> int:
    """What people wrote, until nothing of it is due; returns how many were tried. What it leaves, the others look for."""
    if not _crew.seat_guest(number_id):
        return 0
    sent, until = 0, time.monotonic() + LONGEST_RUN_SECONDS
    try:
        while time.monotonic() < until:
            begin_until = time.monotonic() + settings.SEND_LEASE_SECONDS / 2
            page, number, wait = _claim(tenant_id, number_id, most=GUEST_PAGE, lowest=Priority.PERSON)
            if number and page:
                sent += _send_page(tenant_id, number, page, begin_until=begin_until)
                _give_way(number_id, page)
            elif number and 0 < wait < GATHER_SECONDS:
                time.sleep(wait)  # somebody else claims just now
            else:
                break
    finally:
        _crew.leave_guest(number_id)
    return sent


def _give_way(number_id: UUID, page: list[Claimed]) -> None:
    """Remember that people write; of a page that none of them wrote, wait a moment if they do."""
    if any(claimed.priority == Priority.PERSON for claimed in page):
        _people.wrote_at = time.monotonic()
    elif _people_write():
        _crew.rest(number_id, REST_SECONDS)


def _most() -> int:
    """How many messages one page may have now."""
    return min(PAGE, PAGE_AMONG_PEOPLE) if _people_write() else PAGE


def _people_write() -> bool:
    """Whether this process has lately sent what a person wrote."""
    return time.monotonic() - _people.wrote_at < PEOPLE_WRITE_SECONDS


def _claim(
    tenant_id: UUID, number_id: UUID, *, most: int, lowest: Priority = Priority.CAMPAIGN
) -> tuple[list[Claimed], Number | None, float]:
    """(the page, its number, seconds until there may be more). No number: it may not send.

    The wait is the pace's, or a moment while another one claims. A page has at most so many messages, none below `lowest`.
    """
    with tenant_transaction(tenant_id), connection.cursor() as cursor:
        number = Number.objects.defer(None).filter(pk=number_id).first()
        if number is None or not number.can_send:
            return [], None, 0
        cursor.execute(_LOCK, [str(number_id)])
        if not cursor.fetchone()[0]:
            return [], number, 0.02
        capabilities = CAPABILITIES[number.provider]
        per_second = capabilities.pace(coexistence=number.is_shared, throughput=number.sends_per_second)
        granted, wait = pace.take(number.pk, per_second=per_second, wanted=most)
        if not granted:
            # Not a page for each token. A person's answer brings a dispatcher of its own, which takes what has gathered.
            return [], number, max(wait, GATHER_SECONDS)
        cursor.execute(
            _CLAIM,
            {
                "number": number.pk,
                "limit": granted,
                "lowest": lowest,
                "lease": settings.SEND_LEASE_SECONDS,
                "bsuid": IdentityKind.BSUID,
            },
        )
        page = [_claimed(row, tenant_id) for row in cursor.fetchall()]
        found = bool(page)
        if capabilities.pair_pace:
            page = _within_pair_pace(cursor, page, capabilities.pair_pace)
        pace.give_back(number.pk, granted - len(page))
        # When all of it was postponed, what was behind it may be due.
        return page, number, 0.001 if found and not page else 0


def _within_pair_pace(cursor: Any, page: list[Claimed], pair: PairPace) -> list[Claimed]:
    """What may go now; the rest is put back until it may. What is behind a message that waits keeps its place."""
    if not page:
        return []
    waits = pace.take_pairs([claimed.conversation_id for claimed in page], seconds=pair.seconds, burst=pair.burst)
    ready: list[Claimed] = []
    late: list[tuple[Claimed, float]] = []
    last: dict[UUID, float] = {}
    for claimed, wait in zip(page, waits, strict=True):
        behind = last.get(claimed.conversation_id)
        if behind is None and not wait:
            ready.append(claimed)
        else:
            last[claimed.conversation_id] = wait if behind is None else max(wait, behind + pair.seconds)
            late.append((claimed, last[claimed.conversation_id]))
    _put_back(cursor, late)
    return ready


def _put_back(cursor: Any, unsent: list[tuple[Claimed, float]]) -> None:
    """Undo the claim of what was not begun; each may be claimed again after so many seconds."""
    if unsent:
        unsent = sorted(unsent, key=lambda pair: pair[0].message_id)
        cursor.execute(
            _PUT_BACK,
            [
                [claimed.message_id for claimed, _ in unsent],
                [claimed.attempt for claimed, _ in unsent],
                [wait for _, wait in unsent],
            ],
        )


def _claimed(row: tuple[Any, ...], tenant_id: UUID) -> Claimed:
    message_id, conversation_id, attempt, type_, payload, quoted, priority, phone, bsuid = row
    field = Message._meta.get_field("payload")
    content = field._decode(unseal(bytes(payload), purpose=field.purpose, tenant_id=tenant_id))  # type: ignore[union-attr]
    return Claimed(
        message_id=message_id,
        conversation_id=conversation_id,
        attempt=attempt,
        type=type_,
        payload=content,
        quoted_message_id=quoted,
        priority=priority,
        recipient=Recipient(phone=phone or None, bsuid=bsuid),
    )


def _send_page(tenant_id: UUID, number: Number, page: list[Claimed], *, begin_until: float) -> int:
    """Conversations at the same time, the messages of one conversation one after the other; how many were tried."""
    account = number.account()
    # Composed before the number was put into test mode: the last door is shut too.
    barred = [claimed for claimed in page if not number.may_reach(claimed.recipient.phone or "")]
    allowed = [claimed for claimed in page if claimed not in barred] if barred else page
    chains: dict[UUID, list[Claimed]] = {}
    for claimed in allowed:  # people first, as they were claimed
        chains.setdefault(claimed.conversation_id, []).append(claimed)
    results = _executor.map(lambda chain: _send_chain(number.provider, account, chain, begin_until), chains.values())
    outcomes = [outcome for chain in results for outcome in chain] + [Outcome.barred(claimed) for claimed in barred]
    settle(tenant_id=tenant_id, number=number, outcomes=outcomes)
    tried = {outcome.message_id for outcome in outcomes}
    if len(tried) < len(page):
        with tenant_transaction(tenant_id), connection.cursor() as cursor:
            _put_back(cursor, [(claimed, 0.0) for claimed in page if claimed.message_id not in tried])
    return len(outcomes)


def _send_chain(provider: str, account: Account, chain: list[Claimed], begin_until: float) -> list[Outcome]:
    """Send in order, and no further than the first that must be tried again or that there is no time left for."""
    outcomes: list[Outcome] = []
    for claimed in chain:
        if time.monotonic() > begin_until:
            break
        outcomes.append(_send(provider, account, claimed))
        if outcomes[-1].status is MessageStatus.QUEUED:
            break
    return outcomes


def _send(provider: str, account: Account, claimed: Claimed) -> Outcome:
    crash_point("dispatch.before-post")
    try:
        accepted = get_provider(provider).send(
            account,
            recipient=claimed.recipient,
            content=from_payload(claimed.type, claimed.payload),
            reference=reference(claimed.message_id, claimed.attempt),
            quoted_id=claimed.quoted_message_id or None,
        )
    except Refused as refusal:
        return Outcome.refused(claimed, refusal.reason, refusal.code, refusal.detail, refusal.retry_after)
    except NotSent as failure:
        return Outcome.refused(claimed, Reason.UNREACHABLE, None, str(failure), failure.retry_after)
    except OutcomeUnknown as doubt:
        return Outcome.unknown(claimed, str(doubt))
    except Exception as error:
        # Not foreseen, so we cannot say whether it was written: the careful reading is that it was.
        log.exception("send failed unexpectedly", extra={"message_id": str(claimed.message_id)})
        return Outcome.unknown(claimed, type(error).__name__)
    crash_point("dispatch.after-post")
    return Outcome.accepted(claimed, accepted)
