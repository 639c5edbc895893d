"""Real PostgreSQL, acting as the restricted role; a cast of two companies that must never see each other."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections

from tests.cast import Company, found_company
from tests.emptying import empty_everything
from tests.plugin import servers
from tests.serving import serving


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker) -> Iterator[None]:
    """Migrate the run's own database once, as the owner role; tests then act as crm_app."""
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0, interactive=False)
        yield
        connections.close_all()


@pytest.fixture
def committed(django_db_setup, django_db_blocker) -> Iterator[None]:
    """For what really commits (other processes, threads, several connections): everything is emptied afterwards."""
    with django_db_blocker.unblock():
        try:
            yield
        finally:
            connections.close_all()
            empty_everything(servers.database_url)
            cache.clear()


@pytest.fixture(scope="session")
def server(django_db_setup) -> Iterator[str]:
    """A running server for tests that commit; its URL. It has caches of its own: do not change settings under it."""
    with serving() as url:
        yield url


@pytest.fixture
def ours(db) -> Company:
    """Our company: number, queues, people. Its transaction must be opened by the test (`with ours.transaction():`)."""
    return found_company("ours", number_id="100000000000001")


@pytest.fixture
def theirs(db) -> Company:
    """The other company, full of things that must never show."""
    return found_company("theirs", number_id="200000000000001")


@pytest.fixture(autouse=True)
def _quick_passwords(settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True, scope="session")
def _restricted_role(django_db_setup, django_db_blocker) -> None:
    """A suite that ran as superuser would prove nothing."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("crm_app", False, False), settings.DATABASES["default"]["OPTIONS"]["options"]
