"""Imports and foreign keys go down only: sequences → crm → whatsapp → tenants."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("tenants", "whatsapp", "crm", "sequences")

# Read again by importing every module: import-linter sees what is written at the top, this what really happens.
_WHAT_IMPORTING_BRINGS = """
import sys
{imports}
print([name for name in sys.modules if name.partition('.')[0] in {forbidden!r}])
"""


def ours() -> list[type[models.Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.app_label in LAYERS]


def test_imports_keep_their_contracts():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout[-4000:]
    assert "0 broken" in done.stdout


def test_no_relation_points_up():
    """String foreign keys and generic relations are invisible to the import contracts."""
    upwards = [
        f"{field} → {field.related_model._meta.label}"
        for model in ours()
        for field in model._meta.get_fields()
        if field.is_relation
        and not field.auto_created
        and field.related_model is not None
        and field.related_model._meta.app_label in LAYERS
        and LAYERS.index(field.related_model._meta.app_label) > LAYERS.index(model._meta.app_label)
    ]

    assert upwards == []


def test_no_model_has_a_reference_without_a_target():
    """A generic foreign key could point anywhere."""
    generic = [field for model in ours() for field in model._meta.private_fields if field.is_relation]

    assert generic == []


def test_every_app_of_ours_is_in_a_layer():
    here = {config.label for config in apps.get_app_configs() if Path(config.path).is_relative_to(ROOT / config.label)}

    assert here == set(LAYERS)


@pytest.mark.parametrize(
    ("modules", "forbidden"),
    [
        (("whatsapp.events", "whatsapp.outgoing", "whatsapp.errors", "whatsapp.capabilities", "whatsapp.window",
          "whatsapp.phones", "whatsapp.statuses", "whatsapp.providers.cloud.webhook"), ("django", "celery", "rest_framework")),
        (("crm.references",), ("rest_framework", "celery")),
    ],
)  # fmt: skip
def test_what_is_plain_python_brings_no_framework(modules, forbidden):
    code = _WHAT_IMPORTING_BRINGS.format(
        imports="\n".join(f"import {module}" for module in modules), forbidden=forbidden
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.strip() == "[]", done.stderr


def test_what_tests_share_has_a_module_of_its_own():
    """A test that takes from another's module moves with it; only what runs other tests on purpose may name them."""
    by_name = re.compile(r"^from tests[\w.]*\.test_\w+ import|^from tests[\w.]* import .*\btest_\w+", re.MULTILINE)
    takers = {
        str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py") if by_name.search(path.read_text())
    }

    assert takers == {"tests/isolation/test_mutations.py"}  # whether the fence's tests see that one is broken
