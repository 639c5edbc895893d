"""For whom the present transaction works: one tenant, or the system.

The tenant is a property of the **transaction**, never of the connection, so a pooled connection cannot carry one
tenant's context to the next. Row-level security reads the same setting; see `tenants.rls`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

APP_ROLE = "crm_app"
SYSTEM_ROLE = "crm_system"


class NoTenant(RuntimeError):
    """A tenant-owned table was asked for outside `tenant_transaction()` or `system_transaction()`."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows are visible. `identity` is the phase before a tenant is chosen: only one's own memberships."""

    tenant_id: UUID | None = None
    user_id: UUID | None = None
    token_hash: str = ""
    is_system: bool = False


_scope: ContextVar[Scope | None] = ContextVar("tenant_scope", default=None)


def current_scope() -> Scope | None:
    return _scope.get()


def current_tenant_id() -> UUID:
    """The tenant of the present transaction. Raises NoTenant when there is none."""
    scope = _scope.get()
    if scope is None or scope.tenant_id is None:
        raise NoTenant("Open tenant_transaction(tenant_id) first; the system scope has no tenant of its own.")
    return scope.tenant_id


def tenant_transaction(tenant_id: UUID, *, user_id: UUID | None = None):
    """BEGIN, and show this tenant's rows alone until COMMIT. Keep it short: never across an HTTP call."""
    return _transaction(Scope(tenant_id=UUID(str(tenant_id)), user_id=user_id))


def system_transaction():
    """BEGIN as `crm_system`, which sees every tenant: for intake, drain, sweeps and the platform operator only."""
    return _transaction(Scope(is_system=True))


def identity_transaction(*, user_id: UUID | None = None, token_hash: str = ""):
    """BEGIN with only the person's own memberships visible, to find out which tenant they may enter."""
    return _transaction(Scope(user_id=user_id, token_hash=token_hash))


@contextmanager
def _transaction(scope: Scope) -> Iterator[Scope]:
    outer = _scope.get()
    nested = connection.in_atomic_block
    token = _scope.set(scope)
    try:
        with transaction.atomic():
            _tell_database(scope)
            yield scope
            # A savepoint that is released keeps SET LOCAL in force (PostgreSQL docs, SET): put the outer scope back.
            # After an error the rollback to the savepoint has restored it already.
            if nested and not connection.needs_rollback:
                _tell_database(outer or Scope())
    finally:
        _scope.reset(token)


def _tell_database(scope: Scope) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('app.tenant_id', %s, true), set_config('app.user_id', %s, true),"
            " set_config('app.token_hash', %s, true), set_config('role', %s, true)",
            [
                str(scope.tenant_id or ""),
                str(scope.user_id or ""),
                scope.token_hash,
                SYSTEM_ROLE if scope.is_system else APP_ROLE,
            ],
        )
