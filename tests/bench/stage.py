"""The system under measurement: its own PostgreSQL and Redis with fsync on, and processes as the Procfile starts them."""

import os
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from crm.local import Servers, set_local_environment
from crm.local.processes import free_port, stop
from crm.local.supervisor import Child

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN_S = 60


class Stage:
    """`with Stage() as stage:` gives a migrated, empty database and Django set up on it. Ends all it started."""

    def __init__(self) -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="ventana-bench-"))
        self.port = free_port()
        os.environ.update(
            {
                "DJANGO_SETTINGS_MODULE": "crm.settings",
                "DATA_DIR": str(self.data_dir),
                "LOCAL": "1",
                "PORT": str(self.port),
                "LOG_LEVEL": "ERROR",
                "META_APP_SECRET": "local-app-secret",
                "GRAPH_API_URL": "http://127.0.0.1:9",  # a measurement that sends starts its own simulator
                "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]),
            }
        )
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "BASE_URL"):
            os.environ.pop(name, None)
        set_local_environment()
        self.servers = Servers(data_dir=self.data_dir, durable=True)

    def __enter__(self) -> "Stage":
        self.servers.start()
        os.environ |= {"DATABASE_URL": self.servers.database_url, "REDIS_URL": self.servers.redis_url}
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        return self

    def __exit__(self, *_: object) -> None:
        from django.db import connections

        connections.close_all()
        self.servers.stop()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def empty(self) -> None:
        """Truncate every table but those that migrations fill, and forget what Redis knows."""
        import redis

        with self.owner() as owner:
            tables = owner.execute(
                "SELECT string_agg(format('%I', tablename), ', ') FROM pg_tables WHERE schemaname = 'public'"
                " AND tablename NOT IN ('django_migrations', 'django_content_type', 'auth_permission')"
            ).fetchone()
            owner.execute(f"TRUNCATE {tables[0]} RESTART IDENTITY CASCADE")
            owner.execute("CHECKPOINT")
        redis.Redis.from_url(self.servers.redis_url).flushall()

    def owner(self) -> psycopg.Connection[Any]:
        """A connection as the login that owns the tables, which row-level security does not hold; for set-up alone."""
        return psycopg.connect(self.servers.database_url, autocommit=True, cursor_factory=psycopg.ClientCursor)

    @contextmanager
    def web(self, application: str = "crm.asgi:application", **environment: Any) -> Iterator[Child]:
        """One granian process, as the Procfile starts it, answering on `port`."""
        command = _procfile()["web"].replace("crm.asgi:application", application)
        with _running("web", command, environment) as child:
            wait_until(self._answers, child=child)
            yield child

    @contextmanager
    def worker(self, **environment: Any) -> Iterator[Child]:
        """One worker process that takes bells."""
        from crm import bells
        from tenants import counters

        with _running("worker", _procfile()["worker"], environment) as child:
            began = time.time()

            def is_at_work() -> bool:
                bells.ring_sweep()
                time.sleep(0.2)
                return (counters.last_seen("worker") or 0) > began

            wait_until(is_at_work, child=child)
            yield child

    @contextmanager
    def beat(self) -> Iterator[Child]:
        with _running("beat", _procfile()["beat"], {}) as child:
            yield child

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2):
                return True
        except urllib.error.HTTPError:
            return True  # a baseline has no such page; it answers, that is all
        except OSError:
            return False


def wait_until(holds: Callable[[], Any], *, child: Child | None = None, seconds: float = STARTS_WITHIN_S) -> Any:
    """What `holds` answers, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        if child and child.process.poll() is not None:
            raise RuntimeError(child.explain_its_end())
        if time.monotonic() > deadline:
            raise RuntimeError("It did not happen in time.", *(child.last_lines if child else ()))
        time.sleep(0.02)
    return answer


@contextmanager
def _running(name: str, command: str, environment: dict[str, Any]) -> Iterator[Child]:
    exports = "".join(f"export {key}='{value}'; " for key, value in environment.items())
    child = Child(name=name, command=f"{exports}exec {command}", is_quiet=True)
    try:
        yield child
    finally:
        family = []
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(child.process.pid)
            family = [root, *root.children(recursive=True)]
        stop(family[:1], by=signal.SIGTERM)
        stop(family[1:], by=signal.SIGKILL)
        child.wait()


def _procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}
