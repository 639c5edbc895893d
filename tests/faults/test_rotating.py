"""A new master key while people read and the rotation is killed again and again: nothing unreadable, nothing left behind."""

import random
import time
from pathlib import Path

import pytest

from tests.faults import report
from tests.faults.stage import Stage

KEY, NEXT_KEY = 77, 78
_SEALED_WITH = """
SELECT count(*), count(*) FILTER (WHERE get_byte(text, 1) * 256 + get_byte(text, 2) = %s),
       count(*) FILTER (WHERE get_byte(payload, 1) * 256 + get_byte(payload, 2) = %s) FROM crm_message
"""


@pytest.mark.nightly
def test_a_rotation_that_is_killed_goes_on_and_nobody_reads_in_vain(stage: Stage, scale):
    count, kills = scale(4_000, 100_000), scale(3, 20)
    done = 0
    with stage.zygote() as zygote:
        tenant = zygote.call("tests.faults.people:found")["tenant"]
        zygote.call("tests.faults.people:say_much", tenant=tenant, count=count)
        stop_file = stage.data_dir / "stop-reading"
        reader = zygote.call(
            "tests.faults.people:read_on", tenant=tenant, keys=[NEXT_KEY, KEY], stop_file=str(stop_file), wait=False
        )
        for _ in range(kills):
            rotation = zygote.call("tests.faults.people:rotate", keys=[KEY], wait=False)
            time.sleep(random.uniform(0.2, 0.8))
            done += zygote.kill(rotation)
        part = stage.sql(_SEALED_WITH, KEY, KEY)[0]
        said = zygote.call("tests.faults.people:rotate", keys=[KEY])
        left = stage.sql(_SEALED_WITH, KEY, KEY)[0]
        began = time.monotonic()
        zygote.call("tests.faults.people:rotate", keys=[NEXT_KEY, KEY])
        seconds = time.monotonic() - began
        stop_file.write_text("")
        zygote.wait(reader)
        read, failed = map(int, Path(stop_file).read_text().split())
    report.note(
        "G18",
        "kill -9 of `rotate_keys`, messages read at random meanwhile",
        f"{count:,} messages, {done} kills (then {part[1]:,} of them had the new key)",
        f"**0 left with the old key; {read:,} reads, {failed} failed**; once more to another key, not killed: {seconds:.0f} s",
    )
    assert done > 0
    assert left == (count, count, count)
    assert stage.sql(_SEALED_WITH, NEXT_KEY, NEXT_KEY)[0] == (count, count, count)
    assert read > 0
    assert failed == 0
    assert f"key {KEY}:" in said
