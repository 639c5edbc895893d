"""Companies whose history is sealed."""

import pytest
from django.core.cache import cache

from tests.cast import Company
from tests.tenants.histories import MANY_ROWS, ROWS, grown_to


@pytest.fixture
def nothing_remembered():
    """Neither keys nor heads of other tests are in the cache."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def grown(ours, theirs, nothing_remembered) -> Company:
    """Two companies with history, older rows first as they came; all of it is sealed."""
    return grown_to(ROWS, ours, theirs)


@pytest.fixture
def grown_long(ours, theirs, nothing_remembered) -> Company:
    """The same over several pages of the sealer."""
    return grown_to(MANY_ROWS, ours, theirs)
