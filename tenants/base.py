"""What every tenant-owned table has in common."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.expressions import Expression
from uuid_utils.compat import uuid7

from tenants.context import NoTenant, current_scope


class InScope(Expression):
    """True for rows of the present transaction's tenant (all rows in the system scope).

    Read when the SQL is made, not when the queryset is, so that a queryset built at import time (a form field) is
    harmless and one *run* without a tenant raises NoTenant, whatever method runs it.
    """

    conditional = True

    def __init__(self, column: models.F | Expression) -> None:
        super().__init__(output_field=models.BooleanField())
        self.column = column

    def get_source_expressions(self) -> list[Any]:
        return [self.column]

    def set_source_expressions(self, expressions: Any) -> None:
        (self.column,) = expressions

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        scope = current_scope()
        if scope is None:
            raise NoTenant("This table belongs to tenants: open tenant_transaction(tenant_id) first.")
        if scope.is_system:
            return "TRUE", []
        if scope.tenant_id is None:
            raise NoTenant("No tenant has been chosen yet: only one's own memberships may be read here.")
        column, parameters = compiler.compile(self.column)
        return f"{column} = %s", [*parameters, scope.tenant_id]


@models.UUIDField.register_lookup
class AnyOf(models.Lookup):
    """`pk__any_of=ids`: as `__in`, with the list as one parameter, which PostgreSQL reads and plans many times faster."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", [*parameters, list(self.rhs)]


class TenantManager(models.Manager):
    """Only the present tenant's rows, and NoTenant when there is none. Row-level security stands behind it."""

    column = "tenant_id"

    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().filter(InScope(models.F(self.column)))


class TenantForeignKey(models.ForeignKey):
    """A reference within the tenant. The database keeps it by the model's `TenantReference`, not by `id` alone.

    No index by default: most are served by one that begins with the same column and says which query it is for.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"db_index": False} | kwargs | {"db_constraint": False})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        # Django leaves out what is its own default, which is not ours: the index would never be made.
        return name, path, args, kwargs | ({"db_index": True} if self.db_index else {})  # type: ignore[attr-defined]


class TenantModel(models.Model):
    """A row that belongs to one tenant. Subclasses name their `Fence` and one `TenantReference` per foreign key."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Not indexed alone: "all of a tenant" is never the query, and PostgreSQL would take such an index for others.
    tenant = models.ForeignKey(
        "tenants.Tenant", on_delete=models.CASCADE, related_name="+", editable=False, db_index=False
    )

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
