"""Enrollments that are due, decided and written by one worker: with ten thousand in all, and with as many as are asked."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from crm.garbage import keep_what_is_loaded
from sequences import runner
from sequences.definition import Definition, Delay, Step, Template, Unit, Variant
from sequences.models import Sequence, SequenceVersion
from tests.bench import crowd
from tests.bench.options import Options
from tests.bench.report import Figure
from tests.bench.stage import Stage
from tests.cast import Company, found_company
from whatsapp.models import Template as StoredTemplate

NUMBER = "900000000000002"
FEW, DUE = 10_000, 20_000
HOLD, FLAT = 5_000, 1.5

# Most wait for a day that is far; `due` of them are due now, spread over all.
_ENROLLMENTS = """
INSERT INTO sequences_enrollment (id, tenant_id, sequence_id, version_id, conversation_id, state, position, due_at, since,
                                  reason, was_spread, variant, created_at)
SELECT uuidv7(), tenant_id, %(sequence)s, %(version)s, id, 'active', 0,
       CASE WHEN row_number() OVER (ORDER BY id) %% %(every)s = 0 THEN now() - interval '1 minute'
            ELSE now() + interval '30 days' END,
       COALESCE(last_inbound_at, now()), '', false, row_number() OVER (ORDER BY id) / %(every)s %% 2, now()
FROM crm_conversation WHERE tenant_id = %(tenant)s AND NOT EXISTS (
    SELECT FROM sequences_enrollment e WHERE e.conversation_id = crm_conversation.id)
"""


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """The windows of nearly all are closed, so that a step is a template for half and a task for the other half."""
    company = found_company("sequences", number_id=NUMBER)
    many = min(options.conversations, 20_000) if options.quick else options.conversations
    sequence = _sequence(company)
    crowd.populate(stage, company, last=FEW, messages=2)  # an empty table is planned for as one
    with stage.owner() as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(_ENROLLMENTS, sequence | {"every": 2})
        owner.execute("VACUUM ANALYZE sequences_enrollment")
        owner.execute("CHECKPOINT")  # of what was just made; a server has one behind it
    few, _count = _rate()
    crowd.populate(stage, company, first=FEW + 1, last=many, messages=0, say=options.say)
    due = min(DUE, many // 2)
    with stage.owner() as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(_ENROLLMENTS, sequence | {"every": max((many - FEW) // due, 1)})
        owner.execute("VACUUM ANALYZE sequences_enrollment")
        owner.execute("CHECKPOINT")  # of what was just made; a server has one behind it
    rate, count = _rate()
    yield Figure(
        f"due enrollments decided and written, {count:,} of {many:,}", f"{rate:,.0f}/s", f"≥ {HOLD:,}/s", rate >= HOLD
    )
    yield Figure(f"… with {FEW:,} in all", f"{few:,.0f}/s", "flat", few <= rate * FLAT)


def _sequence(company: Company) -> dict:
    steps = (
        Step(
            "",
            variants=(
                Variant(text="Hola {name}, ¿sigue en pie?"),
                Variant(template=Template("oferta", "es", {"1": "{name}"})),
            ),
        ),
        Step("", delay=Delay(1, Unit.DAYS), variants=(Variant(text="fin"),)),
    )
    definition = Definition(steps=steps, quiet_from="00:00", quiet_to="00:00", stop_on_close=False)
    with company.transaction():
        StoredTemplate.objects.create(
            tenant=company.tenant, waba_id=company.number.waba_id, name="oferta", language="es", category="MARKETING",
            status="APPROVED", components=[{"type": "BODY", "text": "Hola {{1}}, hoy a mitad de precio."}],
        )  # fmt: skip
        sequence = Sequence.objects.create(tenant=company.tenant, name="Bench", is_active=True)
        version = SequenceVersion.objects.create(
            tenant=company.tenant, sequence=sequence, number=1, definition=definition.as_json()
        )
    return {"sequence": sequence.pk, "version": version.pk, "tenant": company.tenant.pk}


def _rate() -> tuple[float, int]:
    keep_what_is_loaded()  # as a worker does at its start
    began = time.perf_counter()
    count = runner.run_due(datetime.now(UTC))
    return count / (time.perf_counter() - began), count
