"""Redis may be away; signing in may not notice."""

import pytest
from django.core.cache import caches


@pytest.fixture
def away(settings):
    settings.CACHES = {
        "default": {"BACKEND": "tenants.caching.ForgivingRedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    return caches["default"]


def test_every_operation_is_a_miss_while_redis_is_away(away):
    assert away.get("a", "nothing") == "nothing"
    assert away.add("a", 1) is True
    assert away.set("a", 1) is None
    assert away.incr("a") == 1
    assert away.get_many(["a"]) == {}
    assert away.get_or_set("a", 3) == 3
    assert away.delete("a") is False


@pytest.mark.django_db
def test_signing_in_works_without_redis(away, ours, client):
    answer = client.post("/accounts/login/", {"login": "ana@ours.test", "password": "demo-password"})

    assert answer.status_code == 302
