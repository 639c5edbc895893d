"""Having Meta take what people wrote: a queue of changes, each handed over outside any transaction, settled in one.

A change that nobody knows the outcome of is tried again: Meta knows a template by its name and language, so a second
creation is refused as being there already, and a second deletion as being gone; both then count as done.
"""

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.core.files.storage import storages
from django.db import connection, transaction
from django.db.models.functions import Now

from tenants.context import current_scope, system_transaction, tenant_transaction
from whatsapp import cataloguing
from whatsapp.errors import Reason, handling
from whatsapp.models import ChangeKind, ChangeState, Number, Template, TemplateChange
from whatsapp.providers import get_provider
from whatsapp.providers.base import Account, NotSent, OutcomeUnknown, Provider, Refused, RemoteTemplate, TemplateDraft
from whatsapp.template_content import MEDIA_HEADERS, Wording, as_components

log = logging.getLogger(__name__)

PAGE = 20
LEASE_SECONDS = 600
MOST_TRIES = 6
ALREADY_THERE, ALREADY_GONE, NO_EXAMPLE = 2388024, 2593002, 2388273
NO_NUMBER, UNREACHABLE = "no_number", "unreachable"

_CLAIM = """
UPDATE whatsapp_templatechange SET attempts = attempts + 1, next_attempt_at = statement_timestamp() + make_interval(secs => %s)
WHERE id IN (
    SELECT id FROM whatsapp_templatechange WHERE state = 'sending' AND next_attempt_at <= statement_timestamp()
    ORDER BY next_attempt_at, id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING tenant_id, id, attempts
"""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a try ended: done (`remote` says what Meta has now), to be tried again, or refused for good."""

    remote: RemoteTemplate | None = None
    failure: dict[str, Any] | None = None
    again: bool = False


def submit(change: TemplateChange) -> None:
    """Put the change into the queue, inside the caller's transaction; whoever rings does it once that commits."""
    change.state, change.failure, change.attempts, change.next_attempt_at = ChangeState.SENDING, None, 0, Now()
    change.save()


def work(*, now: datetime) -> int:
    """Hand over every change that is due; returns how many were tried. Any number may run at once."""
    assert current_scope() is None, "No transaction may be open while WhatsApp is asked."
    tried = 0
    while True:
        with system_transaction(), connection.cursor() as cursor:
            cursor.execute(_CLAIM, [LEASE_SECONDS, PAGE])
            claimed = cursor.fetchall()
        for tenant_id, change_id, attempt in claimed:
            tried += 1
            try:
                _hand_over(tenant_id, change_id, attempt, now=now)
            except Exception:
                # Its lease ends by itself; the others must not wait for it.
                log.exception("a template could not be submitted", extra={"change": str(change_id)})
        if len(claimed) < PAGE:
            return tried


def _hand_over(tenant_id: UUID, change_id: UUID, attempt: int, *, now: datetime) -> None:
    with tenant_transaction(tenant_id):
        change = TemplateChange.objects.select_related("template").filter(pk=change_id).first()
        if change is None:
            return
        number = _speaker(change.waba_id)
        account = number.account() if number else None
    if number is None or account is None:
        outcome = _Outcome(failure={"reason": NO_NUMBER})
    else:
        outcome = _tried(change, number, account, now=now)
    with tenant_transaction(tenant_id):
        _settle(change, attempt, outcome, now=now)


def _speaker(waba_id: str) -> Number | None:
    """The number of this account whose token is used: one that works, if there is one."""
    numbers = Number.objects.defer(None).filter(waba_id=waba_id, is_active=True)
    found = [each for each in numbers.order_by("paused_reason", "pk") if _can_write(each)]
    return found[0] if found else None


def _can_write(number: Number) -> bool:
    with suppress(LookupError):
        return get_provider(number.provider).capabilities.has_templates
    return False


def _tried(change: TemplateChange, number: Number, account: Account, *, now: datetime) -> _Outcome:
    try:
        return _asked(change, number, account, get_provider(number.provider), now=now)
    except Refused as refusal:
        return _Outcome(
            failure={
                "reason": refusal.reason.value,
                "code": refusal.code,
                "subcode": refusal.subcode,
                "said": refusal.said or refusal.detail,
            },
            again=handling(refusal.reason).retry and refusal.reason is not Reason.AUTH,
        )
    except (NotSent, OutcomeUnknown):
        return _Outcome(failure={"reason": UNREACHABLE}, again=True)
    except FileNotFoundError:
        return _Outcome(failure={"reason": Reason.MEDIA.value, "subcode": NO_EXAMPLE})
    except OSError:
        log.exception("storage failed", extra={"change": str(change.pk)})
        return _Outcome(failure={"reason": UNREACHABLE}, again=True)


def _asked(change: TemplateChange, number: Number, account: Account, provider: Provider, *, now: datetime) -> _Outcome:
    if change.kind == ChangeKind.DELETE:
        template_id = _id_at_provider(change, number, now=now) if change.language else ""
        try:
            provider.delete_template(account, name=change.name, template_id=template_id)
        except Refused as refusal:
            if refusal.subcode != ALREADY_GONE:
                raise
        return _Outcome()
    wording = _with_example(change, account, provider)
    draft = TemplateDraft(
        name=change.name,
        language=change.language,
        category=change.category,
        components=as_components(wording, category=change.category),
        is_named=wording.is_named,
    )
    if change.kind == ChangeKind.EDIT:
        template_id = _id_at_provider(change, number, now=now)
        if change.template and change.template.category == change.category:
            draft = replace(draft, category="")  # that of an approved one may not be named, even to stay
        provider.edit_template(account, template_id=template_id, draft=draft)
        # Meta approves most changes at once and some after a review: it says which.
        cataloguing.sync_templates_of(number, now=now)
        return _Outcome()
    try:
        return _Outcome(remote=provider.create_template(account, draft=draft))
    except Refused as refusal:
        if refusal.subcode != ALREADY_THERE or change.attempts < 2:
            raise
    # The first try arrived after all, and its answer was lost: what Meta has now is fetched.
    cataloguing.sync_templates_of(number, now=now)
    return _Outcome()


def _with_example(change: TemplateChange, account: Account, provider: Provider) -> Wording:
    """The wording with the handle of its header's file, uploaded anew: a handle does not live long."""
    wording = change.wording
    if wording.header not in MEDIA_HEADERS or not change.file:
        return wording
    with storages["media"].open(change.file["stored_as"]) as file:
        handle = provider.upload_example(
            account,
            file=file,
            size=change.file["size"],
            mime_type=change.file["mime_type"],
            filename=change.file["name"],
        )
    return replace(wording, header_handle=handle)


def _id_at_provider(change: TemplateChange, number: Number, *, now: datetime) -> str:
    """Meta's id of the template; one that was never synchronised is, first. Raises Refused when Meta has no such one."""
    template = change.template
    if template and not template.provider_template_id:
        cataloguing.sync_templates_of(number, now=now)
        with tenant_transaction(change.tenant_id):
            template = Template.objects.filter(pk=template.pk).first()
    if template is None or not template.provider_template_id:
        raise Refused(reason=Reason.TEMPLATE_STATE, subcode=ALREADY_GONE)
    return template.provider_template_id


def _settle(change: TemplateChange, attempt: int, outcome: _Outcome, *, now: datetime) -> None:
    """Write the outcome down under the attempt it belongs to."""
    mine = TemplateChange.objects.filter(pk=change.pk, attempts=attempt, state=ChangeState.SENDING)
    if outcome.failure:
        if outcome.again and attempt < MOST_TRIES:
            mine.update(failure=outcome.failure, next_attempt_at=Now() + timedelta(seconds=5 * 4 ** (attempt - 1)))
        else:
            mine.update(state=ChangeState.REFUSED, failure=outcome.failure, next_attempt_at=None)
        return
    if not mine.delete()[0]:
        return
    about = Template.objects.filter(waba_id=change.waba_id, name=change.name)
    about = about.filter(language=change.language) if change.language else about
    if change.kind == ChangeKind.DELETE:
        cataloguing.mark_gone(about, now=now)
    elif outcome.remote:
        cataloguing.record(change.tenant_id, change.waba_id, outcome.remote, now=now)
    before = list(about.exclude(example=None).values_list("example", flat=True))
    about.update(example=None if change.kind == ChangeKind.DELETE else change.file)
    _drop([*before, change.file])


def _drop(files: list[dict[str, Any] | None]) -> None:
    """Delete files from the storage once the present transaction commits, but those that a template or draft still names.

    A draft of another language begins with the file of the first.
    """
    names = {file["stored_as"] for file in files if file}
    if not names:
        return
    kept = set(Template.objects.filter(example__stored_as__in=names).values_list("example__stored_as", flat=True))
    kept |= set(TemplateChange.objects.filter(file__stored_as__in=names).values_list("file__stored_as", flat=True))
    for name in names - kept:
        transaction.on_commit(partial(storages["media"].delete, name))


def discard(change: TemplateChange) -> bool:
    """Forget a change that is not being submitted; False when it is."""
    if not TemplateChange.objects.filter(pk=change.pk).exclude(state=ChangeState.SENDING).delete()[0]:
        return False
    _drop([change.file])
    return True
