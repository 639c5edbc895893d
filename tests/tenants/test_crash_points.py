"""A place to die: where a test asked for it, on a local machine, and nowhere else."""

import os
import subprocess
import sys

import pytest

PASSES_THREE_TIMES = """
from tenants.crash_points import crash_point
for n in range(3):
    print(n, flush=True)
    crash_point("here")
"""


@pytest.mark.parametrize(
    ("environment", "passed"),
    [
        ({}, 3),
        ({"CRASH_AT": "elsewhere", "LOCAL": "1"}, 3),
        ({"CRASH_AT": "here"}, 3),
        ({"CRASH_AT": "here", "LOCAL": "0"}, 3),
        ({"CRASH_AT": "here", "LOCAL": "1"}, 1),
        ({"CRASH_AT": "here:2", "LOCAL": "1"}, 2),
    ],
)
def test_it_dies_at_the_nth_passing_of_the_place_that_was_named(environment, passed):
    others = {name: value for name, value in os.environ.items() if name not in {"LOCAL", "CRASH_AT"}}
    process = subprocess.run(
        [sys.executable, "-c", PASSES_THREE_TIMES],
        env=others | environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.stdout.split() == [str(n) for n in range(passed)]
    assert process.returncode == (0 if passed == 3 else -9)
