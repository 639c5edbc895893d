"""What phones and our endpoint say to each other, sealed as Meta documents it ("Implementing your Flow endpoint").

A phone makes an AES-128 key, seals it with the number's public key (RSA-OAEP, SHA-256 in both places, no label) and what
it says with AES-GCM: 16 bytes of initial vector, the tag of 16 bytes behind the ciphertext, nothing beside it
authenticated. The answer is sealed with the same key and every bit of the vector turned over. Plain Python.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

KEY_BITS = 2048
_KEY_BYTES = _VECTOR_BYTES = 16
_OAEP = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)


class CannotOpen(ValueError):
    """None of our keys opens this: it is damaged, or sealed with a key that is not ours (any more)."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a phone said, and what is needed to answer it. Never shown: it holds what a person filled in."""

    request: dict[str, Any] = field(repr=False)
    key: bytes = field(repr=False)
    vector: bytes = field(repr=False)

    def sealed(self, answer: dict[str, Any]) -> str:
        """The body of the HTTP answer."""
        turned = bytes(byte ^ 0xFF for byte in self.vector)
        return base64.b64encode(AESGCM(self.key).encrypt(turned, json.dumps(answer).encode(), None)).decode()


def new_pair() -> tuple[str, str]:
    """A private key and its public one, as PEM."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return (
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


def opened(body: bytes, *, private_keys: Iterable[str]) -> Opened:
    """Open a request with the first of the keys (PEM) that fits. Raises CannotOpen."""
    sealed_data, sealed_key, vector = _parts(body)
    for pem in private_keys:
        key = _key(pem, sealed_key)
        if key is None:
            continue
        try:
            request = json.loads(AESGCM(key).decrypt(vector, sealed_data, None))
        except (InvalidTag, ValueError, RecursionError):
            raise CannotOpen("The content does not open with its own key.") from None
        if not isinstance(request, dict):
            raise CannotOpen("The content is not an object.")
        return Opened(request, key, vector)
    raise CannotOpen("It is sealed with a key that is not ours.")


def _parts(body: bytes) -> tuple[bytes, bytes, bytes]:
    try:
        envelope = json.loads(body)
        data, key, vector = (
            base64.b64decode(envelope[name], validate=True)
            for name in ("encrypted_flow_data", "encrypted_aes_key", "initial_vector")
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CannotOpen("The body is not what a phone sends.") from None
    if len(vector) != _VECTOR_BYTES:
        raise CannotOpen("The initial vector does not have 16 bytes.")
    return data, key, vector


def _key(pem: str, sealed_key: bytes) -> bytes | None:
    """The phone's AES key; None when it is sealed for somebody else."""
    # Checking a key's arithmetic takes 50 times as long as using it, and these are keys that we made.
    private = serialization.load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(private, rsa.RSAPrivateKey)
    try:
        key = private.decrypt(sealed_key, _OAEP)
    except ValueError:
        return None
    return key if len(key) == _KEY_BYTES else None
