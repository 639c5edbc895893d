"""A Ventana to break: its own durable PostgreSQL and Redis, and a zygote that starts the Procfile's processes."""

import itertools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis

from crm.local import Servers
from crm.local.processes import dying_with_us, free_port, stop, working_in
from tests import migrated
from tests.emptying import empty_everything
from whatsapp.simulator.process import Simulator

ROOT = Path(__file__).resolve().parents[2]
SECRET = "local-app-secret"
NUMBER = "900000000000001"  # of none the simulator has declared, so that no limit of its own stands in the way
PATIENCE_S = 60


class Stage:
    """`with Stage() as stage:` gives a migrated, empty database. All it started ends with the block, or with us."""

    def __init__(self) -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="ventana-faults-"))
        self.servers = Servers(data_dir=self.data_dir, durable=True)
        self._plain: Zygote | None = None

    def __enter__(self) -> "Stage":
        try:
            migrated.provide(self.data_dir)
            self.servers.start()
            self._plain = Zygote(self, {})
            self._plain.call("tests.faults.people:migrate")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._plain:
            self._plain.stop()
        self.servers.stop()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    @contextmanager
    def zygote(self, **environment: Any) -> Iterator["Zygote"]:
        """Where processes come from; they all live in the environment given here, and end with the block."""
        if not environment and self._plain:
            try:
                yield self._plain
            finally:
                self._plain.end_all()
            return
        zygote = Zygote(self, {name: str(value) for name, value in environment.items()})
        try:
            yield zygote
        finally:
            zygote.stop()

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask as the login that owns the tables, which row-level security does not hold: the witness."""
        with psycopg.connect(self.servers.database_url, autocommit=True, connect_timeout=10) as owner:
            cursor = owner.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *values: Any) -> Any:
        return self.sql(statement, *values)[0][0]

    @property
    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.servers.redis_url)

    def empty(self) -> None:
        """Truncate every table that has rows but those that migrations fill, and forget what Redis knows."""
        empty_everything(self.servers.database_url)
        self.sql("DROP TABLE IF EXISTS planned, planned_steps")
        self.redis.flushall()

    def crash_postgres(self) -> None:
        """Stop it as a power cut would, and start it again. From the main thread."""
        self.stop_postgres()
        self.start_postgres()

    def stop_postgres(self) -> None:
        """As a power cut would (`immediate`)."""
        server = self.servers.postgres
        running = working_in(server.folder, name=server.program)
        postmaster = int((server.folder / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGQUIT)
        stop(running, by=signal.SIGQUIT, patience_s=10)

    def start_postgres(self) -> None:
        """From the main thread."""
        self.servers.postgres.start()

    def kill_redis(self) -> None:
        """Gone with all it knew."""
        server = self.servers.redis
        stop(working_in(server.folder, name=server.program), by=signal.SIGKILL)
        shutil.rmtree(server.folder / "appendonlydir", ignore_errors=True)

    def start_redis(self) -> None:
        """From the main thread."""
        self.servers.redis.start()


class Zygote:
    """The process of `tests.faults.zygote`, spoken to from any thread."""

    _numbers = itertools.count()

    def __init__(self, stage: Stage, environment: dict[str, str]) -> None:
        self.stage = stage
        self.folder = stage.data_dir
        self.log = self.folder / f"processes-{next(self._numbers)}.log"
        self._lock = threading.Lock()
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in {"BASE_URL", "CRASH_AT"}},
            "DATA_DIR": str(stage.data_dir),
            "LOCAL": "1",
            "DATABASE_URL": stage.servers.database_url,
            "REDIS_URL": stage.servers.redis_url,
            "DATABASE_POOL_SIZE": "10",
            "META_APP_SECRET": SECRET,
            "LOG_LEVEL": "WARNING",
            "CELERY_LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "crm.settings",
            "GRAPH_API_URL": "http://127.0.0.1:9",
            "EMAIL_URL": "memorymail://",
            **environment,
        }
        with open(self.log, "ab") as errors:
            self._process = subprocess.Popen(
                [*dying_with_us(), sys.executable, "-m", "tests.faults.zygote"],
                cwd=ROOT, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                start_new_session=True,
            )  # fmt: skip
        self._hear()

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        with self._lock:
            assert self._process.stdin and self._process.stdout
            self._process.stdin.close()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()

    def end_all(self) -> None:
        """Kill every process that was started here."""
        self._ask(do="end")

    def start(self, name: str, *, without: Sequence[str] = (), **environment: Any) -> int:
        """Start a line of the Procfile; its process group."""
        variables = self._environment | {key: str(value) for key, value in environment.items()}
        words = shlex.split(_expand(_procfile()[name], variables))
        assert words[:2] == ["python", "-m"], words
        return self._run(module=words[2:], environment=environment, without=without)

    def call(
        self,
        function: str,
        *,
        wait: bool = True,
        without: Sequence[str] = (),
        environment: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> Any:
        """Run `module:function` in a process of its own; its answer, or with `wait=False` the process."""
        result = self.folder / f"result-{next(self._numbers)}"
        pid = self._run(
            call=function, arguments=arguments, result=str(result), environment=environment or {}, without=without
        )
        if not wait:
            return pid
        wait_until(lambda: not self.is_alive(pid), seconds=300)
        if not result.exists():
            raise RuntimeError(f"{function} failed:\n{self.last_lines()}")
        return json.loads(result.read_text())

    def kill(self, pid: int, signal_: signal.Signals = signal.SIGKILL) -> bool:
        """Signal a whole process group; whether it was still there."""
        return self._ask(do="kill", pid=pid, signal=int(signal_))["killed"]

    def wait(self, pid: int) -> int:
        """How it ended: its exit status, or minus the signal's number."""
        return wait_until(lambda: self._ended(pid), seconds=60)[0]

    def _ended(self, pid: int) -> tuple[int] | None:
        status = self._ask(do="poll", pid=pid)["status"]
        return None if status is None else (status,)

    def is_alive(self, pid: int) -> bool:
        return self._ask(do="poll", pid=pid)["status"] is None

    def is_at_work(self, worker: int) -> bool:
        """Whether that worker has begun to take bells."""
        return (self.folder / f"at-work-{worker}").exists()

    def last_lines(self, count: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def _run(self, *, environment: dict[str, Any], **command: Any) -> int:
        variables = {name: str(value) for name, value in environment.items()}
        return self._ask(do="run", environment=variables, log=str(self.log), **command)["pid"]

    def _ask(self, **command: Any) -> dict[str, Any]:
        with self._lock:
            assert self._process.stdin
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The zygote ended:\n{self.last_lines()}")
        return json.loads(line)


@contextmanager
def simulator(*, app_port: int, **faults: Any) -> Iterator[Simulator]:
    """A WhatsApp that tells the product at `app_port`, and repeats quickly what was not answered with 200."""
    with Simulator(app_url=f"http://127.0.0.1:{app_port}", SIMULATOR_RETRY_S="0.2", DATA_DIR="") as running:
        running.faults(answering=False, **faults)
        yield running


def wait_until(holds: Callable[[], Any], *, seconds: float = PATIENCE_S, every: float = 0.05) -> Any:
    """What `holds` answers, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {seconds:.0f} s")
        time.sleep(every)
    return answer


def new_port() -> int:
    return free_port()


def _procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.strip() for name, _, command in (line.partition(":") for line in lines)}


def _expand(command: str, variables: dict[str, str]) -> str:
    """The shell's `${NAME:-default}`, which is all that the Procfile uses."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: variables.get(found[1]) or found[2], command)
