"""PostgreSQL in a folder of ours, for this machine only."""

import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

from crm.local.processes import CannotStart, owned_by_server_user, run_to_the_end, unprivileged, working_in
from crm.local.secrets import secret
from crm.local.server import POSTGRES_VERSION, Server, binary, make_private


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
        make_private(self.data_dir)
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
        initdb: list[str | Path] = [binary("initdb"), "-D", draft, "-U", "postgres", "--encoding=UTF8", "--locale=C"]
        initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        initdb += [] if self.durable else ["--no-sync"]
        self._run(initdb)
        (draft / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        password = secret("database_password", data_dir=self.data_dir)
        statements = f"ALTER ROLE postgres PASSWORD '{password}';\nCREATE DATABASE ventana;\n"
        self._run([binary("postgres"), "--single", "-D", draft, "template1"], said=statements)
        draft.rename(self.folder)

    def _check_version(self) -> None:
        version = (self.folder / "PG_VERSION").read_text().strip()
        if version != POSTGRES_VERSION:
            raise CannotStart(
                f"{self.folder} was made by PostgreSQL {version}; this is {POSTGRES_VERSION}. Bring the data over with "
                "pg_dump, or remove the folder to begin anew."
            )

    def _run(self, command: Sequence[str | Path], *, said: str = "") -> None:
        result = run_to_the_end([*unprivileged(binary("postgres"), folder=self.data_dir), *command], said=said)
        if result.returncode:
            raise CannotStart(f"PostgreSQL could not make its files in {self.folder}: {result.stderr.strip()}")

    def _command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",  # their paths may be 107 bytes long; a checkout's may be longer
            "max_connections": 100,
            "shared_buffers": "256MB",
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
        if self.durable:
            # No disk of today turns: an index is worth it far earlier than by default.
            options["random_page_cost"] = 1.1
            # Writers do not wait for a full buffer, nor for a checkpoint in the midst of a burst, after which every page
            # is written whole once more.
            options |= {"wal_buffers": "32MB", "max_wal_size": "1GB"}
        else:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "512MB"}
            # What one test left must not decide how another one's statement is planned: nobody counts by themselves.
            options["autovacuum_analyze_threshold"] = 2_000_000_000
        program = binary("postgres")
        words = [*unprivileged(program, folder=self.data_dir), str(program), "-D", str(self.folder)]
        return words + [f"--{option}={value}" for option, value in options.items()]
