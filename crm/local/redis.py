"""Redis in a folder of ours, for this machine only."""

import signal
import socket

from crm.local.processes import dying_with_us
from crm.local.secrets import secret
from crm.local.server import Server, binary, make_private


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
        make_private(self.data_dir)
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
        return [*dying_with_us(), str(binary("redis-server")), "redis.conf"]
