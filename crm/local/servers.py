"""PostgreSQL and Redis out of their wheels, as one thing to start and stop."""

from pathlib import Path

from crm.local.postgres import Postgres
from crm.local.redis import Redis


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
