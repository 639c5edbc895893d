"""Sends while the senders are killed and WhatsApp drops, forgets and delays: none left out, none twice."""

from tests.faults import report
from tests.faults.counting import count_sends
from tests.faults.killing import Killer, beats, web_slots, worker_slots
from tests.faults.sender import Meta, texts
from tests.faults.stage import Stage, new_port, simulator, wait_until

UNKNOWN = "SELECT count(*) FROM crm_message WHERE direction = 'outbound' AND status = 'unknown'"


def test_nothing_is_left_out_and_nothing_sent_twice_while_senders_are_killed(stage: Stage, scale):
    """F6. The grace is longer than the latest status, as the real ten minutes are."""
    count, kills, people = scale(240, 3_000), scale(6, 100), scale(60, 300)
    late, grace, lease = scale((0, 1.5), (0, 12)), scale(4, 18), scale(2, 3)
    port = new_port()
    trouble = {"delay_ms": [20, 120], "drop": 0.01, "drop_with": "reset", "answer_lost": 0.02, "status_delay": late}
    with (
        simulator(app_port=port, **trouble) as whatsapp,
        stage.zygote(GRAPH_API_URL=whatsapp.url, SEND_GRACE_SECONDS=grace, SEND_LEASE_SECONDS=lease) as zygote,
    ):
        company = zygote.call("tests.faults.people:found")
        zygote.call("tests.faults.people:talk", people=people)
        with web_slots(zygote, [port]), worker_slots(zygote) as workers, beats(zygote, reconcile=1):
            # A resend needs proof that our intake works: the customers go on writing.
            with Meta([port], rate=5, threads=1) as customers:
                customers.deliver(texts(5_000, people=people))
                writing = zygote.call("tests.faults.people:compose", wait=False, tenant=company["tenant"], count=count)
                with Killer(workers, life_s=(0.05, 0.6), most=kills) as killer:
                    wait_until(lambda: killer.is_done, seconds=600)
                wait_until(lambda: not zygote.is_alive(writing), seconds=scale(120, 600))
                _wait_for_the_grace(stage, grace=grace, late=late[1])
                shown = stage.one(UNKNOWN)
                never, doubled, _ = count_sends(stage, whatsapp)
                assert doubled == 0
                assert never <= shown, "a message that never went out is not shown as one of unknown outcome"

                # What was hit a second time is for a person, who has it sent again.
                zygote.call("tests.faults.people:decide_shown", tenant=company["tenant"])
                _wait_for_the_grace(stage, grace=grace, late=late[1])
            never, doubled, resent = count_sends(stage, whatsapp)
            left = stage.one(UNKNOWN)
        report.note(
            "F6",
            f"kill -9 of senders; 1 % cut before acceptance, 2 % accepted with the answer lost, statuses {late[0]}–{late[1]} s"
            f" late, grace {grace} s",
            f"{count:,} sends, {killer.kills} kills",
            f"**{never} never sent, {doubled} sent twice**; {resent} resent after the grace, {shown} shown to a person as of"
            f" unknown outcome and resent by them, {left} of those again unknown and shown",
        )
        assert doubled == 0
        assert never <= left
        assert killer.kills >= kills


def _wait_for_the_grace(stage: Stage, *, grace: float, late: float) -> None:
    """Until every message of unknown outcome has had its statuses and its resend, and nothing is under way."""
    may_go = (
        "SELECT count(*) FROM crm_message WHERE direction = 'outbound' AND (status IN ('queued', 'sending')"
        " OR status = 'unknown' AND (NOT resent OR unknown_at > now() - make_interval(secs => %s)))"
    )
    wait_until(lambda: stage.one(may_go, float(late + 3)) == 0, seconds=4 * grace + 60, every=0.2)
