"""Several at the same moment, each with a connection of its own."""

import threading
from collections.abc import Callable

from django.db import connections


def at_once(*acts: Callable[[], object], seconds: float = 60) -> list[object]:
    """Run each on a thread with a connection of its own; what they answered, in order. Raises what they raised."""
    answers: list[object] = [None] * len(acts)
    start = threading.Barrier(len(acts))

    def run(place: int) -> None:
        try:
            start.wait(10)
            answers[place] = acts[place]()
        except Exception as error:
            answers[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
