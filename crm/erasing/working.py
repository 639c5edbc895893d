"""The work of an erasure, piece by piece in the background: webhooks, messages, lists, and the contact itself."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import pghistory
from django.db import connection

from crm import contact_lists, moving
from crm.erasing.letting_go import let_go
from crm.media import storing
from crm.models import Attachment, Contact, ContactImport, Conversation, Erasure, ErasureStep, Message
from crm.reports import rollups
from crm.signals import addresses_erased, files_released
from tenants import audit, clock
from tenants.context import system_transaction
from tenants.crash_points import crash_point
from whatsapp import erasing as webhooks
from whatsapp.providers.base import Erased

log = logging.getLogger(__name__)

PAGE = 500
LONGEST_RUN_SECONDS = 20.0


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
            except webhooks.Held:
                break  # the next beat finds it free
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
    let_go(work.erasure, talks, work.now)
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
