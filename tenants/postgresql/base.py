import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg.types.array import ListBinaryDumper


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

    def bulk_cursor(self) -> Any:
        """A cursor whose parameters go beside the statement, in binary; see `tenants.bulk`."""
        self.ensure_connection()
        usual = self.connection.cursor_factory
        self.connection.cursor_factory = base.ServerBindingCursor
        try:
            cursor = self.cursor()
        finally:
            self.connection.cursor_factory = usual
        cursor.adapters.register_dumper(list, ListBinaryDumper)  # of this cursor alone; a list's usual one writes text
        return cursor


def _has_something_to_say(connection: Any) -> bool:
    """Whether the server has spoken on an idle connection: to say good-bye, as it has been asked nothing."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
