"""The fence: row-level security, its roles, and the foreign keys that cannot leave a tenant.

`Fence` and `TenantReference` are model constraints, so `makemigrations` tracks them and the migration that creates a
table also fences it. Roles: `crm_owner` owns the tables and migrates; `crm_app` is what every connection acts as;
`crm_system` sees all tenants and is entered for one transaction at a time.
"""

from typing import Any

import psycopg
from django.db import models
from psycopg import sql

TENANT = "NULLIF((SELECT current_setting('app.tenant_id', true)), '')::uuid"
OWNER_ROLE = "crm_owner"
USER = "NULLIF((SELECT current_setting('app.user_id', true)), '')::uuid"
TOKEN_HASH = "NULLIF((SELECT current_setting('app.token_hash', true)), '')"  # noqa: S105


class _SchemaConstraint(models.BaseConstraint):
    """A constraint that is only SQL: nothing for Django to validate in Python."""

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = "default") -> None:
        """The database is the only judge: row security and foreign keys are checked by the statement itself."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.deconstruct() == other.deconstruct()

    __hash__ = models.BaseConstraint.__hash__


class Fence(_SchemaConstraint):
    """Row security on the table: a tenant sees its own rows, the system all, no tenant none.

    `column` names the tenant (on Tenant itself, `id`). `also` is an extra SELECT condition (SQL) for rows a person may
    see before a tenant is chosen; `accepts` one for rows that may be inserted without being readable (the intake).
    `condition` replaces the usual one (identity tables, which are open while no tenant is set).
    `writable` False makes the table append-only for the application.
    """

    def __init__(
        self,
        *,
        name: str,
        column: str = "tenant_id",
        condition: str = "",
        also: str = "",
        accepts: str = "",
        referenced: bool = True,
        writable: bool = True,
    ) -> None:
        super().__init__(name=name)
        self.column, self.condition, self.also, self.accepts = column, condition, also, accepts
        self.referenced, self.writable = referenced, writable

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        kwargs |= {
            key: getattr(self, key)
            for key, default in (
                ("column", "tenant_id"),
                ("condition", ""),
                ("also", ""),
                ("accepts", ""),
                ("referenced", True),
                ("writable", True),
            )
            if getattr(self, key) != default
        }
        return path, args, kwargs

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """Inside CREATE TABLE: the key that composite references point at; the policies follow the table."""
        schema_editor.deferred_sql.extend(self._statements(model))
        return self._unique_sql() if self._needs_key(model) else None

    def create_sql(self, model: Any, schema_editor: Any) -> str:
        table = model._meta.db_table
        key = [f'ALTER TABLE "{table}" ADD {self._unique_sql()}'] if self._needs_key(model) else []
        return "; ".join(key + self._statements(model))

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        table = model._meta.db_table
        return "; ".join(
            [
                f'DROP POLICY IF EXISTS {policy} ON "{table}"'
                for policy in ("tenant", "own", "intake", "system", "owner")
            ]
            + [f'ALTER TABLE "{table}" DROP CONSTRAINT IF EXISTS "{self.name}_key"']
        )

    def _needs_key(self, model: type[models.Model]) -> bool:
        return self.referenced and self.column == "tenant_id"

    def _unique_sql(self) -> str:
        return f'CONSTRAINT "{self.name}_key" UNIQUE (tenant_id, id)'

    def _statements(self, model: type[models.Model]) -> list[str]:
        table = f'"{model._meta.db_table}"'
        mine = self.condition or f"{self.column} = {TENANT}"
        statements = [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant ON {table} TO crm_app USING ({mine}) WITH CHECK ({mine})",
            f"CREATE POLICY system ON {table} TO crm_system USING (true) WITH CHECK (true)",
            # Migrations act as the owner; FORCE would show them nothing and call a bad constraint valid.
            f"CREATE POLICY owner ON {table} TO crm_owner USING (true) WITH CHECK (true)",
        ]
        if self.also:
            statements.append(f"CREATE POLICY own ON {table} FOR SELECT TO crm_app USING ({self.also})")
        if self.accepts:
            statements.append(f"CREATE POLICY intake ON {table} FOR INSERT TO crm_app WITH CHECK ({self.accepts})")
        if not self.writable:
            statements.append(f"REVOKE UPDATE, DELETE ON {table} FROM crm_app, crm_system")
        return statements


class TenantReference(_SchemaConstraint):
    """`(tenant_id, <field>_id) → (tenant_id, id)`: row security does not check foreign keys, this does."""

    def __init__(self, field: str, *, name: str) -> None:
        super().__init__(name=name)
        self.field = field

    def deconstruct(self):
        path, args, kwargs = super().deconstruct()
        return path, (self.field, *args), kwargs

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        self.create_sql(model, schema_editor)

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        """At the end of the migration, when the key it points at exists even if the tables refer to each other."""
        field: Any = model._meta.get_field(self.field)
        target = field.related_model._meta.db_table
        schema_editor.deferred_sql.append(
            f'ALTER TABLE "{model._meta.db_table}" ADD CONSTRAINT "{self.name}"'
            f' FOREIGN KEY (tenant_id, "{field.column}") REFERENCES "{target}" (tenant_id, id)'
            " DEFERRABLE INITIALLY DEFERRED"
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        return f'ALTER TABLE "{model._meta.db_table}" DROP CONSTRAINT IF EXISTS "{self.name}"'


class CannotPrepareRoles(RuntimeError):
    """The login may not create the roles, and they are not there; the text is the SQL a database administrator runs."""


ROLES_SQL = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crm_owner') THEN CREATE ROLE crm_owner NOLOGIN; END IF;
  -- NOINHERIT: the policies of crm_system must apply only after SET ROLE, never by mere membership.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crm_app') THEN CREATE ROLE crm_app NOLOGIN NOINHERIT; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crm_system') THEN CREATE ROLE crm_system NOLOGIN; END IF;
END $$;
GRANT crm_system TO crm_app;
GRANT crm_owner, crm_app, crm_system TO CURRENT_USER;
"""

GRANTS_SQL = """
GRANT USAGE, CREATE ON SCHEMA public TO crm_owner;
GRANT USAGE ON SCHEMA public TO crm_app, crm_system;
ALTER DEFAULT PRIVILEGES FOR ROLE crm_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO crm_app, crm_system;
ALTER DEFAULT PRIVILEGES FOR ROLE crm_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO crm_app, crm_system;
"""


def prepare_roles(connection_parameters: dict[str, Any]) -> None:
    """Create the three roles and their grants if they are missing; running it again changes nothing.

    Roles belong to the whole PostgreSQL server, grants to this database. Raises CannotPrepareRoles with the SQL to run
    when the login is not allowed to.
    """
    with psycopg.connect(**connection_parameters, autocommit=True) as connection:
        try:
            # Two processes that prepare at once would both see the role missing.
            connection.execute("SELECT pg_advisory_lock(4201)")
            connection.execute(ROLES_SQL)
            connection.execute(GRANTS_SQL)
        except psycopg.errors.InsufficientPrivilege as error:
            if not _are_ready(connection):
                raise CannotPrepareRoles(
                    "This login may not create the database roles. Ask a database administrator to run:\n"
                    + (ROLES_SQL + GRANTS_SQL).replace("CURRENT_USER", _login(connection))
                ) from error


def _are_ready(connection: psycopg.Connection) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM pg_roles WHERE rolname IN ('crm_owner', 'crm_app', 'crm_system')"
        " AND pg_has_role(session_user, oid, 'MEMBER')"
    ).fetchone()
    return row is not None and row[0] == 3


def _login(connection: psycopg.Connection) -> str:
    row = connection.execute("SELECT session_user").fetchone()
    assert row is not None
    return sql.Identifier(row[0]).as_string(connection)
