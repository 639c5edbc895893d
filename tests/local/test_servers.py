import os
import signal
import socket
import stat
import time

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from crm.local import CannotStart, Servers, server
from crm.local.processes import wait_for_end
from crm.local.redis import Redis
from tests.local.conftest import living


@pytest.fixture
def data_dir(checkout):
    return checkout / ".local"


def test_data_is_there_after_a_restart(data_dir):
    with Servers(data_dir=data_dir) as servers:
        remember(servers, "hello")

    with Servers(data_dir=data_dir) as servers:
        assert remembered(servers) == ("hello", b"hello")


def test_a_stop_leaves_no_process(data_dir, checkout):
    with Servers(data_dir=data_dir, durable=False):
        assert living(checkout)

    assert living(checkout) == []


def test_one_that_is_asked_to_end_while_it_starts_a_server_knows_the_server(data_dir, checkout, monkeypatch):
    """Between the start of a process and the moment that we know it, nothing may get in between."""
    start, before = server.subprocess.Popen, signal.getsignal(signal.SIGTERM)

    def asked_meanwhile(*arguments, **options):
        process = start(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        return process

    def end(*_):
        raise SystemExit

    monkeypatch.setattr(server.subprocess, "Popen", asked_meanwhile)
    redis_server = Redis(data_dir=data_dir)
    signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(SystemExit):
            redis_server.start()
    finally:
        signal.signal(signal.SIGTERM, before)
    redis_server.stop()
    assert living(checkout) == []


def test_committed_rows_survive_a_killed_server(data_dir):
    servers = Servers(data_dir=data_dir)
    servers.start()
    remember(servers, "hello")
    servers.postgres.process.kill()

    with Servers(data_dir=data_dir) as servers:
        assert remembered(servers)[0] == "hello"


def test_a_server_of_an_earlier_run_is_stopped_first(data_dir):
    earlier = Servers(data_dir=data_dir, durable=False)
    earlier.start()

    with Servers(data_dir=data_dir, durable=False) as servers:
        assert servers.postgres.answers() and servers.redis.answers()
        assert earlier.postgres.has_ended() and earlier.redis.has_ended()


def test_a_stale_pid_file_with_the_pid_of_another_process_is_no_obstacle(data_dir):
    with Servers(data_dir=data_dir, durable=False) as servers:
        pid_file = servers.postgres.folder / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]))

    with Servers(data_dir=data_dir, durable=False) as servers:
        assert servers.postgres.answers()


def test_a_creation_that_was_cut_short_begins_anew(data_dir):
    (data_dir / "postgres.new" / "base").mkdir(parents=True)

    with Servers(data_dir=data_dir, durable=False) as servers:
        assert servers.postgres.answers()


def test_a_port_taken_meanwhile_is_chosen_anew(data_dir):
    with Servers(data_dir=data_dir, durable=False) as servers:
        port = servers.redis.port
    occupier = socket.create_server(("127.0.0.1", port))

    with occupier, Servers(data_dir=data_dir, durable=False) as servers:
        assert servers.redis.port != port


def test_nobody_gets_in_without_the_password(data_dir):
    with Servers(data_dir=data_dir, durable=False) as servers:
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host="127.0.0.1", port=servers.postgres.port, user="postgres", dbname="ventana")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=servers.redis.port, retry=Retry(NoBackoff(), 0)).ping()


def test_secrets_are_for_their_owner_only(data_dir):
    with Servers(data_dir=data_dir, durable=False):
        pass

    for name in ("secrets.json", "redis/redis.conf"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600


def test_a_server_that_cannot_start_says_why(data_dir):
    with Servers(data_dir=data_dir, durable=False) as servers:
        (servers.postgres.folder / "PG_VERSION").write_text("9.6\n")

    with pytest.raises(CannotStart, match=r"9\.6"):
        servers.start()

    assert not servers.redis.answers()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can reach into a folder closed to others")
def test_root_can_start_in_a_folder_only_root_may_enter(data_dir, checkout):
    checkout.chmod(0o700)

    with Servers(data_dir=data_dir, durable=False) as servers:
        assert servers.postgres.answers()


def test_the_servers_end_with_a_killed_owner(python, checkout):
    owner = python("-c", START_AND_WAIT)
    assert owner.stdout.readline() == "started\n"
    owner.send_signal(signal.SIGKILL)

    assert wait_for_end(living(checkout), patience_s=10) == []


START_AND_WAIT = """
import time
from pathlib import Path
from crm.local import Servers
with Servers(data_dir=Path(".local").absolute(), durable=False):
    print("started", flush=True)
    time.sleep(60)
"""


def remember(servers, text):
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE memory AS SELECT %s AS text", [text])
    redis.Redis.from_url(servers.redis_url).set("memory", text)


def remembered(servers):
    with psycopg.connect(servers.database_url) as connection:
        (text,) = connection.execute("SELECT text FROM memory").fetchone()
    return text, redis.Redis.from_url(servers.redis_url).get("memory")
