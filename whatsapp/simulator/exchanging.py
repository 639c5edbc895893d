"""A phone's side of a Flow's endpoint: what it says sealed with the number's public key, as WhatsApp does it.

The phone keeps the key it fetched once, and fetches it again when the endpoint answers 421.
"""

import base64
import json
import os
import urllib.error
import urllib.request
from typing import Any

import anyio
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from . import webhooks
from .numbers import Number
from .settings import Settings

TIMEOUT_S = 10  # Meta's clients give up then
KEY_CHANGED, TOKEN_OVER = 421, 427


class NoAnswer(Exception):
    """The endpoint did not answer, or not so that the phone could read it; the sentence is for the simulator's page."""


async def exchange(
    request: dict[str, Any], *, url: str, number: Number, settings: Settings, keys: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    """The status and the opened answer (200 or 427). `keys` are those this phone has, by number. Raises NoAnswer."""
    for _try in range(2):
        key = keys.get(number.id) or number.public_key
        if not key:
            raise NoAnswer("El número no tiene una clave pública: WhatsApp no puede cifrar.")
        keys[number.id] = key
        aes, vector = os.urandom(16), os.urandom(16)
        body = _sealed(request, public_key=key, aes=aes, vector=vector)
        status, answer = await anyio.to_thread.run_sync(_post, url, body, settings.app_secret)
        if status in (200, TOKEN_OVER):
            return status, _opened(answer, aes=aes, vector=vector)
        if status != KEY_CHANGED:
            break
        keys.pop(number.id)
    raise NoAnswer(f"El formulario no responde (HTTP {status}).")


def _sealed(request: dict[str, Any], *, public_key: str, aes: bytes, vector: bytes) -> bytes:
    key = load_pem_public_key(public_key.encode())
    assert isinstance(key, RSAPublicKey)
    oaep = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)
    parts = {
        "encrypted_flow_data": AESGCM(aes).encrypt(vector, json.dumps(request).encode(), None),
        "encrypted_aes_key": key.encrypt(aes, oaep),
        "initial_vector": vector,
    }
    return json.dumps({name: base64.b64encode(part).decode() for name, part in parts.items()}).encode()


def _opened(answer: bytes, *, aes: bytes, vector: bytes) -> dict[str, Any]:
    turned = bytes(byte ^ 0xFF for byte in vector)
    try:
        found = json.loads(AESGCM(aes).decrypt(turned, base64.b64decode(answer, validate=True), None))
    except (ValueError, InvalidTag):
        raise NoAnswer("La respuesta del formulario no se puede descifrar.") from None
    if not isinstance(found, dict):
        raise NoAnswer("La respuesta del formulario no es un objeto.")
    return found


def _post(url: str, body: bytes, secret: str) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": webhooks.sign(body, secret=secret)}
    call = urllib.request.Request(url, body, headers)  # noqa: S310 - the endpoint the business named
    try:
        with urllib.request.urlopen(call, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()
    except OSError:
        return 0, b""
