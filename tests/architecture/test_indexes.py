"""An index that a model asks for is in the database."""

import pytest
from django.apps import apps
from django.db import connection

pytestmark = pytest.mark.django_db
OURS = ("tenants", "whatsapp", "crm", "sequences")


def test_each_field_that_asks_for_an_index_has_one():
    missing = []
    with connection.cursor() as cursor:
        for model in (model for label in OURS for model in apps.get_app_config(label).get_models()):
            made = connection.introspection.get_constraints(cursor, model._meta.db_table).values()
            first = {each["columns"][0] for each in made if each["index"] and each["columns"]}
            missing += [
                f"{model._meta.db_table}.{field.column}"
                for field in model._meta.local_fields
                if field.db_index and field.column not in first
            ]
    assert missing == []
