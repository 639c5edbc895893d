"""The queue of files: rows that are due, claimed for a while, fetched or handed over, and written down one by one.

A worker that dies keeps its rows only as long as its lease; what it had stored but not written down is nobody's and small.
Nothing here holds a transaction or a lock while the network or ffmpeg is at work.
"""

import logging
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from crm import bells, explanations, live
from crm.media import pictures, storing
from crm.media.pictures import Unreadable
from crm.models import Attachment, Conversation, FileState, Message, MessageStatus
from tenants import clock
from tenants.context import system_transaction, tenant_transaction
from whatsapp.capabilities import CAPABILITIES
from whatsapp.errors import Reason
from whatsapp.models import Number
from whatsapp.outgoing import from_payload
from whatsapp.providers import get_provider
from whatsapp.providers.base import Account, NotSent, OutcomeUnknown, Refused
from whatsapp.providers.downloading import CannotFetch, TooLarge, fetch, same_sum

log = logging.getLogger(__name__)

LEASE_SECONDS = 600
AT_ONCE = 4
LONGEST_RUN_SECONDS = 60.0
WAITS = (2, 5, 15, 60, 300, 900, 1800, 3600)
MOST_TRIES = 16  # eight hours of tries; the button of the message begins anew
# A token is mended by a person, who may not be there for days; WhatsApp keeps a file for seven (media page, 2026-06-16).
MOST_TRIES_REFUSED = 16 + 160

_CLAIM = """
WITH due AS (
    SELECT id FROM crm_attachment
    WHERE state IN ('waiting', 'working') AND next_attempt_at <= statement_timestamp()
    ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE crm_attachment a
SET state = 'working', attempts = a.attempts + 1,
    next_attempt_at = statement_timestamp() + make_interval(secs => %s)
FROM due JOIN crm_attachment whole USING (id) JOIN crm_message m ON m.id = whole.message_id
WHERE a.id = due.id
RETURNING a.id, a.attempts, m.id, m.number_id, m.conversation_id, m.direction = 'outbound' AND m.source <> 'phone'
"""

_running = threading.Lock()


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed file. `is_ours`: it has to be handed over before its message can go."""

    attachment: Attachment
    attempt: int
    message_id: UUID
    number: Number
    conversation_id: UUID
    is_ours: bool


@dataclass(slots=True)
class Result:
    """What a try brought: new values of the row, or why there are none and whether to try again."""

    values: dict[str, Any] = field(default_factory=dict)
    stored: list[str] = field(default_factory=list)
    failure: str = ""
    again: bool = False


def work() -> int:
    """Fetch and hand over every file that is due; returns how many were tried. One run a process, any number of processes.

    A slow file holds up no other: a new one is claimed as soon as one ends.
    """
    if not _running.acquire(blocking=False):
        return 0
    done, until = 0, time.monotonic() + LONGEST_RUN_SECONDS
    under_way: dict[Future[Result], Job] = {}
    try:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="media") as executor:
            while True:
                if time.monotonic() < until:
                    jobs = _claim(AT_ONCE - len(under_way))
                    under_way |= {executor.submit(_worked, job): job for job in jobs}
                if not under_way:
                    break
                ended, _rest = wait(under_way, return_when=FIRST_COMPLETED)
                for future in ended:
                    _conclude(under_way.pop(future), future)
                    done += 1
    finally:
        _running.release()
    if time.monotonic() >= until:
        bells.ring_media()
    return done


def _claim(count: int) -> list[Job]:
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, [count, LEASE_SECONDS])
        rows = cursor.fetchall()
        attachments = Attachment.objects.in_bulk([row[0] for row in rows])
        numbers = Number.objects.defer(None).in_bulk({row[3] for row in rows})
    return [
        Job(attachments[id], attempt, message_id, numbers[number_id], conversation_id, is_ours)
        for id, attempt, message_id, number_id, conversation_id, is_ours in rows
    ]


def _conclude(job: Job, future: "Future[Result]") -> None:
    try:
        result = future.result()
        if not _settle(job, result):
            for name in result.stored:  # it failed half way, or somebody else was faster: ours is a copy too many
                storing.delete(name)
    except Exception:
        log.exception("file could not be worked on", extra={"attachment": str(job.attachment.pk)})


def _worked(job: Job) -> Result:
    result = Result()
    try:
        account = job.number.account()
        if not job.attachment.stored_as:
            with storing.scratch() as file:
                _fetch(job, account, file, result)
        if job.is_ours:
            _hand_over(job, account, result)
    except CannotFetch as error:
        result.failure, result.again = _why(error), not error.is_final
    except Unreadable:
        result.failure = explanations.FILE_UNREADABLE
    except Refused as refusal:
        is_auth = refusal.reason in (Reason.AUTH, Reason.NOT_REGISTERED)
        result.failure = explanations.FILE_REFUSED if is_auth else Reason.MEDIA.value
        result.again = is_auth or refusal.reason in (Reason.TRANSIENT, Reason.RATE_API, Reason.RATE_NUMBER)
    except (NotSent, OutcomeUnknown):
        result.failure, result.again = explanations.FILE_UNREACHABLE, True
    except OSError:
        log.exception("storage failed", extra={"attachment": str(job.attachment.pk)})
        result.failure, result.again = explanations.FILE_UNREACHABLE, True
    return result


def _why(error: CannotFetch) -> str:
    if isinstance(error, TooLarge):
        return explanations.FILE_TOO_LARGE
    if error.detail == "gone":
        return explanations.FILE_GONE
    if error.detail.startswith("refused"):
        return explanations.FILE_REFUSED
    return explanations.FILE_FORBIDDEN if error.is_final and not error.status else explanations.FILE_UNREACHABLE


def _fetch(job: Job, account: Account, file: IO[bytes], result: Result) -> None:
    """Bring the file, check it against what the webhook said, draw its picture, and keep both."""
    attachment = job.attachment
    if attachment.source_url:
        got = fetch(attachment.source_url, into=file, max_bytes=settings.MEDIA_MAX_BYTES)
        size, mime_type = got.size, attachment.mime_type or got.mime_type.partition(";")[0].strip().lower()
    else:
        media = get_provider(job.number.provider).fetch_media(
            account, media_id=attachment.media_id, into=file, max_bytes=settings.MEDIA_MAX_BYTES
        )
        if not same_sum(attachment.sha256, media.sha256):
            raise CannotFetch("the file's checksum does not fit")
        size, mime_type = media.size, attachment.mime_type or media.mime_type
    _keep(job, file, mime_type[:120], size, result)


def _keep(job: Job, file: IO[bytes], mime_type: str, size: int, result: Result) -> None:
    name = storing.save(job.attachment.tenant_id, file)
    result.stored.append(name)
    result.values |= {"mime_type": mime_type, "size": size, "stored_as": name}
    _draw(job, file, mime_type, result)


def _draw(job: Job, file: IO[bytes], mime_type: str, result: Result) -> None:
    """What the bubble shows of the file before it is opened."""
    if picture := pictures.picture_of(file, mime_type):
        with storing.scratch() as small:
            small.write(picture.content)
            name = storing.save(job.attachment.tenant_id, small)
        result.stored.append(name)
        result.values |= {
            "thumbnail": name,
            "width": picture.width,
            "height": picture.height,
            "seconds": picture.seconds,
        }
    elif mime_type.startswith("audio/"):
        result.values["seconds"] = pictures.length_of(file)


def _hand_over(job: Job, account: Account, result: Result) -> None:
    """Turn the file into what WhatsApp takes where that is needed, and give it to the provider."""
    attachment, values = job.attachment, result.values
    mime_type = values.get("mime_type", attachment.mime_type)
    with storing.storage().open(values.get("stored_as") or attachment.stored_as) as file:
        turned = _turned(job, file, mime_type, values.get("size") or attachment.size or 0)
        if turned:
            content, mime_type = turned
            with storing.scratch() as scratch:
                scratch.write(content)
                _keep(job, scratch, mime_type, len(content), result)
        elif not values and not attachment.thumbnail:
            _draw(job, file, mime_type, result)
    with storing.storage().open(values.get("stored_as") or attachment.stored_as) as file:
        values["media_id"] = get_provider(job.number.provider).upload_media(
            account, file=file, mime_type=_upload_type(mime_type), filename=attachment.filename or "file"
        )


def _turned(job: Job, file: IO[bytes], mime_type: str, size: int) -> tuple[bytes, str] | None:
    """(content, type) in a form that may be sent; None when the file is one already. Raises Unreadable."""
    media = CAPABILITIES[job.number.provider].media
    kind = mime_type.partition("/")[0]
    if job.attachment.is_voice:
        is_ready = mime_type == "audio/ogg"
        return None if is_ready else (pictures.as_voice(file), "audio/ogg")
    if kind not in ("image", "video", "audio") or mime_type == "image/svg+xml" or media[kind].allows(mime_type, size):
        return None
    if kind == "image":
        return pictures.as_jpeg(file), "image/jpeg"
    if kind == "video":
        return pictures.as_small_video(file, max_bytes=media[kind].max_bytes), "video/mp4"
    return pictures.as_sound(file), "audio/mpeg"


def _upload_type(mime_type: str) -> str:
    return "audio/ogg; codecs=opus" if mime_type == "audio/ogg" else mime_type


def _settle(job: Job, result: Result) -> bool:
    """Write the result down under the attempt it belongs to; False when the row has gone on without us."""
    with tenant_transaction(job.attachment.tenant_id):
        place = Conversation.objects.filter(pk=job.conversation_id).values_list("queue_id", "assignee_id").first()
        if place is None:
            return False  # its person is being erased
        mine = Attachment.objects.filter(pk=job.attachment.pk, attempts=job.attempt, state=FileState.WORKING)
        if not result.failure:
            changed = mine.update(**result.values, state=FileState.THERE, failure="", next_attempt_at=None)
        elif _goes_on(job, result):
            wait = WAITS[min(job.attempt, len(WAITS)) - 1]
            changed = mine.update(state=FileState.WAITING, failure=result.failure, next_attempt_at=_in(wait))
        else:
            changed = mine.update(state=FileState.FAILED, failure=result.failure, next_attempt_at=None)
        if not changed:
            return False
        if job.is_ours:
            _go_on(job, result)
        live.publish(job.attachment.tenant_id, [live.Change(job.conversation_id, place[:1], place[1:])])
    return not result.failure


def _goes_on(job: Job, result: Result) -> bool:
    """Whether it is tried again by itself."""
    waits_for_token = result.failure == explanations.FILE_REFUSED and not job.is_ours
    return result.again and job.attempt < (MOST_TRIES_REFUSED if waits_for_token else MOST_TRIES)


def _go_on(job: Job, result: Result) -> None:
    """The message that waited for its file is due now, or has failed with it."""
    message = Message.objects.select_for_update(no_key=True).get(pk=job.message_id)
    if message.status != MessageStatus.QUEUED or message.next_attempt_at is not None:
        return
    if "media_id" in result.values and not result.failure:
        content = from_payload(message.type, {**message.payload, "media_id": result.values["media_id"]})
        message.payload, message.next_attempt_at = content.as_payload(), _in(0)
        message.save(update_fields=["payload", "next_attempt_at"])
        Attachment.objects.filter(pk=job.attachment.pk).update(uploaded_at=_in(0))
        bells.ring_dispatch(message.tenant_id, message.number_id)
    elif not _goes_on(job, result):
        # What a person sees as a moment goes with the demonstration's clock where that is ahead.
        message.status, message.failed_at, message.error_reason = (
            MessageStatus.FAILED, Now() + clock.ahead(), result.failure
        )  # fmt: skip
        message.save(update_fields=["status", "failed_at", "error_reason"])


def _in(seconds: float) -> Any:
    return Now() + timedelta(seconds=seconds) if seconds else Now()
