"""The migrations say what the models say."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.migrations import RemoveField, RenameField, RenameModel
from django.db.migrations.loader import MigrationLoader

pytestmark = pytest.mark.django_db


def test_no_model_has_changed_without_a_migration():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_what_history_says_stays_as_it_was_sealed():
    """An entry of the chain covers the row's columns by their names: none is renamed or dropped, nor its table."""
    histories = {
        model._meta.label_lower
        for model in apps.get_models(include_auto_created=True)
        if any(field.name == "pgh_obj" for field in model._meta.local_fields)
    }
    changed = [
        f"{app}.{name}: {operation.describe()}"
        for (app, name), migration in MigrationLoader(None).disk_migrations.items()
        for operation in migration.operations
        if (isinstance(operation, RemoveField | RenameField) and f"{app}.{operation.model_name_lower}" in histories)
        or (isinstance(operation, RenameModel) and f"{app}.{operation.new_name_lower}" in histories)
    ]

    assert changed == []
