"""F10: statuses in every order, repeated, in any batches, before the id is known, and merged by several at once."""

from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from crm import outbound
from crm.models import Contact, Conversation, Message
from crm.references import reference
from tenants.context import system_transaction
from tests.crm.inbound import tellings
from tests.faults import report
from tests.faults.counting import count_sends
from tests.faults.killing import Killer, beats, web_slots, worker_slots
from tests.faults.stage import Stage, new_port, simulator, wait_until


@pytest.fixture
def conversation(ours):
    with ours.transaction():
        contact = Contact.objects.create(tenant=ours.tenant, phone="51900555014")
        return Conversation.objects.create(tenant=ours.tenant, contact=contact, number=ours.number, queue=ours.sales)


@pytest.mark.django_db
def test_every_telling_of_the_same_ends_in_the_same_row(scale, conversation):
    """The orders, repetitions and batches are hypothesis's; known by id, by our reference, or only afterwards."""
    examples = scale(60, 2_000)
    ways = {"by id": 0, "by reference": 0, "parked": 0}

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(told=tellings.two_tellings())
    def tell_twice(told):
        facts, *both = told
        way = min(ways, key=lambda one: ways[one])
        ways[way] += 1
        ends = [_tell(conversation, telling, way) for telling in both]
        tellings.agreed(ends, [word for word, *_ in facts])

    tell_twice()
    report.note("F10", "statuses in two random orders, repetitions and batches", f"{sum(ways.values()):,} pairs",
                "**the same row each time**")  # fmt: skip


def _tell(talk, telling: list, way: str) -> tuple:
    wamid = f"wamid.{uuid4()}"
    known = {"provider_message_id": wamid} if way == "by id" else {"status": "unknown", "provider_message_id": None, "accepted_at": None}  # fmt: skip
    (message,) = tellings.outgoing(talk, **known)
    mark = {"biz_opaque_callback_data": reference(message.pk, 1)} if way == "by reference" else {}
    for batch in telling:
        tellings.merge(tellings.tell(batch, wamid, **mark))
    if way == "parked":
        with system_transaction():
            Message.objects.filter(pk=message.pk).update(provider_message_id=wamid, status="accepted")
        outbound.reconcile()
    return tellings.row(message)


@pytest.mark.nightly
def test_shuffled_and_doubled_statuses_that_beat_the_answer(stage: Stage, scale):
    """WhatsApp reports, twice and in the wrong order, before it answers the request itself; workers are killed meanwhile."""
    count, kills, port = scale(150, 1_500), scale(3, 30), new_port()
    early = {"delay_ms": [100, 400], "status_delay": [0, 0.3], "reorder": True, "duplicate": 2, "batch": 5}
    with (
        simulator(app_port=port, **early) as whatsapp,
        stage.zygote(GRAPH_API_URL=whatsapp.url, SEND_LEASE_SECONDS=3) as zygote,
    ):
        company = zygote.call("tests.faults.people:found", pace=200)
        zygote.call("tests.faults.people:talk", people=count // 3)
        with web_slots(zygote, [port]), worker_slots(zygote) as workers, beats(zygote, reconcile=1):
            zygote.call("tests.faults.people:compose", wait=False, tenant=company["tenant"], count=count)
            with Killer(workers, life_s=(0.3, 1.2), most=kills) as killer:
                wait_until(lambda: killer.is_done, seconds=300)
            wait_until(lambda: len(whatsapp.ledger()) + stage.one(_IN_DOUBT) >= count, seconds=120)
            wait_until(lambda: stage.one(_READ) + stage.one(_IN_DOUBT) == count, seconds=60)
        never, doubled, _ = count_sends(stage, whatsapp)
        states = dict(stage.sql("SELECT status, count(*) FROM crm_message WHERE direction = 'outbound' GROUP BY 1"))
        unmatched = stage.one("SELECT count(*) FROM crm_unmatchedstatus")

    report.note(
        "F10",
        "statuses shuffled, doubled and before the answer to the request, workers killed",
        f"{count:,} sends, {killer.kills} kills",
        f"**{states.get('read', 0):,} of the {count - never:,} that went out are read, {unmatched} statuses unmatched**;"
        f" {never} not sent and shown as of unknown outcome; {doubled} sent twice",
    )
    assert states.get("read", 0) == count - never
    assert states.get("unknown", 0) == never
    assert (unmatched, doubled) == (0, 0)


_READ = "SELECT count(*) FROM crm_message WHERE direction = 'outbound' AND status = 'read'"
_IN_DOUBT = "SELECT count(*) FROM crm_message WHERE direction = 'outbound' AND status = 'unknown'"
