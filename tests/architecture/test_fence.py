"""No table of a company is without its fence: what the models declare is what the database enforces."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connection, models

from tenants.base import TenantForeignKey
from tenants.models import Tenant
from tenants.rls import Fence, TenantReference
from tests.asking import ask

pytestmark = pytest.mark.django_db

WITHOUT_FENCE = {
    "account_emailaddress": "a person's own login; people belong to several companies",
    "account_emailconfirmation": "the same",
    "auth_group": "Django's groups, which nobody uses: roles are memberships",
    "auth_group_permissions": "the same",
    "auth_permission": "names of permissions, the same for all",
    "crm_rollupprogress": "until when the hourly figures are complete: one moment, of all companies",
    "crm_searchprogress": "how far the search has taken words: one id, of all companies",
    "django_admin_log": "who did what in the admin; read by the platform's operator only",
    "django_content_type": "names of tables, the same for all",
    "django_migrations": "names of migrations",
    "django_session": "opened by an unguessable key before any company is known",
    "mfa_authenticator": "a person's own second factor",
    "pghistory_context": "who made a change, by request; the changes themselves are fenced",
    "whatsapp_rate": "Meta's price list, the same for all",
    "tenants_sealingprogress": "how far the chain has sealed each table of history: one id, of all companies",
    "tenants_user_groups": "Django's groups, which nobody uses",
    "tenants_user_user_permissions": "the same",
}
UNKEPT_REFERENCES = {
    "crm.Conversation.last_message": "set by every merge: a key would cost a lock each; row security hides a foreign row",
}
ACTS_AS_THE_OWNER = {
    "whatsapp_webhookevent_keep": "makes and drops the days' parts of a table, which is the owner's to do; reads no row",
    "forget_history": "nobody may delete history but an erasure, of its own company alone, and it writes down what went",
}
UNIQUE_ACROSS_COMPANIES = {
    "tenants_tenant": {("slug",): "names the company itself"},
    "tenants_user": {("email",): "a login is one person in all companies", ("lower(email)",): "the same"},
    "tenants_apitoken": {("key_hash",): "finds the company that a key belongs to"},
    "whatsapp_endpoint": {("key",): "the address in a webhook says which company it is"},
    "whatsapp_number": {("provider", "phone_number_id"): "routes a webhook to the one company that has the number"},
}


def fenced() -> list[type[models.Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if fence_of(model)]


def fence_of(model: type[models.Model]) -> Fence | None:
    return next((one for one in model._meta.constraints if isinstance(one, Fence)), None)


def is_history(model: type[models.Model]) -> bool:
    """Kept by triggers; it outlives what it is about."""
    return any(field.name == "pgh_id" for field in model._meta.local_fields)


def is_owned(model: type[models.Model] | None) -> bool:
    """Whether its rows belong to one company each."""
    return model is not None and any(field.name == "tenant" for field in model._meta.local_fields)


def test_every_model_with_a_company_declares_a_fence():
    unfenced = [model._meta.label for model in apps.get_models(include_auto_created=True) if is_owned(model) and not fence_of(model)]  # fmt: skip

    assert unfenced == []
    assert fence_of(Tenant)
    assert len(fenced()) > 20


def test_every_reference_between_owned_tables_stays_within_the_company():
    missing = []
    for model in fenced():
        kept = {one.field for one in model._meta.constraints if isinstance(one, TenantReference)}
        for field in model._meta.local_fields:
            if isinstance(field, models.ForeignKey) and is_owned(field.related_model):
                if field.name not in kept and not is_history(model):
                    missing.append(str(field))
                if not isinstance(field, TenantForeignKey) and field.db_constraint:
                    missing.append(f"{field} has a foreign key by id alone")
    assert set(missing) == set(UNKEPT_REFERENCES)


def test_the_database_has_each_composite_foreign_key():
    found = {
        (table, tuple(columns))
        for table, columns in ask(
            """
            SELECT c.conrelid::regclass::text, array_agg(a.attname::text ORDER BY k.place)
            FROM pg_constraint c CROSS JOIN unnest(c.conkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number
            WHERE c.contype = 'f' AND c.convalidated GROUP BY c.oid, c.conrelid
            """
        )
    }
    declared = {
        (model._meta.db_table, ("tenant_id", model._meta.get_field(one.field).column))
        for model in fenced()
        for one in model._meta.constraints
        if isinstance(one, TenantReference)
    }

    assert declared - found == set()


def test_every_fenced_table_is_enabled_forced_and_has_its_policies():
    rows = {
        table: (enabled, forced, set(policies))
        for table, enabled, forced, policies in ask(
            """
            SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
                   ARRAY(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid)
            FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
            """
        )
    }
    for model in fenced():
        fence, (enabled, forced, policies) = fence_of(model), rows[model._meta.db_table]
        extra = {"own"} if fence.also else {"intake"} if fence.accepts else set()
        assert (enabled, forced) == (True, True), model
        assert policies == {"tenant", "system", "owner"} | extra, model


def test_what_has_no_fence_is_listed_with_its_reason():
    unfenced = ask(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relrowsecurity"
        " AND relnamespace = 'public'::regnamespace"
    )

    assert {table for (table,) in unfenced} == set(WITHOUT_FENCE)


def test_policies_say_what_the_models_say():
    """Each policy for crm_app compares the company's column; nobody but crm_system and the owner sees everything."""
    for table, name, roles, rules in ask(
        "SELECT tablename::text, policyname::text, roles::text[], array_remove(ARRAY[qual, with_check], NULL)"
        " FROM pg_policies"
    ):
        for rule in rules:  # of reading, and of writing
            if rule == "true":
                assert roles in (["crm_system"], ["crm_owner"]), (table, name)
            else:
                assert roles == ["crm_app"], (table, name)
                assert "app.tenant_id" in rule or name in ("own", "intake"), (table, name)


def test_a_view_does_not_look_over_the_fence():
    """A view reads as its owner unless it is a security_invoker."""
    views = ask(
        "SELECT relname, reloptions FROM pg_class WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace"
    )

    assert [view for view, options in views if "security_invoker=true" not in (options or [])] == []


def test_a_function_acts_as_whoever_calls_it():
    functions = ask(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace AND proname <> ALL (%s)",
        list(ACTS_AS_THE_OWNER),
    )

    assert functions == []


def test_we_act_as_a_role_that_is_held_by_the_fence():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.rolname, r.rolsuper, r.rolbypassrls, r.rolinherit,"
            " EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid) FROM pg_roles r WHERE r.rolname = current_user"
        )
        assert cursor.fetchone() == ("crm_app", False, False, False, False)
        cursor.execute(
            "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND rolname IN ('crm_app', 'crm_system', 'crm_owner')"
        )
        assert cursor.fetchall() == []


def test_the_owner_of_the_tables_is_nobody_who_serves():
    owners = ask(
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )

    assert owners == [("crm_owner",)]


def keys(model: type[models.Model]) -> Iterator[tuple[str, ...]]:
    """Every unique key but the primary one, as the names of what it is made of."""
    for field in model._meta.local_fields:
        if field.unique and not field.primary_key:
            yield (field.name,)
    yield from (tuple(together) for together in model._meta.unique_together)
    for one in model._meta.constraints:
        if isinstance(one, models.UniqueConstraint):
            yield tuple(one.fields) or tuple(_name(expression) for expression in one.expressions)


def _name(expression: models.expressions.Combinable) -> str:
    if isinstance(expression, models.F):
        return expression.name
    inner = ", ".join(_name(part) for part in expression.get_source_expressions())
    return f"{expression.function.lower()}({inner})"


def test_what_is_unique_is_unique_within_a_company():
    """So that the same tables can be spread over servers by company, and no company learns what another one has."""
    across = {}
    for model in fenced():
        for key in keys(model):
            first = key[0]
            is_local = first == "tenant" or ("(" not in first and is_owned(model._meta.get_field(first).related_model))
            if not is_local:
                across.setdefault(model._meta.db_table, set()).add(key)

    assert across == {table: set(reasons) for table, reasons in UNIQUE_ACROSS_COMPANIES.items()}


def test_every_column_of_a_company_is_required_unless_it_may_be_the_platforms():
    optional = {
        model._meta.db_table
        for model in fenced()
        if is_owned(model) and model._meta.get_field("tenant").null and not is_history(model)
    }

    # An alert without a company is the operator's; a webhook has none until it has been read.
    assert optional == {"tenants_alert", "whatsapp_webhookevent"}
    required = {
        model._meta.db_table for model in fenced() if is_owned(model) and not model._meta.get_field("tenant").null
    }
    nullable = ask(
        "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE a.attname = 'tenant_id' AND NOT a.attnotnull AND c.relname = ANY (%s)",
        sorted(required),
    )
    assert nullable == []
