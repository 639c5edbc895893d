import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """After PostgreSQL was restarted the pool is full of dead connections, and each would fail a page or a task.

    A server that is gone has closed its side, which a look at the socket shows without a round trip. (The pool's own check,
    CONN_HEALTH_CHECKS, costs one each time, and waits a second, two, four … between the dead ones it finds.)
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        while self.pool and _has_something_to_say(connection):
            connection.close()
            self.pool.putconn(connection)  # which replaces it
            connection = super().get_new_connection(conn_params)
        return connection


def _has_something_to_say(connection: Any) -> bool:
    """Whether the server has spoken on an idle connection: to say good-bye, as it has been asked nothing."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
