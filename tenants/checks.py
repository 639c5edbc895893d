"""Refuse to serve when the fence is not up, or when history could be turned off without a trace."""

from typing import Any

from django.apps import apps
from django.core.checks import Error, Tags, register
from django.db import connections

from tenants.audit.guarding import is_guarded
from tenants.context import APP_ROLE
from tenants.rls import Fence

_ROLE = "SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
_OPEN = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY(%s) AND NOT row_security_active(c.oid)
"""


def fenced_tables() -> list[str]:
    """Every table whose model declares a Fence."""
    return [
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if any(isinstance(constraint, Fence) for constraint in model._meta.constraints)
    ]


@register(Tags.database)
def check_row_security(app_configs: Any = None, databases: Any = None, **kwargs: Any) -> list[Error]:
    """The connected role must be filtered on every fenced table that exists."""
    errors = []
    for alias in databases or []:
        with connections[alias].cursor() as cursor:
            cursor.execute(_ROLE)
            role, unfiltered = cursor.fetchone()
            if role != APP_ROLE or unfiltered:
                errors.append(
                    Error(
                        f"The database connection acts as “{role}”, which row-level security does not hold.",
                        hint=f"Let DATABASE_URL log in as {APP_ROLE}, or as a login that is a member of it.",
                        id="tenants.E001",
                    )
                )
            cursor.execute(_OPEN, [fenced_tables()])
            errors += [
                Error(f"Row-level security is not active on table {table}.", hint="Run migrate.", id="tenants.E002")
                for (table,) in cursor.fetchall()
            ]
    return errors


@register(Tags.database)
def check_history(app_configs: Any = None, databases: Any = None, **kwargs: Any) -> list[Error]:
    """The connected role must not be able to change rows without leaving history; see `tenants.audit.guarding`."""
    errors = []
    for alias in databases or []:
        with connections[alias].cursor() as cursor:
            if not is_guarded(cursor):
                errors.append(
                    Error(
                        "The application could turn off the history of changes.",
                        hint="Run migrate to its end.",
                        id="tenants.E003",
                    )
                )
    return errors
