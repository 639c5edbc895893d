"""Bringing the scenes of a company in, talk by talk: customers by stored webhooks and the merge, we by finished rows,
then what our people did with the conversation; at the end all ticks, by webhook again."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from crm import inbound, routing
from crm.demo.houses import SIMULATED, House
from crm.demo.outbox import content_of, said, was_accepted
from crm.demo.scripts import ACT, CUSTOMER, PHONE, Scene, Step, Talk, played, span
from crm.demo.webhooks import Telling, heard, posted, reported
from crm.inbound import conversations, directory, people
from crm.models import Contact, Conversation, Message
from tenants.context import system_transaction, tenant_transaction
from whatsapp.events import Person
from whatsapp.models import ProviderName, WebhookEvent
from whatsapp.models import Template as StoredTemplate
from whatsapp.outgoing import Template

_STATUSES_A_WEBHOOK = 40
_ON_ARRIVAL = frozenset({"takes", "releases", "transfers"})

Homes = dict[str, Conversation]
"""Scene key → its conversation."""


def tell(house: House, *, now: datetime) -> int:
    """Load every scene of the company; how many messages there are. Call it in one transaction, once."""
    tellings = [_play(house, scene, now) for scene in house.company.scenes]
    homes = _introduce(house, tellings)
    for turn in range(max(len(telling.talks) for telling in tellings)):
        chapter = [(telling, telling.talks[turn]) for telling in tellings if turn < len(telling.talks)]
        _deliver(
            heard(telling, step) for telling, talk in chapter for step in talk if step.mark in (CUSTOMER, PHONE)
        )  # fmt: skip
        with tenant_transaction(house.tenant.pk):
            _act(house, homes, chapter, _ON_ARRIVAL)
            _say(house, homes, chapter)
            _act(house, homes, chapter, {"reads", "snoozes", "closes"})
    _report(tellings, now=now)
    with tenant_transaction(house.tenant.pk):
        _dress(homes, tellings)
        _date_templates(tellings)
        return Message.objects.count()


def _play(house: House, scene: Scene, now: datetime) -> Telling:
    usual = {line.phone_number_id: line.usual_agent for line in house.company.lines}
    zone = ZoneInfo(house.company.timezone)
    talks = played(scene, earlier=house.company.earlier, usual_agent=usual[scene.number], zone=zone, now=now)
    return Telling(scene, SIMULATED[scene.number], talks)


def _introduce(house: House, tellings: list[Telling]) -> Homes:
    """Contacts and conversations of everybody, also of those to whom only we wrote."""
    tenant_id, places = house.tenant.pk, {}
    seen = [(tenant_id, Person(phone=one.wa_id or None, bsuid=one.bsuid), one.steps[0].at) for one in tellings]
    with system_transaction(), connection.cursor() as cursor:
        lines = directory.find_lines(cursor, ((ProviderName.CLOUD, number) for number in house.numbers))
        owners = people.resolve(cursor, seen)
        for telling, (_tenant, person, _at) in zip(tellings, seen, strict=True):
            contact_id = people.contact_of(owners, tenant_id, person)
            assert contact_id, "everybody in the demo has an id"
            places[telling.scene.key] = lines[ProviderName.CLOUD, telling.scene.number], contact_id
        ids = conversations.ensure(cursor, places.values())
    with tenant_transaction(tenant_id):
        found = Conversation.objects.select_related("contact", "number").in_bulk()
    return {key: found[ids[line.number_id, contact_id]] for key, (line, contact_id) in places.items()}


def _deliver(bodies: Iterable[bytes]) -> None:
    with system_transaction():
        WebhookEvent.objects.bulk_create([WebhookEvent(body=body) for body in bodies])
    inbound.drain()


def _say(house: House, homes: Homes, chapter: list[tuple[Telling, Talk]]) -> None:
    Message.objects.bulk_create(
        said(house, telling, step, conversation_id=homes[telling.scene.key].pk)
        for telling, talk in chapter
        for step in talk
        if step.is_ours and step.is_message
    )
    began = [(homes[telling.scene.key].pk, talk[0].at) for telling, talk in chapter]
    with connection.cursor() as cursor:
        for statement in (_MOVE_CONVERSATIONS, _OPEN_EPISODES, _FIRST_REPLIES):
            cursor.execute(statement, [[id_ for id_, _ in began], [at for _, at in began]])


def _act(house: House, homes: Homes, chapter: list[tuple[Telling, Talk]], verbs: Iterable[str]) -> None:
    acts = [(telling.scene.key, step) for telling, talk in chapter for step in talk if step.mark == ACT]
    for key, step in acts:
        verb, *words = step.text.split()
        if verb in verbs:
            conversation = homes[key]
            conversation.refresh_from_db()
            _do(house, conversation, step, verb, words)


def _do(house: House, conversation: Conversation, step: Step, verb: str, words: list[str]) -> None:
    actor = house.people[step.author]
    match verb:
        case "takes":
            routing.assign(conversation=conversation, assignee=actor, actor=actor, now=step.at)
        case "releases":
            routing.assign(conversation=conversation, assignee=None, actor=actor, now=step.at)
        case "transfers":
            queue, person = words
            colleague = house.people[person]
            routing.transfer(
                conversation=conversation, queue=house.queues[queue], assignee=colleague, actor=actor, now=step.at
            )
        case "reads":
            routing.mark_read(conversation=conversation, now=step.at)
        case "snoozes":
            until = step.at + timedelta(seconds=span(words[0]))
            routing.snooze(conversation=conversation, until=until, actor=actor, now=step.at)
        case "closes":
            routing.close(conversation=conversation, actor=actor, now=step.at)


def _report(tellings: list[Telling], *, now: datetime) -> None:
    statuses = [
        (telling.number.id, status)
        for telling in tellings
        for step in telling.steps
        if was_accepted(step)
        for status in reported(telling, step, category=_charged_category(step), now=now)
    ]
    statuses.sort(key=lambda pair: pair[0])
    _deliver(
        posted(SIMULATED[number_id], page)
        for number_id, found in groupby(statuses, key=lambda pair: pair[0])
        for page in _pages([status for _, status in found])
    )


def _pages(statuses: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(statuses), _STATUSES_A_WEBHOOK):
        yield statuses[start : start + _STATUSES_A_WEBHOOK]


def _charged_category(step: Step) -> str:
    content = content_of(step)
    return content.category.lower() if isinstance(content, Template) else ""


def _dress(homes: Homes, tellings: list[Telling]) -> None:
    """What our people noted about the contacts, and the dates that loading itself would have left on today."""
    contacts: dict[UUID, Contact] = {}
    held = []
    for telling in tellings:
        scene, conversation, began = telling.scene, homes[telling.scene.key], telling.steps[0].at
        contact = contacts.setdefault(conversation.contact_id, conversation.contact)
        contact.name = scene.known_as or ("" if telling.has_written else scene.name)
        contact.labels, contact.attributes = list(scene.labels), dict(scene.attributes)
        contact.created_at = conversation.created_at = began
        held.append(conversation)
    Contact.objects.bulk_update(contacts.values(), ["name", "labels", "attributes", "created_at"])
    Conversation.objects.bulk_update(held, ["created_at"])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE crm_message SET created_at = sent_at WHERE conversation_id = ANY(%s)", [[c.pk for c in held]]
        )


def _date_templates(tellings: list[Telling]) -> None:
    """When each template was last sent with."""
    used: dict[str, datetime] = {}
    for step in (step for telling in tellings for step in telling.steps if was_accepted(step)):
        content = content_of(step)
        if isinstance(content, Template):
            used[content.name] = max(step.at, used.get(content.name, step.at))
    templates = list(StoredTemplate.objects.filter(name__in=used))
    for template in templates:
        template.last_used_at = used[template.name]
    StoredTemplate.objects.bulk_update(templates, ["last_used_at"])


_TALKS = "unnest(%s::uuid[], %s::timestamptz[]) AS talk (id, began_at)"
_ANSWERS = """
SELECT talk.id AS id, min(m.sent_at) AS first_at, max(m.sent_at) AS last_at,
       (array_agg(m.author_id ORDER BY m.sent_at) FILTER (WHERE m.author_id IS NOT NULL))[1] AS author_id
FROM talk JOIN crm_message m ON m.conversation_id = talk.id AND m.sent_at >= talk.began_at
WHERE m.source IN ('agent', 'phone') GROUP BY talk.id
"""
# What compose() does to a conversation as each message of ours is written, for a whole talk at once.
_MOVE_CONVERSATIONS = f"""
WITH talk AS (SELECT * FROM {_TALKS}), answer AS ({_ANSWERS})
UPDATE crm_conversation c
SET last_message_id = newest.id, last_message_at = newest.sent_at,
    waiting_since = unanswered.since, unread_count = unanswered.count,
    assignee_id = COALESCE(c.assignee_id, answer.author_id),
    status = CASE WHEN answer.id IS NOT NULL THEN 'open' ELSE c.status END
FROM talk
LEFT JOIN answer ON answer.id = talk.id
CROSS JOIN LATERAL (
    SELECT m.id, m.sent_at FROM crm_message m
    WHERE m.conversation_id = talk.id AND m.type NOT IN ('edit', 'revoke', 'call_end', 'system')
    ORDER BY m.sent_at DESC, m.id DESC LIMIT 1
) newest
CROSS JOIN LATERAL (
    SELECT min(m.sent_at) AS since, count(*) AS count FROM crm_message m
    WHERE m.conversation_id = talk.id AND m.direction = 'inbound' AND m.type NOT IN ('edit', 'revoke', 'call_end', 'system')
      AND m.sent_at > COALESCE(answer.last_at, talk.began_at - interval '1 second')
) unanswered
WHERE c.id = talk.id
"""
_OPEN_EPISODES = f"""
WITH talk AS (SELECT * FROM {_TALKS}), answer AS ({_ANSWERS})
INSERT INTO crm_episode (id, tenant_id, conversation_id, queue_id, opened_at, opened_by_customer)
SELECT gen_random_uuid(), c.tenant_id, c.id, c.queue_id, answer.first_at, false
FROM answer JOIN crm_conversation c ON c.id = answer.id
ON CONFLICT (conversation_id) WHERE closed_at IS NULL DO NOTHING
"""
_FIRST_REPLIES = f"""
WITH talk AS (SELECT * FROM {_TALKS}), answer AS ({_ANSWERS})
UPDATE crm_episode e
SET opened_at = LEAST(e.opened_at, answer.first_at),
    opened_by_customer = e.opened_by_customer AND e.opened_at < answer.first_at,
    first_reply_at = answer.first_at, first_reply_by_id = answer.author_id
FROM answer WHERE e.conversation_id = answer.id AND e.closed_at IS NULL
"""
