"""The suite can fail: with a promise switched off it reports what that promise is there for."""

from tests.faults import report
from tests.faults.counting import BACKLOG, count_messages, count_sends
from tests.faults.dying import DIED, PEOPLE, die
from tests.faults.killing import beats, web_slots, worker_slots
from tests.faults.sender import Meta, answers, post, texts
from tests.faults.stage import Stage, new_port, simulator, wait_until

KEY = "crm_message_provider_id_key"


def test_without_the_unique_key_duplicates_are_seen(stage: Stage):
    port = new_port()
    (definition,) = stage.sql("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", KEY)
    stage.sql(f"ALTER TABLE crm_message DROP CONSTRAINT {KEY}")
    try:
        with (
            stage.zygote() as zygote,
            web_slots(zygote, [port]),
            worker_slots(zygote, 1, without=["unique-key"]),
            beats(zygote),
        ):
            zygote.call("tests.faults.people:found")
            webhooks = texts(50, people=PEOPLE)
            with Meta([port]) as meta:
                meta.deliver(webhooks + webhooks)
                wait_until(lambda: not meta.waiting)
            # Two of one batch are one in any case; so they come in two.
            wait_until(lambda: stage.one(BACKLOG) == 0)
            with Meta([port]) as again:
                again.deliver(webhooks)
                wait_until(lambda: not again.waiting)
            wait_until(lambda: stage.one(BACKLOG) == 0)
        lost, doubled = count_messages(stage, meta.history.acknowledged)
    finally:
        stage.empty()
        stage.sql(f"ALTER TABLE crm_message ADD CONSTRAINT {KEY} {definition[0]}")

    _note("the unique key of messages", "50 webhooks, three times each", f"{lost} lost, **{doubled} double**")
    assert doubled >= 50


def test_without_the_commit_before_the_200_losses_are_seen(stage: Stage):
    port, times = new_port(), 5
    webhooks = texts(times, people=PEOPLE)
    with stage.zygote() as zygote:
        zygote.call("tests.faults.people:found")
        acknowledged = {}
        for wamid, body in webhooks:
            dying = zygote.start("web", PORT=port, CRASH_AT="intake.before-commit", without=["commit-before-200"])
            wait_until(lambda: answers(port))
            if post(port, body) == 200:
                acknowledged[wamid] = body
            wait_until(lambda pid=dying: not zygote.is_alive(pid))
        zygote.call("tests.faults.people:drain")
        lost, doubled = count_messages(stage, acknowledged)

    _note(
        "the commit before the 200",
        f"{times} kills",
        f"**{lost} lost** of {len(acknowledged)} answered 200, {doubled} double",
    )
    assert lost >= 1


def test_without_the_lease_doubles_are_seen(stage: Stage):
    """At least once, as most queues are: whose sender died is sent again at once."""
    times = 3
    with (
        simulator(app_port=9, withhold_statuses=True) as whatsapp,
        stage.zygote(GRAPH_API_URL=whatsapp.url, SEND_LEASE_SECONDS=1) as zygote,
    ):
        company = zygote.call("tests.faults.people:found", pace=1000)
        zygote.call("tests.faults.people:talk", people=PEOPLE)
        for n in range(times):
            zygote.call("tests.faults.people:compose", tenant=company["tenant"], count=1, first=n)
            assert die(zygote, "tests.faults.people:dispatch", "dispatch.after-post", **company) == DIED
        wait_until(lambda: not stage.one("SELECT count(*) FROM crm_message WHERE lease_expires_at > now()"), seconds=10)
        zygote.call("tests.faults.people:reconcile", without=["lease"])
        zygote.call("tests.faults.people:dispatch", **company)
        never, doubled, _ = count_sends(stage, whatsapp)

    _note(
        "the lease that ends as unknown", f"{times} kills of a sender", f"{never} never sent, **{doubled} sent twice**"
    )
    assert doubled == times


def _note(promise: str, scale: str, found: str) -> None:
    report.note("proof", f"switched off: {promise}", scale, found)
