"""A broadcast while workers are killed and WhatsApp drops and forgets: each recipient once, or shown as unknown."""

import time

from tests.faults import report
from tests.faults.counting import count_sends
from tests.faults.killing import Killer, beats, web_slots, worker_slots
from tests.faults.stage import Stage, new_port, simulator, wait_until

_STATE = "SELECT state FROM sequences_broadcast"
_WITHOUT = "SELECT count(*) FROM sequences_recipient WHERE fate <> 'sent'"
_LEFT = "SELECT count(*) FROM crm_message WHERE direction = 'outbound' AND status IN ('queued', 'sending')"
_UNKNOWN = "SELECT count(*) FROM crm_message WHERE direction = 'outbound' AND status = 'unknown'"


def test_each_recipient_gets_it_once_and_pausing_takes_effect_within_two_seconds(stage: Stage, scale):
    """Workers are killed all the while; one send in a hundred is cut off, two have their answer lost."""
    count, kills, pace = scale(120, 10_000), scale(2, 60), scale(1_500, 4_800)
    port = new_port()
    trouble = {"delay_ms": [20, 80], "drop": 0.01, "drop_with": "reset", "answer_lost": 0.02}
    with (
        simulator(app_port=port, **trouble) as whatsapp,
        stage.zygote(GRAPH_API_URL=whatsapp.url, SEND_LEASE_SECONDS=2) as zygote,
    ):
        company = zygote.call("tests.faults.people:found")
        broadcast = zygote.call("tests.faults.people:broadcast", tenant=company["tenant"], count=count, per_minute=pace)
        about = {"tenant": company["tenant"], "broadcast": broadcast}
        with web_slots(zygote, [port]), worker_slots(zygote) as workers, beats(zygote, broadcast=1):
            wait_until(lambda: len(whatsapp.ledger()) > count // 5, seconds=120)
            assert zygote.call("tests.faults.people:order", **about, do="pause")
            time.sleep(2)
            at_pause = len(whatsapp.ledger())
            time.sleep(3)
            later = len(whatsapp.ledger())
            assert zygote.call("tests.faults.people:order", **about, do="resume")
            with Killer(workers, life_s=(0.2, 1.2), most=kills) as killer:
                wait_until(lambda: killer.is_done, seconds=600)
            wait_until(lambda: stage.one(_STATE) == "done" and stage.one(_LEFT) == 0, seconds=scale(90, 600))
        never, doubled, _ = count_sends(stage, whatsapp)
        unknown, without = stage.one(_UNKNOWN), stage.one(_WITHOUT)
    report.note(
        "broadcast",
        "kill -9 of workers; 1 % cut before acceptance, 2 % accepted with the answer lost; paused in the middle",
        f"{count:,} recipients, {killer.kills} kills",
        f"**{doubled} sent twice; {never} not accepted, all of them among the {unknown} shown as of unknown outcome**;"
        f" {later - at_pause} went out later than 2 s after the pause",
    )
    assert later == at_pause
    assert (doubled, without) == (0, 0)
    assert never <= unknown
    assert at_pause < count
