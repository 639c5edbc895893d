"""F18: three beats at once, one of them killed every few seconds: what is due happens once."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.load import percentile
from tests.faults import report
from tests.faults.killing import beats, worker_slots
from tests.faults.stage import Stage, Zygote, simulator, wait_until
from whatsapp.simulator.process import Simulator


@dataclass(frozen=True, slots=True)
class Scene:
    stage: Stage
    zygote: Zygote
    whatsapp: Simulator
    tenant: str


@dataclass(frozen=True, slots=True)
class Work:
    """Something that falls due: `plan` writes so many over (least, most) seconds; `fired` says how late each was, by name.

    A name that comes twice was done twice.
    """

    name: str
    plan: Callable[[Scene, int, float, float], None]
    fired: Callable[[Scene], list[tuple[str, float]]]


def _plan_sends(scene: Scene, count: int, least: float, most: float) -> None:
    scene.zygote.call("tests.faults.people:compose", tenant=scene.tenant, count=count, after_s=3600)
    scene.stage.sql(
        """
        CREATE TABLE planned AS
        SELECT id, now() + make_interval(secs => %s + (%s - %s) * row_number() OVER (ORDER BY id) / %s) AS at
        FROM crm_message WHERE direction = 'outbound'
        """,
        least, most, least, float(count),
    )  # fmt: skip
    scene.stage.sql("UPDATE crm_message m SET next_attempt_at = planned.at FROM planned WHERE planned.id = m.id")


def _sent(scene: Scene) -> list[tuple[str, float]]:
    due = {str(id_): at for id_, at in scene.stage.sql("SELECT id, extract(epoch FROM at)::float8 FROM planned")}
    accepted = [
        ((entry["biz_opaque_callback_data"] or "").partition(".")[0], entry["at"])
        for entry in scene.whatsapp.ledger()
        if entry["text"] != "Paso"
    ]
    return [(name, _moment(at) - due[name]) for name, at in accepted]


def _plan_snoozes(scene: Scene, count: int, least: float, most: float) -> None:
    scene.zygote.call("tests.faults.people:snooze", tenant=scene.tenant, count=count, least_s=least, most_s=most)


def _woken(scene: Scene) -> list[tuple[str, float]]:
    return scene.stage.sql(
        """
        SELECT woken.conversation_id::text, extract(epoch FROM woken.at - (put.facts ->> 'until')::timestamptz)::float8
        FROM crm_activity woken JOIN crm_activity put ON put.conversation_id = woken.conversation_id AND put.kind = 'snoozed'
        WHERE woken.kind = 'woken'
        """
    )


def _plan_steps(scene: Scene, count: int, least: float, most: float) -> None:
    scene.zygote.call("tests.faults.people:enroll", tenant=scene.tenant, count=count)
    scene.stage.sql(
        """
        UPDATE sequences_enrollment e SET due_at = now() + make_interval(secs => %s + (%s - %s) * place.n / %s)
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM sequences_enrollment) AS place WHERE place.id = e.id
        """,
        least, most, least, float(count),
    )  # fmt: skip
    scene.stage.sql(
        """
        CREATE TABLE planned_steps AS SELECT contact.phone, e.due_at FROM sequences_enrollment e
        JOIN crm_conversation c ON c.id = e.conversation_id JOIN crm_contact contact ON contact.id = c.contact_id
        """
    )


def _stepped(scene: Scene) -> list[tuple[str, float]]:
    due = dict(scene.stage.sql("SELECT phone, extract(epoch FROM due_at)::float8 FROM planned_steps"))
    sent = [(entry["to"], entry["at"]) for entry in scene.whatsapp.ledger() if entry["text"] == "Paso"]
    return [(phone, _moment(at) - due[phone]) for phone, at in sent]


# Another kind of work that falls due belongs here: how to plan it, and who can tell how often each was done.
WORKS = [
    Work("deferred sends", _plan_sends, _sent),
    Work("snoozed conversations", _plan_snoozes, _woken),
    Work("steps of a sequence", _plan_steps, _stepped),
]


def test_three_schedulers_do_each_thing_once(stage: Stage, scale):
    count, seconds, every = scale(80, 1_000), scale(4, 60), scale(2, 10)
    with (
        simulator(app_port=9, withhold_statuses=True) as whatsapp,
        stage.zygote(GRAPH_API_URL=whatsapp.url) as zygote,
    ):
        company = zygote.call("tests.faults.people:found", pace=1000)
        scene = Scene(stage, zygote, whatsapp, company["tenant"])
        zygote.call("tests.faults.people:talk", people=count)
        with worker_slots(zygote, 2), beats(zygote, 3, **{"wake-snoozed": 2, "run-sequences": 2}) as schedulers:
            for work in WORKS:
                work.plan(scene, count, 5, 5 + seconds)
            kills, until = 0, time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(every * random.uniform(0.8, 1.2))
                victim = schedulers[kills % 3]  # there is no leader: each leads in its turn
                kills += victim.kill()
                victim.restart()
            for work in WORKS:
                wait_until(lambda work=work: len(work.fired(scene)) >= count, seconds=90)
            time.sleep(3)  # whatever would come a second time
        fired = {work.name: work.fired(scene) for work in WORKS}

    for name, times in fired.items():
        done = Counter(thing for thing, _ in times)
        late = [lateness for _, lateness in times]
        report.note(
            "F18",
            f"three beats at once, one killed every {every} s: {name}",
            f"{count:,} due within {seconds} s, {kills} kills",
            f"**{len(done)} done, {sum(done.values()) - len(done)} twice**; late by {percentile(late, 0.99):.1f} s (p99),"
            f" {max(late):.1f} s at most",
        )
        assert len(done) == count
        assert set(done.values()) == {1}
        assert min(late) > -0.5, "done before it was due"


def _moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
