"""Busy work may not take every thread, and what was turned away is never forgotten."""

import queue
import threading
import time
from uuid import uuid4

from tenants.crew import Crew

NUMBER, OTHER = uuid4(), uuid4()


def test_only_so_many_work_on_one_number():
    crew = Crew(most=2)

    assert [crew.join(NUMBER) for _ in range(3)] == [True, True, False]
    assert crew.join(OTHER)


def test_one_of_those_turned_away_is_a_guest():
    crew = Crew(most=1)
    crew.join(NUMBER)

    assert [crew.seat_guest(NUMBER), crew.seat_guest(NUMBER), crew.seat_guest(OTHER)] == [True, False, True]
    crew.leave_guest(NUMBER)
    assert crew.seat_guest(NUMBER)


def test_the_last_to_leave_rings_for_who_was_turned_away():
    crew = Crew(most=2)
    for _ in range(3):
        crew.join(NUMBER)

    assert not crew.leave(NUMBER, is_done=True)
    assert crew.leave(NUMBER, is_done=True)


def test_one_that_takes_the_word_leaves_none_to_pass_on():
    crew = Crew(most=1)
    crew.join(NUMBER)
    assert not crew.takes_word(NUMBER)

    crew.join(NUMBER)

    assert not crew.takes_word(OTHER)
    assert crew.takes_word(NUMBER)
    assert not crew.takes_word(NUMBER)
    assert not crew.leave(NUMBER, is_done=True)


def test_nobody_rings_when_all_is_done():
    crew = Crew(most=2)
    crew.join(NUMBER)

    assert not crew.leave(NUMBER, is_done=True)


def test_work_left_by_one_is_passed_on_once():
    crew = Crew(most=2)
    crew.join(NUMBER)
    crew.join(NUMBER)

    assert not crew.leave(NUMBER, is_done=False)
    assert crew.leave(NUMBER, is_done=True)
    crew.join(NUMBER)
    assert not crew.leave(NUMBER, is_done=True)


def test_one_knows_whether_it_is_alone():
    crew = Crew(most=2)
    crew.join(NUMBER)
    assert not crew.has_others(NUMBER)

    crew.join(NUMBER)
    assert crew.has_others(NUMBER)


def test_one_of_those_who_rest_looks_again_when_somebody_is_turned_away():
    crew = Crew(most=2)
    woken = queue.SimpleQueue()

    def rest() -> None:
        crew.join(NUMBER)
        began = time.monotonic()
        crew.rest(NUMBER, 3.0)
        woken.put(time.monotonic() - began)

    resting = [threading.Thread(target=rest) for _ in range(2)]
    for each in resting:
        each.start()
    while crew.join(NUMBER):
        crew.leave(NUMBER, is_done=True)

    assert woken.get(timeout=10) < 2.0
    assert woken.get(timeout=10) > 2.0
    for each in resting:
        each.join()


def test_nobody_rests_longer_than_asked():
    crew = Crew(most=1)
    crew.join(NUMBER)

    crew.rest(NUMBER, 0.01)

    assert not crew.leave(NUMBER, is_done=True)
