"""A busy number may not take every thread, and what was turned away is never forgotten."""

from uuid import uuid4

from crm.outbound.crew import Crew

NUMBER, OTHER = uuid4(), uuid4()


def test_only_so_many_work_on_one_number():
    crew = Crew(most=2)

    assert [crew.join(NUMBER) for _ in range(3)] == [True, True, False]
    assert crew.join(OTHER)


def test_the_last_to_leave_rings_for_who_was_turned_away():
    crew = Crew(most=2)
    for _ in range(3):
        crew.join(NUMBER)

    assert not crew.leave(NUMBER, is_done=True)
    assert crew.leave(NUMBER, is_done=True)


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
