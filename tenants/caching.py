"""The cache, for what may be forgotten: rate limits and throttles. Without Redis it forgets, and nobody is kept out."""

import logging
from typing import Any

import redis
from django.core.cache.backends.redis import RedisCache

log = logging.getLogger(__name__)


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache whose every operation is a miss while Redis is away, instead of an error on the page."""

    def _try(self, operation: str, otherwise: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(super(), operation)(*args, **kwargs)
        except redis.RedisError:
            log.warning("cache unavailable", extra={"operation": operation})
            return otherwise

    def add(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> bool:
        return self._try("add", True, key, value, *args, **kwargs)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._try("get", default, key, default=default, version=version)

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
        self._try("set", None, key, value, *args, **kwargs)

    def touch(self, key: Any, *args: Any, **kwargs: Any) -> bool:
        return self._try("touch", False, key, *args, **kwargs)

    def delete(self, key: Any, version: Any = None) -> bool:
        return self._try("delete", False, key, version=version)

    def get_many(self, keys: Any, version: Any = None) -> dict[Any, Any]:
        return self._try("get_many", {}, keys, version=version)

    def has_key(self, key: Any, version: Any = None) -> bool:
        return self._try("has_key", False, key, version=version)

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        return self._try("incr", delta, key, delta=delta, version=version)

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return self._try("set_many", [], data, *args, **kwargs)

    def delete_many(self, keys: Any, version: Any = None) -> None:
        self._try("delete_many", None, keys, version=version)
