"""Connections that died in the pool are not given out."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
from django.db import connection

from tests.plugin import servers

SEVERAL = 5


def test_connections_that_were_ended_while_they_lay_in_the_pool_fail_nobody(committed):
    together = threading.Barrier(SEVERAL)
    with ThreadPoolExecutor(SEVERAL) as people:
        pids = set(people.map(lambda _: _pid(together), range(SEVERAL)))
    assert len(pids) == SEVERAL
    with psycopg.connect(servers.database_url, autocommit=True) as operator:
        operator.execute("SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) AS pid", [list(pids)])

    later = {_in_a_thread() for _ in range(SEVERAL)}

    assert not later & pids


def _pid(together: threading.Barrier | None = None) -> int:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            if together:
                together.wait(10)
            return cursor.fetchone()[0]
    finally:
        connection.close()


def _in_a_thread() -> int:
    with ThreadPoolExecutor(1) as person:
        return person.submit(_pid).result()
