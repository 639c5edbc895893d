"""Named places at which a test has the process die, as a power cut would end it there.

`CRASH_AT=<name>` ends the process at its first passing of that place, `CRASH_AT=<name>:<n>` at the nth. Only on a local
machine (LOCAL); everywhere else, and where nothing is armed, passing one costs a comparison.
"""

import os
import signal
import threading
from collections.abc import Mapping

_at = ""
_left = 0
_lock = threading.Lock()


def arm(environment: Mapping[str, str]) -> None:
    """Take from the environment where to die; called at import, and by a test's process that was forked."""
    global _at, _left
    is_local = environment.get("LOCAL", "").lower() in {"1", "true", "yes", "on"}
    name, _, count = environment.get("CRASH_AT", "").partition(":")
    _at, _left = (name, int(count or 1)) if is_local else ("", 0)


def crash_point(name: str) -> None:
    """Die here if a test asked for it."""
    if _at and name == _at:
        _die()


def _die() -> None:
    global _left
    with _lock:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ)
