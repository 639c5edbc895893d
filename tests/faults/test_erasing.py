"""People are erased by workers that are killed, while webhooks with what they said keep coming."""

import random

import pytest

from tests import meta
from tests.faults import report
from tests.faults.counting import BACKLOG, count_messages
from tests.faults.killing import Killer, beats, web_slots, worker_slots
from tests.faults.people import phone
from tests.faults.sender import Meta
from tests.faults.stage import NUMBER, Stage, new_port, wait_until

WORD = "canario"  # in everything of those who are erased


@pytest.mark.nightly
def test_nothing_is_left_of_who_is_erased_and_everything_of_the_others(stage: Stage, scale):
    """F24 without the restore: what is old is not heard, whenever it comes and whoever dies over it."""
    people, each, kills = scale(8, 60), scale(12, 60), scale(4, 60)
    gone, stay = range(people // 2), range(people // 2, people)
    of_gone, of_others = _webhooks(gone, each, word=WORD), _webhooks(stay, each, word="mensaje")
    before, meanwhile = _parted([*of_gone, *of_others])
    port = new_port()
    with stage.zygote() as zygote:
        tenant = zygote.call("tests.faults.people:found")["tenant"]
        with (
            web_slots(zygote, [port]),
            worker_slots(zygote) as workers,
            beats(zygote, erase=0.5, sweep=0.5),
            Meta([port]) as sender,
        ):
            sender.deliver(before)
            wait_until(lambda: not sender.waiting and stage.one(BACKLOG) == 0)
            assert traces(stage, zygote, gone) != []  # it would see them
            sender.rate = len(meanwhile) / scale(3, 30)
            sender.deliver(meanwhile)
            with Killer(workers, life_s=(0.1, 0.9), most=kills) as killer:
                for person in gone:
                    zygote.call("tests.faults.people:erase", tenant=tenant, person=person)
                wait_until(lambda: killer.is_done and not sender.waiting, seconds=600)
            wait_until(lambda: stage.one(BACKLOG) == 0)
            wait_until(lambda: stage.one("SELECT count(*) FROM crm_erasure WHERE done_at IS NULL") == 0)

        left = traces(stage, zygote, gone)
        erased = stage.one("SELECT count(*) FROM crm_erasure")
        lost, doubled = count_messages(stage, dict(of_others))
        report.note(
            "F24",
            "kill -9 of workers that erase people, whose old messages keep coming",
            f"{len(gone)} of {people} people, {each} messages of each; {killer.kills} workers killed",
            f"**{len(left)} traces of the erased; of the others {lost} lost, {doubled} double**",
        )
        assert killer.kills >= kills
        assert (left, erased) == ([], len(gone))
        assert (lost, doubled) == (0, 0)

        replayed = zygote.call("tests.faults.people:replay_everything")
        assert (replayed["rows"], replayed["failed"]) == (0, [])
        assert traces(stage, zygote, gone) == []


def traces(stage: Stage, zygote, people: range) -> list[str]:
    """Which words and phones of theirs are anywhere in the database, in the clear or sealed, and in which table."""
    canaries = [WORD, *(phone(person) for person in people)]
    tables = stage.sql("SELECT format('%s', c.oid::regclass) FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")  # fmt: skip
    found = set()
    for (table,) in tables:
        rows = "\n".join(row for (row,) in stage.sql(f"SELECT t::text FROM {table} t"))
        found |= {f"{table}: {canary}" for canary in canaries if canary in rows}
    return sorted(found) + zygote.call("tests.faults.people:sealed_with", words=canaries)


def _webhooks(people: range, each: int, *, word: str) -> list[tuple[str, bytes]]:
    """What each said an hour ago, with the word in their name and in every message."""
    said, hour_ago = [], meta.now() - 3600
    for person in people:
        for n in range(each):
            wamid = f"wamid.{word}.{person}.{n}"
            text = meta.text(wamid=wamid, wa_id=phone(person), at=hour_ago + n, body=f"{word} {n}")
            value = meta.messages(text, number_id=NUMBER, contacts=[meta.contact(phone(person), f"{word} {person}")])
            said.append((wamid, meta.body(value)))
    return said


def _parted(webhooks: list[tuple[str, bytes]]) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """(the first half, the other one), shuffled."""
    random.shuffle(webhooks)
    return webhooks[: len(webhooks) // 2], webhooks[len(webhooks) // 2 :]
