"""People, conversations and messages in bulk, written by set-based statements; sealed texts are sealed once and reused.

Works as the login that owns the tables with triggers off, so it must keep the constraints by itself.
"""

from typing import Any

import psycopg

from crm.models import Message
from tests.bench.stage import Stage
from tests.cast import Company

_CONTACTS = """
INSERT INTO crm_contact (id, tenant_id, name, profile_name, username, phone, labels, attributes, timezone,
                         marketing_stopped, profile_at)
SELECT md5('contact' || i)::uuid, %(tenant)s, '', (ARRAY['Rosa', 'Luis', 'Ana', 'Carla', 'Jorge', 'Inés'])[1 + i %% 6]
       || ' ' || (ARRAY['Quispe', 'Rojas', 'Huamán', 'Torres', 'Vega'])[1 + i %% 5] || ' ' || i, '',
       '519' || lpad(i::text, 8, '0'), '{}', '{}', '', false, now() - interval '1 year'
FROM generate_series(%(first)s, %(last)s) i
"""
_IDENTITIES = """
INSERT INTO crm_identity (id, tenant_id, contact_id, kind, value, address)
SELECT gen_random_uuid(), tenant_id, id, 'phone', phone, phone FROM crm_contact
WHERE tenant_id = %(tenant)s AND phone BETWEEN '519' || lpad(%(first)s::text, 8, '0') AND '519' || lpad(%(last)s::text, 8, '0')
"""
# What the triggers would have kept, with the same functions; where they are on, this finds everything there.
_WORDS = """
INSERT INTO crm_contactword (tenant_id, word, contact_id, origin)
SELECT DISTINCT c.tenant_id, word COLLATE "C", c.id, c.id
FROM crm_contact c, crm_words_of_contact(c.name || ' ' || c.profile_name || ' ' || c.username, c.email, c.labels) AS word
WHERE c.tenant_id = %(tenant)s AND phone BETWEEN '519' || lpad(%(first)s::text, 8, '0') AND '519' || lpad(%(last)s::text, 8, '0')
UNION ALL
SELECT i.tenant_id, word COLLATE "C", i.contact_id, i.id
FROM crm_contact c JOIN crm_identity i ON i.contact_id = c.id, crm_words_of_phone(i.address, i.value) AS word
WHERE c.tenant_id = %(tenant)s AND phone BETWEEN '519' || lpad(%(first)s::text, 8, '0') AND '519' || lpad(%(last)s::text, 8, '0')
ON CONFLICT DO NOTHING
"""
_SEEN = """
UPDATE crm_contact c SET seen_at = t.last_inbound_at FROM crm_conversation t
WHERE t.contact_id = c.id AND c.tenant_id = %(tenant)s
  AND phone BETWEEN '519' || lpad(%(first)s::text, 8, '0') AND '519' || lpad(%(last)s::text, 8, '0')
"""
# A busy company's year: most is closed, a tenth is open, one in thirty waits. Three quarters of those that wait have an
# open window. Half of it is in sales, Ana's queue; every fifth that is open is hers.
_CONVERSATIONS = """
INSERT INTO crm_conversation (id, tenant_id, contact_id, number_id, queue_id, assignee_id, status, unread_count,
                              last_message_id, last_message_at, last_inbound_at, waiting_since, window_expires_at)
SELECT md5('conversation' || i)::uuid, %(tenant)s, md5('contact' || i)::uuid, %(number)s,
       CASE WHEN i %% 100 = 7 THEN %(triage)s WHEN hashint4(i) %% 2 = 0 THEN %(sales)s ELSE %(support)s END,
       CASE WHEN hashint4(i) %% 5 = 0 AND state <> 'closed' THEN %(ana)s END,
       CASE WHEN state IN ('waiting', 'answered') THEN 'open' ELSE state END,
       CASE WHEN state = 'waiting' THEN 1 + i %% 4 ELSE 0 END,
       md5('message' || i || '.' || %(messages)s)::uuid, at, at, CASE WHEN state = 'waiting' THEN at END,
       at + interval '24 hours'
FROM (
    SELECT i, CASE WHEN i %% 30 = 1 THEN 'waiting' WHEN i %% 10 = 2 THEN 'answered' WHEN i %% 100 = 3 THEN 'snoozed'
                   WHEN i %% 100 = 4 THEN 'pending' ELSE 'closed' END AS state,
           now() - (CASE WHEN i %% 40 = 1 THEN interval '20 hours' ELSE interval '1 year' END)
                   * ((hashint8(i)::bigint + 2147483648) / 4294967296.0) AS at
    FROM generate_series(%(first)s, %(last)s) i
) c
"""
_MESSAGES = """
INSERT INTO crm_message (id, tenant_id, conversation_id, number_id, direction, source, type, text, payload,
    provider_message_id, quoted_message_id, sent_at, status, error_reason, error_detail, priority, attempt, resent,
    template_category, pricing_category, pricing_type, cost_currency, country)
SELECT md5('message' || i || '.' || m)::uuid, %(tenant)s, md5('conversation' || i)::uuid, %(number)s,
       CASE WHEN m %% 2 = %(messages)s %% 2 THEN 'inbound' ELSE 'outbound' END,
       CASE WHEN m %% 2 = %(messages)s %% 2 THEN 'customer' ELSE 'agent' END, 'text',
       (%(texts)s::bytea[])[1 + (i + m) %% 20], (%(payloads)s::bytea[])[1 + (i + m) %% 20],
       'wamid.past.' || i || '.' || m, '', c.last_message_at - (%(messages)s - m) * interval '7 minutes',
       CASE WHEN m %% 2 = %(messages)s %% 2 THEN 'received' ELSE 'read' END, '', '', 0, 0, false, '', '', '', '', ''
FROM generate_series(%(first)s, %(last)s) i, generate_series(1, %(messages)s) m,
     LATERAL (SELECT last_message_at FROM crm_conversation WHERE id = md5('conversation' || i)::uuid) c
"""
_PAGE = 10_000


def populate(stage: Stage, company: Company, *, first: int = 1, last: int, messages: int, say: Any = None) -> None:
    """Give the company conversations number `first` to `last`, with so many messages each."""
    with stage.owner() as owner:
        owner.execute("SET session_replication_role = replica")
        write(owner.execute, company, first=first, last=last, messages=messages, say=say)
        _analyse(owner)


def write(execute: Any, company: Company, *, first: int, last: int, messages: int, say: Any = None) -> None:
    """The same through any connection that may write the company's rows. Two companies take numbers of their own."""
    texts = [f"Mensaje {i}: ¿tienen el modelo de cuero en la talla {35 + i}? Gracias." for i in range(20)]
    values = _sealed(company, texts) | {"messages": messages}
    for start in range(first, last + 1, _PAGE):
        page = values | {"first": start, "last": min(start + _PAGE - 1, last)}
        for statement in (_CONTACTS, _IDENTITIES, _WORDS, _CONVERSATIONS, _SEEN, *([_MESSAGES] if messages else [])):
            execute(statement, page)
        if say and page["last"] % 50_000 == 0:
            say(f"{page['last']:,} conversations written")


_QUEUE = """
INSERT INTO crm_message (id, tenant_id, conversation_id, number_id, direction, source, type, text, payload, client_id,
    quoted_message_id, sent_at, status, next_attempt_at, error_reason, error_detail, priority, attempt, resent,
    template_category, pricing_category, pricing_type, cost_currency, country, provider_message_id, accepted_at)
SELECT uuidv7(), tenant_id, id, number_id, 'outbound', 'sequence', 'text', (%(texts)s::bytea[])[1],
       (%(payloads)s::bytea[])[1], gen_random_uuid(), '', now(), %(status)s,
       CASE WHEN %(status)s = 'queued' THEN now() END, '', '', 2, 0, false, '', '', '', '', '',
       CASE WHEN %(status)s = 'accepted' THEN 'wamid.out.' || row_number() OVER (ORDER BY id) END,
       CASE WHEN %(status)s = 'accepted' THEN now() END
FROM crm_conversation WHERE tenant_id = %(tenant)s ORDER BY id LIMIT %(count)s
"""


def write_campaign(stage: Stage, company: Company, *, count: int, status: str = "queued") -> None:
    """One outbound message in each of the first `count` conversations; accepted ones are `wamid.out.1` and on."""
    with stage.owner() as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(_QUEUE, _sealed(company, ["Su pedido está en camino."]) | {"count": count, "status": status})
        _analyse(owner)


def _sealed(company: Company, texts: list[str]) -> dict[str, Any]:
    tenant_id = company.tenant.pk
    text, payload = Message._meta.get_field("text"), Message._meta.get_field("payload")
    return {
        "tenant": tenant_id,
        "number": company.number.pk,
        "sales": company.sales.pk,
        "support": company.support.pk,
        "triage": company.triage.pk,
        "ana": company.ana.pk,
        "texts": [bytes(text.sealed(each, tenant_id=tenant_id)) for each in texts],  # type: ignore[union-attr]
        "payloads": [bytes(payload.sealed({"body": each}, tenant_id=tenant_id)) for each in texts],  # type: ignore[union-attr]
    }


def _analyse(owner: psycopg.Connection[Any]) -> None:
    for table in ("crm_contact", "crm_identity", "crm_contactword", "crm_conversation", "crm_message"):
        owner.execute(f"VACUUM ANALYZE {table}")
