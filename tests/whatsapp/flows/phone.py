"""A phone that fills in Flows, written from Meta's page with the primitives alone: it shares no line with what it tests."""

import base64
import hashlib
import hmac
import json
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.test import Client

SECRET = "app-secret-of-the-test"


@dataclass
class Phone:
    """`public_key` is the one it has from WhatsApp, which may be an old one."""

    public_key: str
    number_id: str = "100000000000001"
    secret: str = SECRET
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    def says(self, request: dict[str, Any], *, signature: str | None = None) -> tuple[int, Any]:
        """The status of the answer, and what is in it; None for an answer that holds nothing."""
        key, vector = os.urandom(16), os.urandom(16)
        body = json.dumps(
            {
                "encrypted_flow_data": _text(locked(key, vector, json.dumps(request).encode())),
                "encrypted_aes_key": _text(
                    load_pem_public_key(self.public_key.encode()).encrypt(
                        key, padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
                    )
                ),
                "initial_vector": _text(vector),
            }
        ).encode()
        answer = self.posts(body, signature=signature)
        if not answer.content:
            return answer.status_code, None
        turned = bytes(~byte & 0xFF for byte in vector)
        return answer.status_code, json.loads(unlocked(key, turned, base64.b64decode(answer.content, validate=True)))

    def posts(self, body: bytes, *, signature: str | None = None) -> Any:
        signed = "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        return self.client.post(
            f"/flows/{self.number_id}/",
            body,
            content_type="application/json",
            headers={"X-Hub-Signature-256": signed if signature is None else signature},
        )


def locked(key: bytes, vector: bytes, content: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.GCM(vector)).encryptor()
    return cipher.update(content) + cipher.finalize() + cipher.tag


def unlocked(key: bytes, vector: bytes, content: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.GCM(vector, content[-16:])).decryptor()
    return cipher.update(content[:-16]) + cipher.finalize()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
