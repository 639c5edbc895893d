"""Behind pgbouncer in transaction mode every transaction sees its own company, whoever had the connection before."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from crm.local.processes import dying_with_us, free_port
from crm.models import Contact
from tests.cast import found_company
from tests.faults import report
from tests.plugin import servers
from tests.whatsapp.doors import BODY, client_of, close, post, rows
from whatsapp import intake
from whatsapp.intake import Intake

ROOT = Path(__file__).resolve().parents[2]
LOGIN, PASSWORD = "pooled_app", "pooled"
_LOGIN = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{LOGIN}') THEN
        CREATE ROLE {LOGIN} LOGIN PASSWORD '{PASSWORD}' IN ROLE crm_app, crm_system;
    END IF;
END $$;
ALTER ROLE {LOGIN} SET role = 'crm_app';
"""


@pytest.fixture
def pooler() -> Iterator[str]:
    """pgbouncer with two connections; the address to connect to. PGBOUNCER, or Debian's package."""
    program = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail("This needs pgbouncer: install Debian's package `pgbouncer`, or set PGBOUNCER to its path.")
    server, port = urlsplit(servers.database_url), free_port()
    with psycopg.connect(servers.database_url, autocommit=True) as owner:
        owner.execute(_LOGIN)
    with tempfile.TemporaryDirectory(prefix="ventana-pooler-") as folder:
        os.chmod(folder, 0o755)  # root gives up being root
        configuration = Path(folder) / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\n* = host={server.hostname} port={server.port} user={LOGIN} password={PASSWORD}\n"
            "[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 2\nauth_type = any\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nignore_startup_parameters = options, extra_float_digits\n"
            + ("user = nobody\n" if os.geteuid() == 0 else "")
        )
        process = subprocess.Popen(
            [*dying_with_us(), program, "-q", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        address = f"postgres://anybody:x@127.0.0.1:{port}{server.path}"
        try:
            _wait_for(address)
            yield address
        finally:
            process.kill()
            process.wait()


def _wait_for(address: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            with psycopg.connect(address, connect_timeout=2, prepare_threshold=None) as connection:
                connection.execute("SELECT 1")
            return
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@pytest.fixture
def tenants(committed: None) -> list[str]:
    """Two companies with two contacts each, named after them."""
    found = []
    for slug, number in (("ours", "100000000000001"), ("theirs", "200000000000001")):
        company = found_company(slug, number_id=number)
        with company.transaction():
            for _ in range(2):
                Contact.objects.create(tenant=company.tenant, name=f"of {company.tenant.pk}")
        found.append(str(company.tenant.pk))
    return found


def work(address: str, how: str, tenants: list[str], *, rounds: int = 60) -> dict:
    result = subprocess.run(
        [sys.executable, "-m", "tests.isolation.pooled", how, *tenants], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "crm.settings", "DATABASE_POOL_SIZE": "8",
             "POOLED_ROUNDS": str(rounds)},
        timeout=1800, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


def test_two_companies_share_two_connections_and_see_nothing_of_each_other(pooler: str, tenants: list[str]):
    found = work(pooler, "as-it-is", tenants)
    assert (found["leaks"], found["count"]) == ([], 0)
    assert found["transactions"] > 900


@pytest.mark.nightly
def test_a_hundred_thousand_transactions_see_nothing_of_each_other(pooler: str, tenants: list[str]):
    began = time.monotonic()
    found = work(pooler, "as-it-is", tenants, rounds=5_750)
    report.note(
        "G16",
        "behind pgbouncer, two connections for eight threads of two companies; a fifth of the transactions fail",
        f"{found['transactions']:,} transactions in {time.monotonic() - began:.0f} s",
        f"**{found['count']} saw a row that was not theirs**",
    )
    assert found["leaks"] == []
    assert found["transactions"] >= 100_000


async def test_the_intake_commits_through_it_too(pooler: str, committed: None, monkeypatch: pytest.MonkeyPatch):
    """Three doors on two connections: whatever one of them leaves on a connection, the next one meets."""
    monkeypatch.setattr(intake, "_parameters", lambda: {"conninfo": pooler})
    doors = [Intake(ring=lambda: None) for _ in range(3)]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client_of(door)) for door in doors]
        for _ in range(12):
            answers = await asyncio.gather(*(post(client, BODY) for client in clients))
            assert [answer.status_code for answer in answers] == [200, 200, 200]
        for door in doors:
            await close(door)
    assert len(await rows()) == 36


def test_it_would_see_a_company_that_stays_behind_on_a_connection(pooler: str, tenants: list[str]):
    assert work(pooler, "careless", tenants)["count"] > 0
