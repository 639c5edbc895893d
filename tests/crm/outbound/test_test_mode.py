"""A number that is being tried sends to its test phones alone, whoever writes and however long ago it was written."""

import pytest

from crm.explanations import TEST_MODE
from crm.models import MessageStatus
from crm.outbound import CannotSend
from tests.crm.outbound.conftest import ROSA, dispatch, reload, say, talk
from whatsapp.models import Number

pytestmark = pytest.mark.django_db


def put_to_test(company, *phones: str) -> None:
    with company.transaction():
        Number.objects.filter(pk=company.number.pk).update(is_test=True, test_phones=list(phones))


def test_another_phone_is_refused_with_a_sentence(ours):
    rosa = talk(ours)
    put_to_test(ours, "51900555099")

    with pytest.raises(CannotSend) as refused:
        say(ours, rosa)

    assert refused.value.reason == TEST_MODE and "test phones" in str(refused.value.explanation)


@pytest.mark.parametrize(
    ("contact", "allowed"),
    [
        (ROSA, ROSA),
        ("5511987654321", "5511987654321"),
        ("551187654321", "5511987654321"),
        ("5215512345678", "525512345678"),
    ],
)
def test_a_test_phone_is_written_to_however_it_is_spelt(ours, contact, allowed):
    person = talk(ours, contact)
    put_to_test(ours, allowed)

    assert say(ours, person).status == MessageStatus.QUEUED


def test_a_person_without_a_phone_is_none_of_them(ours):
    number = Number(is_test=True, test_phones=[ROSA])

    assert not number.may_reach("") and number.may_reach(ROSA)


def test_what_was_queued_before_is_stopped_at_the_last_door(ours, simulator):
    rosa, luz = talk(ours), talk(ours, "51900555015")
    to_rosa, to_luz = say(ours, rosa), say(ours, luz)
    put_to_test(ours, ROSA)

    dispatch(ours)

    assert reload(ours, to_rosa).status != MessageStatus.FAILED
    stopped = reload(ours, to_luz)
    assert (stopped.status, stopped.error_reason) == (MessageStatus.FAILED, TEST_MODE)
    assert [entry["to"] for entry in simulator.ledger()] == [ROSA]
