"""What any provider must do, whatever it speaks. A new one adds its `Case` and passes."""

import hashlib
import hmac
import inspect
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.whatsapp.payloads import body
from tests.whatsapp.providers.meta import Meta, hangs_up, meta
from whatsapp.capabilities import CAPABILITIES
from whatsapp.events import MalformedBody, MessageReceived
from whatsapp.outgoing import Recipient, Text
from whatsapp.providers import PROVIDERS, UnknownProvider, get_provider
from whatsapp.providers.base import Accepted, Account, NotSent, OutcomeUnknown, Provider, Refused

SECRET = "a shared secret"


@dataclass
class Case:
    """How one provider's far side looks, so that the same tests can speak to all."""

    name: str
    message: bytes
    sign: Callable[[bytes, str], dict[str, str]]
    accepted: tuple[int, Any]
    refused: tuple[int, Any]


def _signed_by_meta(delivery: bytes, secret: str) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), delivery, hashlib.sha256).hexdigest()}


CASES = [
    Case(
        name="cloud",
        message=body("text"),
        sign=_signed_by_meta,
        accepted=(200, {"messages": [{"id": "wamid.NEW"}]}),
        refused=(400, {"error": {"code": 131047, "message": "window"}}),
    ),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request) -> Case:
    return request.param


@pytest.fixture
def provider(case) -> Provider:
    return get_provider(case.name)


@pytest.fixture
def far_side() -> Iterator[Meta]:
    with meta() as there:
        yield there


def send(provider: Provider, url: str) -> Accepted:
    account = Account(number_id="100", business_id="900", token="token", api_url=url)
    return provider.send(account, recipient=Recipient(phone="51900555014"), content=Text(body="Hola"), reference="r.1")


def test_every_registered_provider_has_a_case():
    assert {case.name for case in CASES} == set(PROVIDERS)


def test_an_unregistered_provider_is_named_in_the_refusal():
    with pytest.raises(UnknownProvider, match="carrier pigeon"):
        get_provider("carrier pigeon")


def test_it_is_one_instance_that_says_its_name_and_abilities(case, provider):
    assert get_provider(case.name) is provider
    assert (provider.name, provider.capabilities) == (case.name, CAPABILITIES[case.name])


@pytest.mark.parametrize(
    "method",
    [name for name, member in vars(Provider).items() if inspect.isfunction(member) and not name.startswith("_")],
)
def test_it_takes_exactly_what_the_protocol_says(provider, method):
    def taken(function: Any) -> list[tuple[str, Any, Any]]:
        parameters = inspect.signature(function).parameters.values()
        return [(each.name, each.kind, each.default) for each in parameters if each.name != "self"]

    assert taken(getattr(provider, method)) == taken(getattr(Provider, method))


def test_a_genuine_callback_verifies_with_headers_in_any_case(case, provider):
    headers = case.sign(case.message, SECRET)

    assert provider.verify(secret=SECRET, headers=headers, body=case.message)
    assert provider.verify(
        secret=SECRET, headers={name.lower(): value for name, value in headers.items()}, body=case.message
    )


def test_a_callback_that_was_changed_or_not_signed_does_not(case, provider):
    headers = case.sign(case.message, SECRET)

    assert not provider.verify(secret=SECRET, headers=headers, body=case.message + b" ")
    assert not provider.verify(secret="another", headers=headers, body=case.message)
    assert not provider.verify(secret=SECRET, headers={}, body=case.message)


def test_an_empty_secret_verifies_nothing(case, provider):
    assert not provider.verify(secret="", headers=case.sign(case.message, ""), body=case.message)


def test_a_message_is_read_into_our_words(case, provider):
    (message,) = provider.parse(case.message)

    assert isinstance(message, MessageReceived)
    assert message.number_id
    assert message.sent_at.tzinfo is not None


def test_what_is_no_callback_at_all_is_malformed(provider):
    with pytest.raises(MalformedBody):
        provider.parse(b"\x00\xff")


def test_an_accepted_message_has_an_id(case, provider, far_side):
    far_side.answers(*case.accepted)

    assert send(provider, far_side.url).message_id


def test_a_definite_no_is_refused(case, provider, far_side):
    far_side.answers(*case.refused)

    with pytest.raises(Refused):
        send(provider, far_side.url)


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_leaves_the_outcome_open(case, provider, far_side, status):
    far_side.answers(status, b"")

    with pytest.raises(OutcomeUnknown):
        send(provider, far_side.url)


def test_a_broken_line_leaves_the_outcome_open_and_is_not_tried_again(provider, far_side):
    far_side.answer = hangs_up

    with pytest.raises(OutcomeUnknown):
        send(provider, far_side.url)
    assert len(far_side.asked) == 1


def test_an_unreachable_provider_was_not_sent_to(provider):
    with pytest.raises(NotSent):
        send(provider, "http://no-such-host.invalid")


def test_threads_may_share_it(case, provider, far_side):
    far_side.answers(*case.accepted)
    results: list[Accepted] = []
    threads = [threading.Thread(target=lambda: results.append(send(provider, far_side.url))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 8
