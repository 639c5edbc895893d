"""Rosa, of whom everything is there that can be."""

from typing import Any

import pytest

from crm.models import Contact
from tests.cast import Company
from tests.crm.erasing.person import leave_traces


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Any) -> Any:
    media = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / "media")}}
    settings.STORAGES = {**settings.STORAGES, "media": media}
    return tmp_path / "media"


@pytest.fixture
def rosa(ours: Company, theirs: Company) -> Contact:
    """Rosa, who wrote everything that can be written and to whom everything was done; Luis, who said the same of others."""
    return leave_traces(ours)
