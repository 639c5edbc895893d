"""Erasing a person: at once they are gone from every page, and in the background, page by page, from everywhere else.

Whoever is being erased stands behind the fence: no statement of the company sees their contact or conversations any more
(`erased_at`), their addresses are free for whoever writes from them next, and what is said of them in webhooks up to that
moment is not heard (`crm.inbound.erased`). Each piece of the work is one transaction that also says how far it came: killed
it is done again, done twice it changes nothing. What is left in the end is a tombstone (`crm.tombstones`) and figures.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import pghistory
from django.db import connection
from django.utils.translation import gettext_lazy as _

from crm import bells, contact_lists, live, moving, tombstones
from crm.explanations import ERASED
from crm.media import storing
from crm.models import (
    Attachment,
    Contact,
    ContactImport,
    Conversation,
    Erasure,
    ErasureDoor,
    ErasureReason,
    ErasureStep,
    IdentityKind,
    Message,
)
from crm.reports import rollups
from crm.signals import addresses_erased, contacts_erased, files_released
from crm.words import folded
from tenants import audit, clock
from tenants.context import system_transaction
from tenants.crash_points import crash_point
from tenants.models import Membership
from whatsapp import erasing as webhooks
from whatsapp import phones
from whatsapp.models import FlowToken
from whatsapp.providers.base import Erased

log = logging.getLogger(__name__)

PAGE = 500
LONGEST_RUN_SECONDS = 20.0
MOST_COUNTED = 10_000


class CannotErase(Exception):
    """There is nobody to erase; `explanation` is for the person who asked."""

    def __init__(self, explanation: Any) -> None:
        super().__init__(str(explanation))
        self.explanation = explanation


@dataclass(frozen=True, slots=True)
class Forecast:
    """How much would go with a contact; `messages` stops at MOST_COUNTED."""

    conversations: int
    messages: int
    files: int


def forecast(contact: Contact) -> Forecast:
    """What erasing this contact would take with it, in the tenant's transaction."""
    talks = list(Conversation.objects.filter(contact=contact).values_list("pk", flat=True))
    said = Message.objects.filter(conversation__in=talks).order_by()
    return Forecast(
        conversations=len(talks),
        messages=said.values("pk")[:MOST_COUNTED].count(),
        files=Attachment.objects.filter(message__conversation__in=talks).exclude(stored_as="").count(),
    )


# --- In the request ---------------------------------------------------------------------------------------------------

# What had been merged into the contact, and into what had been merged into it.
_MERGED = """
WITH RECURSIVE part AS (
    SELECT %s::uuid AS id
    UNION SELECT unnest(m.merged_ids) FROM crm_contactmerge m JOIN part ON part.id = m.contact_id
    WHERE m.tenant_id = %s AND m.undone_at IS NULL
) SELECT id FROM part
"""
_CONTACT = "SELECT id, phone, username, email, marketing_stopped, marketing_source FROM crm_contact WHERE id = %s AND tenant_id = %s AND erased_at IS NULL FOR UPDATE"
_ADDRESSES = (
    "SELECT kind, value, address FROM crm_identity WHERE contact_id = %s ORDER BY tenant_id, kind, value FOR UPDATE"
)
_TALKS = """
SELECT id, queue_id, assignee_id, last_inbound_at FROM crm_conversation WHERE contact_id = %s ORDER BY id FOR UPDATE
"""
_HIDE_TALKS = "UPDATE crm_conversation SET erased_at = %s WHERE id = ANY(%s)"
# Nothing of it is left to be found while the rest is being erased, neither by a name nor by a phone.
_HIDE_CONTACT = """
UPDATE crm_contact
SET erased_at = %s, name = '', profile_name = '', username = '', phone = '', email = '', labels = '{}', attributes = '{}'
WHERE id = %s
"""
# What waits does not go out; what is on its way cannot be called back.
_CANCEL = """
WITH waiting AS (
    SELECT id FROM crm_message WHERE conversation_id = ANY(%s) AND status IN ('queued', 'unknown') ORDER BY id FOR UPDATE
)
UPDATE crm_message m SET status = 'failed', failed_at = %s, error_reason = %s, next_attempt_at = NULL, lease_expires_at = NULL
FROM waiting WHERE m.id = waiting.id
"""


def ask(
    contact_id: UUID,
    *,
    tenant_id: UUID,
    reason: ErasureReason,
    door: ErasureDoor,
    by: Membership | None,
    now: datetime,
    until: datetime | None = None,
) -> Erasure:
    """Let this person be gone from every page at once, and the rest soon. It cannot be taken back. Raises CannotErase.

    What was said or stored `until` then is old, usually until now. Waits for what is being merged for the company, and
    locks as the merge of contacts does.
    """
    with system_transaction(), connection.cursor() as cursor:
        tombstones.lock(cursor, tenant_id)
        moving.lock_tokens(cursor, [contact_id])
        cursor.execute(_ADDRESSES, [contact_id])
        identities = cursor.fetchall()
        cursor.execute(_CONTACT, [contact_id, tenant_id])
        found = cursor.fetchone()
        if found is None:
            raise CannotErase(_("This contact is no longer there."))
        _id, phone, username, email, stopped, source = found
        cursor.execute(_TALKS, [contact_id])
        talks = cursor.fetchall()
        cursor.execute(_MERGED, [contact_id, tenant_id])
        erasure = Erasure.objects.create(
            tenant_id=tenant_id,
            contact_ids=[contact_id, *sorted({row[0] for row in cursor.fetchall()} - {contact_id})],
            reason=reason,
            door=door,
            asked_by=by,
            asked_at=now,
            # A phone may be ahead of us: what it has said already is old, whatever moment it claims.
            until=until or max([_moment(cursor), *(talk[3] for talk in talks if talk[3])]),
            marketing_stopped=stopped,
            marketing_source=source if stopped else "",
            addresses=_as_addresses(identities, phone=phone, username=username, email=email),
            counts={"conversations": len(talks)},
        )
        tombstones.raise_stone(
            cursor, tenant_id=tenant_id, erasure_id=erasure.pk, addresses=_as_keys(identities, phone=phone, email=email)
        )
        ids = [talk[0] for talk in talks]
        cursor.execute(_CANCEL, [ids, now, ERASED])
        _let_go(erasure, ids, now)
        cursor.execute("DELETE FROM crm_identity WHERE contact_id = %s", [contact_id])
        cursor.execute(_HIDE_TALKS, [now, ids])
        cursor.execute(_HIDE_CONTACT, [now, contact_id])
        live.publish(tenant_id, [live.Change(id, (queue,), (assignee,)) for id, queue, assignee, _at in talks])
        bells.ring_erase()
    return erasure


def _moment(cursor: Any) -> datetime:
    """Now by the clock that webhooks are stored by, and the demonstration's where that is ahead."""
    cursor.execute("SELECT statement_timestamp()")
    return cursor.fetchone()[0] + clock.ahead()


def _as_keys(identities: list[tuple[str, str, str]], *, phone: str, email: str) -> set[tuple[str, str]]:
    """By what they are known again: (kind, canonical value)."""
    keys = {(kind, value) for kind, value, _address in identities}
    keys |= {(IdentityKind.PHONE.value, phones.canonical(phone))} if phone else set()
    return keys | ({(tombstones.EMAIL, folded(email))} if email else set())


def _as_addresses(
    identities: list[tuple[str, str, str]], *, phone: str, username: str, email: str
) -> dict[str, list[str]]:
    """What to look for in webhooks and lists while the work lasts."""
    numbers = {each for kind, *both in identities if kind == IdentityKind.PHONE for each in both} | {phone}
    others = {each for kind, *both in identities if kind != IdentityKind.PHONE for each in both} | {username}
    spelled = {spelling for number in numbers if number for spelling in phones.variants(number)}
    return {
        "phones": sorted(spelled | numbers - {""}),
        "ids": sorted(others - {""}),
        "emails": [folded(email)] if email else [],
    }


def _let_go(erasure: Erasure, talks: list[UUID], now: datetime) -> None:
    """Whoever points at the conversations, in other layers, points nowhere."""
    contacts_erased.send(sender=None, tenant_id=erasure.tenant_id, conversations=talks, at=now)
    FlowToken.objects.filter(tenant_id=erasure.tenant_id, holder__in=talks).delete()


# --- In the background ------------------------------------------------------------------------------------------------


def run(now: datetime) -> int:
    """Go on with every erasure that is under way; returns how many pieces were done. Any number may run at once."""
    done, until = 0, time.monotonic() + LONGEST_RUN_SECONDS
    with system_transaction():
        waiting = list(Erasure.objects.filter(done_at=None).order_by("asked_at", "pk").values_list("pk", flat=True))
    for pk in waiting:
        while time.monotonic() < until:
            try:
                if not _work(pk, now):
                    break
            except Exception:
                # One that cannot go on stops no other; it is tried again at the next beat.
                log.exception("erasure not gone on with", extra={"erasure": str(pk)})
                break
            done += 1
    return done


def _work(pk: UUID, now: datetime) -> bool:
    """One piece of one erasure; False once there is nothing more to do for us."""
    with system_transaction(), connection.cursor() as cursor:
        free = Erasure.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        erasure = free.filter(pk=pk, done_at=None).select_related("asked_by").first()
        if erasure is None:
            return False
        files = list(erasure.files)
        if not files:
            user = str(erasure.asked_by.user_id) if erasure.asked_by else None
            with pghistory.context(user=user, url=f"erasure:{pk}"):
                _STEPS[ErasureStep(erasure.step)](_Work(cursor, erasure, now))
            crash_point("erasing.before-commit")
    if files:
        _delete_files(pk, files)
    return True


def _delete_files(pk: UUID, names: list[str]) -> None:
    """After the commit that let go of them, and before the next piece: killed in between, they are deleted again."""
    for name in names:
        storing.delete(name)
    crash_point("erasing.after-files")
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE crm_erasure SET files = ARRAY(SELECT unnest(files) EXCEPT SELECT unnest(%s::varchar[])) WHERE id = %s",
            [names, pk],
        )


@dataclass(frozen=True)
class _Work:
    """What a piece of the work has at hand."""

    cursor: Any
    erasure: Erasure
    now: datetime

    @property
    def tenant_id(self) -> UUID:
        return self.erasure.tenant_id

    @cached_property
    def talks(self) -> list[UUID]:
        contacts = self.erasure.contact_ids
        found = Conversation.objects.filter(tenant_id=self.tenant_id, contact__in=contacts)
        return list(found.order_by("pk").values_list("pk", flat=True))

    @property
    def addresses(self) -> dict[str, list[str]]:
        return self.erasure.addresses or {}

    def count(self, **more: int) -> None:
        for name, number in more.items():
            self.erasure.counts[name] = self.erasure.counts.get(name, 0) + number

    def go_on(self, step: ErasureStep | None = None, **values: Any) -> None:
        """Say how far it came, together with what was done."""
        values |= {"counts": self.erasure.counts} | ({"step": step} if step else {})
        for name, value in values.items():
            setattr(self.erasure, name, value)
        self.erasure.save(update_fields=list(values))


def _search_webhooks(work: _Work) -> None:
    """The stored webhooks, while the messages are still there to say which receipts are theirs.

    Those that are stored later lose their parts when they are merged.
    """
    said = Message.objects.filter(conversation__in=work.talks, provider_message_id__isnull=False)
    page = webhooks.erase_page(
        work.cursor,
        tenant_id=work.tenant_id,
        after=work.erasure.place,
        until=work.erasure.until - clock.ahead(),
        erased=Erased(
            addresses=frozenset(work.addresses.get("phones", []) + work.addresses.get("ids", [])),
            message_ids=frozenset(said.order_by().values_list("provider_message_id", flat=True)),
        ),
    )
    work.count(webhooks=page.changed)
    work.go_on(ErasureStep.MESSAGES if page.is_last else None, place=page.last)


_SAID = "SELECT id FROM crm_message WHERE conversation_id = ANY(%s) LIMIT %s"
_LOCK_SAID = "SELECT FROM crm_message WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
# Who takes words of messages for the search holds this row: none is taken of what is being erased.
_LOCK_SEARCH = "SELECT FROM crm_searchprogress FOR UPDATE"
_FILES = "DELETE FROM crm_attachment WHERE message_id = ANY(%s) RETURNING stored_as, thumbnail"
_REACTIONS = """
DELETE FROM crm_reaction r USING crm_message m
WHERE m.id = ANY(%s) AND r.number_id = m.number_id AND r.target_message_id = m.provider_message_id
"""
_STATUSES = """
DELETE FROM crm_unmatchedstatus u USING crm_message m
WHERE m.id = ANY(%s) AND u.number_id = m.number_id AND u.provider_message_id = m.provider_message_id
"""


def _erase_messages(work: _Work) -> None:
    """A page of messages with all that hangs on them; what they counted and cost stays."""
    cursor = work.cursor
    cursor.execute(_SAID, [work.talks, PAGE])
    ids = sorted(row[0] for row in cursor.fetchall())
    if not ids:
        work.go_on(ErasureStep.LISTS)
        return
    rollups.keep(cursor, ids)
    cursor.execute(_LOCK_SEARCH)
    cursor.execute(_LOCK_SAID, [ids])
    cursor.execute(_FILES, [ids])
    names = sorted({name for both in cursor.fetchall() for name in both if name})
    cursor.execute(_REACTIONS, [ids])
    cursor.execute(_STATUSES, [ids])
    cursor.execute("DELETE FROM crm_messageword WHERE message_id = ANY(%s)", [ids])
    cursor.execute("DELETE FROM crm_message WHERE id = ANY(%s)", [ids])
    released = _released(work, names)
    work.count(messages=len(ids), files=len(released))
    work.go_on(files=released)


def _released(work: _Work, names: list[str]) -> list[str]:
    """Those of the files that nobody else has: one may have been sent to many."""
    others = Attachment.objects.filter(tenant_id=work.tenant_id, stored_as__in=names)
    kept = set(others.values_list("stored_as", flat=True))
    for _receiver, needed in files_released.send(sender=None, tenant_id=work.tenant_id, names=names):
        kept |= set(needed or ())
    return [name for name in names if name not in kept]


def _erase_from_lists(work: _Work) -> None:
    """One import of contacts at a time, then what other layers keep of lists."""
    theirs = contact_lists.Theirs.of(work.addresses, ids=work.erasure.contact_ids, tenant_id=work.tenant_id)
    imports = ContactImport.objects.filter(tenant_id=work.tenant_id).order_by("pk")
    if work.erasure.list_place:
        imports = imports.filter(pk__gt=work.erasure.list_place)
    brought = imports.select_for_update(no_key=True).first()
    if brought is not None:
        work.count(rows=contact_lists.erase(brought, theirs))
        work.go_on(list_place=brought.pk)
        return
    addresses_erased.send(sender=None, tenant_id=work.tenant_id, is_theirs=theirs.is_phone)
    work.go_on(ErasureStep.REST)


_MERGES = "DELETE FROM crm_contactmerge WHERE tenant_id = %s AND (contact_id = ANY(%s) OR merged_ids && %s)"
# The platform's operators have a log of their own in the admin; that they changed something stays, whom does not.
_ADMIN_LOG = "UPDATE django_admin_log SET object_repr = '', change_message = '' WHERE object_id = ANY(%s)"
_ALERTS = """
DELETE FROM tenants_alert WHERE tenant_id = %s AND (subject = ANY(%s) OR EXISTS (
    SELECT FROM unnest(%s::text[]) AS word WHERE strpos(facts::text, word) > 0 OR strpos(subject, word) > 0))
"""


def _erase_rest(work: _Work) -> None:
    """The contact itself and the last that speaks of it."""
    cursor, talks, contacts = work.cursor, work.talks, work.erasure.contact_ids
    cursor.execute(_SAID, [talks, 1])
    if cursor.fetchone():  # something was under way when they were erased
        work.go_on(ErasureStep.MESSAGES)
        return
    _let_go(work.erasure, talks, work.now)
    for table, column in moving.followers(Conversation):
        cursor.execute(f"DELETE FROM {table} WHERE {column} = ANY(%s)", [talks])
    cursor.execute("DELETE FROM crm_conversation WHERE id = ANY(%s)", [talks])
    for table, column in moving.followers(Contact):
        cursor.execute(f"DELETE FROM {table} WHERE {column} = ANY(%s)", [contacts])
    cursor.execute("DELETE FROM crm_contact WHERE id = ANY(%s) AND tenant_id = %s", [contacts, work.tenant_id])
    cursor.execute(_MERGES, [work.tenant_id, contacts, contacts])
    ids = [str(each) for each in [*contacts, *talks]]
    words = [each for some in work.addresses.values() for each in some]
    cursor.execute(_ADMIN_LOG, [ids])
    cursor.execute(_ALERTS, [work.tenant_id, ids, words])
    work.go_on(ErasureStep.DONE, addresses=None, done_at=work.now)
    # The last of all: what goes writes history too.
    audit.forget(tenant_id=work.tenant_id, objects={Contact: contacts}, erasure=f"erasure {work.erasure.pk}")


_STEPS = {
    ErasureStep.WEBHOOKS: _search_webhooks,
    ErasureStep.MESSAGES: _erase_messages,
    ErasureStep.LISTS: _erase_from_lists,
    ErasureStep.REST: _erase_rest,
}
