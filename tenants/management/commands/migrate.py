from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections

from tenants.audit.guarding import guard
from tenants.rls import OWNER_ROLE, CannotPrepareRoles, prepare_roles


class Command(migrate.Command):
    """Django's migrate, acting as `crm_owner`; before it the database roles are made, after it the triggers guarded."""

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Without the database's own checks: the roles they ask for may only come into being here."""
        return {}

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        usual = connection.settings_dict
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
        try:
            connection.settings_dict = _as_login(usual)
            prepare_roles(_login_parameters(connection))
            connection.settings_dict = _as_owner(connection.settings_dict)
            super().handle(*args, **options)
            with connection.cursor() as cursor:
                guard(cursor)
        except CannotPrepareRoles as error:
            raise CommandError(str(error)) from error
        finally:
            connection.close()
            connection.settings_dict = usual


def _as_login(settings_dict: dict[str, Any]) -> dict[str, Any]:
    """The owner's login (DATABASE_OWNER_URL when given), without a role and without a pool."""
    login = {**settings_dict, **settings_dict.get("OWNER", {})}
    login["OPTIONS"] = {key: value for key, value in login["OPTIONS"].items() if key not in ("pool", "options")}
    return login


def _as_owner(settings_dict: dict[str, Any]) -> dict[str, Any]:
    return {**settings_dict, "OPTIONS": {**settings_dict["OPTIONS"], "options": f"-c role={OWNER_ROLE}"}}


def _login_parameters(connection: Any) -> dict[str, Any]:
    parameters = connection.get_connection_params()
    return {key: value for key, value in parameters.items() if key in ("dbname", "user", "password", "host", "port")}
