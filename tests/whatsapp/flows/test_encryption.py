"""Against vectors that another program made, and everything that does not open."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from tests.whatsapp.flows.phone import locked, unlocked
from tests.whatsapp.flows.vectors import VECTORS
from whatsapp.flows.encryption import CannotOpen, new_pair, opened

KEY, OTHER = VECTORS["key"]["private_key"], VECTORS["other_key"]["private_key"]


@pytest.fixture(params=VECTORS["exchanges"], ids=lambda one: one["name"])
def exchange(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


def body_of(exchange: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(exchange["body"] | changes).encode()


def test_what_another_program_sealed_opens(exchange):
    found = opened(body_of(exchange), private_keys=[KEY])

    assert found.request == exchange["request"]


def test_the_answer_is_the_one_another_program_seals(exchange):
    found = opened(body_of(exchange), private_keys=[KEY])

    # The same JSON in other spaces is another ciphertext: read ours with the phone's key and compare with theirs.
    key, vector = bytes.fromhex(exchange["aes_key"]), base64.b64decode(exchange["body"]["initial_vector"])
    turned = bytes(255 - byte for byte in vector)
    ours = base64.b64decode(found.sealed(json.loads(exchange["answer"])))
    assert json.loads(unlocked(key, turned, ours)) == json.loads(exchange["answer"])
    assert base64.b64encode(locked(key, turned, exchange["answer"].encode())).decode() == exchange["sealed_answer"]


def test_the_key_that_fits_is_found_among_several(exchange):
    assert opened(body_of(exchange), private_keys=[OTHER, KEY]).request == exchange["request"]


def test_somebody_elses_key_opens_nothing(exchange):
    with pytest.raises(CannotOpen):
        opened(body_of(exchange), private_keys=[OTHER])


def test_without_a_key_nothing_opens(exchange):
    with pytest.raises(CannotOpen):
        opened(body_of(exchange), private_keys=[])


@pytest.mark.parametrize("name", ["encrypted_flow_data", "encrypted_aes_key", "initial_vector"])
@pytest.mark.parametrize("damaged", ["", "%%%", "AAAA", None, 7, ["AAAA"]])
def test_a_damaged_part_opens_nothing(name, damaged):
    with pytest.raises(CannotOpen):
        opened(body_of(VECTORS["exchanges"][0], **{name: damaged}), private_keys=[KEY])


def test_one_changed_bit_opens_nothing():
    exchange = VECTORS["exchanges"][1]
    data = bytearray(base64.b64decode(exchange["body"]["encrypted_flow_data"]))
    data[0] ^= 1

    with pytest.raises(CannotOpen):
        opened(body_of(exchange, encrypted_flow_data=base64.b64encode(data).decode()), private_keys=[KEY])


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_what_no_phone_sends_opens_nothing(body):
    with pytest.raises(CannotOpen):
        opened(body, private_keys=[KEY])


def test_a_new_pair_is_2048_bits_and_its_halves_belong_together():
    private, public = new_pair()

    key = load_pem_private_key(private.encode(), None)
    assert key.key_size == 2048
    assert key.public_key() == load_pem_public_key(public.encode())


def test_nothing_that_was_filled_in_shows_in_a_repr():
    found = opened(body_of(VECTORS["exchanges"][2]), private_keys=[KEY])

    assert "Ñandú" not in repr(found) and "token" not in repr(found)
