"""Finding the conversations in which a word was said: the search itself, with few and with many messages of one company."""

import time
from collections.abc import Iterator

from crm import searching
from tests.bench import crowd
from tests.bench.load import percentile
from tests.bench.options import Options
from tests.bench.report import Figure, milliseconds
from tests.bench.stage import Stage
from tests.cast import Company, found_company

NUMBER = "900000000000003"
MESSAGES = 10
HOLD = 0.05
_WORDS = """
INSERT INTO crm_messageword (tenant_id, token, message_id, conversation_id)
SELECT m.tenant_id, w.token, m.id, m.conversation_id
FROM crm_message m JOIN unnest(%(texts)s::bytea[], %(tokens)s::bigint[]) AS w (text, token) ON w.text = m.text
WHERE m.tenant_id = %(tenant)s ON CONFLICT DO NOTHING
"""


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """A common word, which every message has, a rarer one, and both together; then taking words from new messages."""
    company = found_company("searching", number_id=NUMBER)
    many = min(options.conversations, 2_000) if options.quick else min(options.conversations, 100_000)
    crowd.populate(stage, company, last=many, messages=MESSAGES, say=options.say)
    options.say("taking the words of a sample")
    rate = _index_rate(stage, company)
    _index_all(stage, company)
    for what, words in (("a word of every message", "gracias"), ("a rarer word", "37"), ("two words", "talla 41")):
        latencies = []
        for _ in range(10 if options.quick else 60):
            with company.transaction():
                began = time.perf_counter()
                found = searching.find(words)
                latencies.append(time.perf_counter() - began)
        half, late = percentile(latencies, 0.5), percentile(latencies, 0.95)
        if not found:
            raise RuntimeError(f"{words} was not found.")
        about = f"{what} among {many * MESSAGES:,} messages, p50 · p95"
        yield Figure(about, f"{milliseconds(half)} · {milliseconds(late)}", f"p50 ≤ {milliseconds(HOLD)}", half <= HOLD)
    yield Figure("messages whose words are taken, one process", f"{rate:,.0f}/s")


def _index_rate(stage: Stage, company: Company) -> float:
    pages = 2
    looked, began = 0, time.perf_counter()
    for _ in range(pages):
        count, _done = searching._index_page(searching.datetime.now(searching.UTC))
        looked += count
    return looked / (time.perf_counter() - began)


def _index_all(stage: Stage, company: Company) -> None:
    """As the background does it, by one statement: the texts are twenty, so their words are known."""
    with stage.owner() as owner:
        rows = owner.execute(
            "SELECT DISTINCT text FROM crm_message WHERE tenant_id = %s", [company.tenant.pk]
        ).fetchall()
        known = [(bytes(row[0]), token) for row in rows for token in _tokens(bytes(row[0]), company)]
        owner.execute("SET session_replication_role = replica")
        values = {"texts": [text for text, _ in known], "tokens": [token for _, token in known]}
        owner.execute(_WORDS, values | {"tenant": company.tenant.pk})
        owner.execute("VACUUM ANALYZE crm_messageword")


def _tokens(sealed: bytes, company: Company) -> list[int]:
    purpose = searching.Message._meta.get_field("text").purpose  # type: ignore[union-attr]
    said = searching.unseal(sealed, purpose=purpose, tenant_id=company.tenant.pk).decode()
    return searching.tokens_of(said, tenant_id=company.tenant.pk)
