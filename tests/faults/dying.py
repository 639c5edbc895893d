"""A process that dies at a point of its own."""

from tests.faults.stage import Zygote

PEOPLE = 5
DIED = -9


def die(zygote: Zygote, function: str, point: str, **arguments: str) -> int:
    """Run a function in a process that dies there; how it ended."""
    pid = zygote.call(function, wait=False, environment={"CRASH_AT": point}, **arguments)
    return zygote.wait(pid)
