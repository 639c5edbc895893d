"""A phone that fills in a Flow, from its sealed request to the sealed answer, several phones at once.

Each opens “Mi perfil” and hands it in: the signature, the key, the token, the contact's row and its commit are in it.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.utils import timezone

from crm.flows import builtin
from crm.models import Conversation
from tests.bench import crowd
from tests.bench.load import percentile
from tests.bench.options import Options
from tests.bench.report import Figure, milliseconds
from tests.bench.stage import Stage
from tests.cast import Company, found_company
from whatsapp.flows import exchanging, keys
from whatsapp.models import Flow, FlowStatus

NUMBER = "900000000000001"
HOLD = 0.2
PHONES = 4
GIVEN = {"name": "Rosa Quispe", "email": "rosa@example.com", "birthday": "1990-05-17", "city": "Cusco", "contact_time": "tarde"}  # fmt: skip


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """One web process, as the Procfile starts it; nothing is kept of an exchange between two of them."""
    each = 25 if options.quick else 150
    company = found_company("flows", number_id=NUMBER)
    crowd.populate(stage, company, last=PHONES * each, messages=2)
    public_key, tokens = _invited(company, PHONES * each)
    seal = load_pem_public_key(public_key.encode())
    with stage.web(), ThreadPoolExecutor(PHONES) as phones:
        _exchange(stage.port, [_sealed(seal, {"action": "ping", "version": "3.0"})] * 5)
        opening = [_sealed(seal, _said("INIT", token)) for token in tokens]
        handing_in = [_sealed(seal, _said("data_exchange", token, **GIVEN)) for token in tokens]
        for what, bodies in (("opened", opening), ("handed in", handing_in)):
            parts = [bodies[start::PHONES] for start in range(PHONES)]
            found = [latency for part in phones.map(lambda one: _exchange(stage.port, one), parts) for latency in part]
            half, late, last = (percentile(found, share) for share in (0.5, 0.9, 0.99))
            measured = f"{milliseconds(half)} · {milliseconds(late)} · {milliseconds(last)}"
            hold = f"p90 ≤ {milliseconds(HOLD)}"
            yield Figure(f"a Flow {what}, {PHONES} phones, p50 · p90 · p99", measured, hold, late <= HOLD)


def _invited(company: Company, count: int) -> tuple[str, list[str]]:
    """The number's public key, and a token for each of so many conversations."""
    now = timezone.now()
    with company.transaction():
        key = keys.prepare(number=company.number)
        keys.put_into_use(key, now)
        flow = Flow.objects.create(
            tenant=company.tenant, waba_id=company.number.waba_id, provider_flow_id="1", name=builtin.PROFILE,
            source=builtin.profile(), status=FlowStatus.PUBLISHED,
        )  # fmt: skip
        holders = list(Conversation.objects.order_by("pk").values_list("pk", flat=True)[:count])
        tokens = [f"token-{at}" for at in range(count)]
        for holder, token in zip(holders, tokens, strict=True):
            exchanging.invite([exchanging.Invitation(flow.pk, company.number.pk, holder, token)], now=now)
    return key.public_key, tokens


def _said(action: str, token: str, **data: Any) -> dict[str, Any]:
    return {"version": "3.0", "action": action, "screen": "PERFIL", "data": data, "flow_token": token}


def _sealed(seal: Any, request: dict[str, Any]) -> bytes:
    key, vector = os.urandom(16), os.urandom(16)
    parts = {
        "encrypted_flow_data": AESGCM(key).encrypt(vector, json.dumps(request).encode(), None),
        "encrypted_aes_key": seal.encrypt(key, padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)),
        "initial_vector": vector,
    }
    return json.dumps({name: base64.b64encode(part).decode() for name, part in parts.items()}).encode()


def _exchange(port: int, bodies: list[bytes]) -> list[float]:
    """Seconds of each exchange, one after the other over one connection."""
    connection, latencies = http.client.HTTPConnection("127.0.0.1", port, timeout=10), []
    for body in bodies:
        signature = hmac.new(b"local-app-secret", body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
        began = time.perf_counter()
        connection.request("POST", f"/flows/{NUMBER}/", body, headers)
        answer = connection.getresponse()
        answer.read()
        latencies.append(time.perf_counter() - began)
        if answer.status != 200:
            raise RuntimeError(f"An exchange was answered {answer.status}.")
    connection.close()
    return latencies
