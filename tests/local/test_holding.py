import time

import pytest

from crm.local.processes import wait_for_end
from tests.local.conftest import kill, living

HOLD = """
import os, socket, sys, time
from crm import local
local.set_local_environment()
local.attach_or_start()
urls = os.environ["DATABASE_URL"], os.environ["REDIS_URL"]
print(*urls, flush=True)
time.sleep(float(sys.argv[1]))
for url in urls:
    if "127.0.0.1" in url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
"""


@pytest.fixture
def hold(python):
    """A command that uses the servers for some seconds, and fails where they do not answer at its end."""
    return lambda seconds=0, **environment: python("-c", HOLD, str(seconds), **environment)


def test_one_command_starts_the_servers_and_leaves_nothing(hold, checkout):
    command = hold()

    assert command.wait() == 0
    assert living(checkout) == []


def test_commands_side_by_side_share_the_servers_to_the_last(hold, checkout):
    commands = [hold(seconds) for seconds in (0, 0.5, 1, 2)]

    said = {command.stdout.readline() for command in commands}
    assert [command.wait() for command in commands] == [0, 0, 0, 0]
    assert len(said) == 1
    assert living(checkout) == []


def test_commands_in_a_row_find_the_servers_or_start_them(hold):
    commands = []
    for _ in range(8):
        commands.append(hold())
        time.sleep(0.15)  # so that one starts while another stops

    assert [command.wait() for command in commands] == [0] * 8


def test_a_killed_command_does_not_count(hold, checkout):
    command = hold(600)
    command.stdout.readline()
    command.kill()
    command.wait()

    assert ended(living(checkout))


def test_a_killed_command_does_not_take_the_servers_from_another(hold):
    killed, other = hold(600), hold(2)
    killed.stdout.readline()
    other.stdout.readline()
    killed.kill()

    assert other.wait() == 0


def test_after_kill_9_of_everything_the_next_command_works(hold, checkout):
    hold(600).stdout.readline()
    kill(living(checkout))

    assert hold().wait() == 0
    assert ended(living(checkout))


def test_a_crashed_server_comes_back_under_the_same_address(hold, checkout):
    command = hold(4)
    command.stdout.readline()
    kill(process for process in living(checkout) if process.info["name"] in {"postgres", "redis-server"})

    assert command.wait() == 0


def test_servers_given_by_the_environment_are_left_alone(hold, checkout):
    command = hold(DATABASE_URL="postgresql://elsewhere/db", REDIS_URL="redis://elsewhere/0")

    assert command.stdout.readline() == "postgresql://elsewhere/db redis://elsewhere/0\n"
    assert not (checkout / ".local" / "postgres").exists()


def test_only_the_missing_server_is_started(hold, checkout):
    command = hold(DATABASE_URL="postgresql://elsewhere/db")

    assert command.stdout.readline().startswith("postgresql://elsewhere/db redis://:")
    assert command.wait() == 0
    assert not (checkout / ".local" / "postgres").exists()


def test_production_gets_no_secrets_and_no_servers(hold, checkout):
    production = hold(SECRET_KEY="given")

    assert production.wait() != 0
    assert "KeyError: 'DATABASE_URL'" in production.stdout.read()
    assert not (checkout / ".local").exists()


def test_local_secrets_stay_the_same_and_what_is_given_wins(python):
    show = "from crm import local; import os; local.set_local_environment(); print(os.environ['ENCRYPTION_KEYS'], os.environ['PORT'])"

    first, second = python("-c", show).communicate()[0], python("-c", show, PORT="9000").communicate()[0]

    assert first.split()[0] == second.split()[0]
    assert (first.split()[1], second.split()[1]) == ("8000", "9000")


def ended(processes):
    return wait_for_end(processes, patience_s=10) == []
