"""A number that gets a queue takes its conversations out of triage."""

import pytest

from crm import inbound
from crm.models import Conversation
from tests import meta
from whatsapp import connecting

pytestmark = pytest.mark.django_db


def test_what_waited_in_triage_moves_with_its_number(ours, django_capture_on_commit_callbacks):
    with ours.transaction():
        connecting.route(number=ours.number, queue=None)
    meta.store(meta.body(meta.messages(meta.text())))
    inbound.drain()
    with ours.transaction():
        assert Conversation.objects.get().queue == ours.triage

    with django_capture_on_commit_callbacks(execute=True), ours.transaction():
        connecting.route(number=ours.number, queue=ours.support)

    with ours.transaction():
        assert Conversation.objects.get().queue == ours.support
