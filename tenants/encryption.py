"""Content at rest: AES-256-GCM under keys derived per tenant and purpose from versioned master keys.

A sealed value is `b"\\x01" | key number (2) | tenant (16) | nonce (12) | ciphertext | tag (16)`. Header and purpose are
authenticated, so a value moved to another tenant or another column does not open. `tenant` is all zeros for what has
none yet (raw webhook bodies). Reading accepts every configured master key; writing uses the first.

The field layer is django-cryptography's; its pickle-and-CBC sealing is replaced.
"""

import json
import os
from functools import lru_cache
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models
from django.utils.encoding import force_bytes
from django_cryptography.fields import EncryptedMixin

from tenants.context import current_scope

VERSION = b"\x01"
NO_TENANT = UUID(int=0)
_HEADER = 1 + 2 + 16
_NONCE = 12


class CannotOpen(ValueError):
    """A sealed value is damaged, belongs to another tenant or column, or its master key is not configured."""


def seal(plaintext: bytes, *, tenant_id: UUID, purpose: str) -> bytes:
    """Seal for one tenant and one purpose (`table.column`); the same input gives a different result each time."""
    number = _newest_key()
    header = VERSION + number.to_bytes(2, "big") + tenant_id.bytes
    nonce = os.urandom(_NONCE)
    return (
        header + nonce + _cipher(number, tenant_id.bytes, purpose).encrypt(nonce, plaintext, header + purpose.encode())
    )


def unseal(sealed: bytes, *, purpose: str, tenant_id: UUID | None = None) -> bytes:
    """Open a sealed value. With `tenant_id`, a value of any other tenant is refused. Raises CannotOpen."""
    header, nonce, ciphertext = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :]
    if len(header) < _HEADER or header[:1] != VERSION:
        raise CannotOpen("This is not a sealed value.")
    if tenant_id is not None and header[3:] != tenant_id.bytes:
        raise CannotOpen("This sealed value belongs to another tenant.")
    number = key_number(sealed)
    try:
        return _cipher(number, header[3:], purpose).decrypt(nonce, ciphertext, header + purpose.encode())
    except InvalidTag:
        raise CannotOpen("This sealed value is damaged or was moved.") from None
    except KeyError:
        raise CannotOpen(f"Master key {number} is not in ENCRYPTION_KEYS; add it back to read older rows.") from None


def key_number(sealed: bytes) -> int:
    """Which master key sealed this, for rotation."""
    return int.from_bytes(sealed[1:3], "big")


def _newest_key() -> int:
    return next(iter(settings.ENCRYPTION_KEYS))


@lru_cache(maxsize=4096)
def _cipher(number: int, tenant: bytes, purpose: str) -> AESGCM:
    master: bytes = settings.ENCRYPTION_KEYS[number]
    return AESGCM(HKDF(SHA256(), length=32, salt=tenant, info=purpose.encode()).derive(master))


class _SealedMixin(EncryptedMixin):
    """Seals on save with the row's own tenant; opens on load and refuses what is not the present tenant's."""

    def deconstruct(self):
        name, _path, args, kwargs = models.Field.deconstruct(self)
        return name, f"{type(self).__module__}.{type(self).__qualname__}", args, kwargs

    def clone(self):
        _name, _path, args, kwargs = self.deconstruct()
        return type(self)(*args, **kwargs)

    def _encode(self, value: Any) -> bytes:
        raise TypeError("A sealed field says how its value becomes bytes.")

    def _decode(self, value: bytes) -> Any:
        raise TypeError("A sealed field says how bytes become its value.")

    @property
    def purpose(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def pre_save(self, model_instance: models.Model, add: bool) -> bytes | None:
        value = super().pre_save(model_instance, add)
        if value is None or isinstance(value, _Sealed):
            return value
        return self.sealed(value, tenant_id=getattr(model_instance, "tenant_id", None) or NO_TENANT)

    def sealed(self, value: Any, *, tenant_id: UUID) -> "_Sealed":
        """The bytes to store for `value`: for statements written by hand and for queryset updates."""
        return _Sealed(seal(self._encode(value), tenant_id=tenant_id, purpose=self.purpose))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None:
            return None
        if not isinstance(value, _Sealed):
            raise TypeError(
                f"{self.purpose} is sealed per row: save the instance, or pass field.sealed(value, tenant_id=…)"
            )
        return connection.Database.Binary(bytes(value))

    def from_db_value(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value is None:
            return None
        scope = current_scope()
        sealed = force_bytes(value)
        tenant_id = scope.tenant_id if scope and sealed[3:_HEADER] != NO_TENANT.bytes else None
        return self._decode(unseal(sealed, purpose=self.purpose, tenant_id=tenant_id))


class _Sealed(bytes):
    """Already sealed: bytes on their way to the database."""


class EncryptedTextField(_SealedMixin, models.TextField):
    """Text that the database never sees in the clear."""

    def _encode(self, value: str) -> bytes:
        return value.encode()

    def _decode(self, value: bytes) -> str:
        return value.decode()


class EncryptedBinaryField(_SealedMixin, models.BinaryField):
    """Bytes that the database never sees in the clear."""

    def _encode(self, value: bytes) -> bytes:
        return bytes(value)

    def _decode(self, value: bytes) -> bytes:
        return value


class EncryptedJSONField(_SealedMixin, models.JSONField):  # type: ignore[misc]
    """JSON that the database never sees in the clear; it cannot be filtered on."""

    def _encode(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    def _decode(self, value: bytes) -> Any:
        return json.loads(value)
