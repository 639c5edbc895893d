"""Somebody is erased: gone from the pages at once and from everywhere soon; figures stay."""

from typing import Any

import pytest

from crm.models import Contact, Conversation, Erasure, Message, MessageHour
from crm.reports import rollups
from sequences import broadcasting
from sequences.models import Broadcast, Enrollment, ManualTask, Recipient
from tenants import clock
from tests.cast import Company
from tests.crm.erasing.person import ROSA, WORD, ask, others, traces, work_off
from whatsapp.models import FlowToken

pytestmark = pytest.mark.django_db


def test_nothing_is_left_of_a_person_but_figures(ours, theirs, rosa, folder, caplog):
    assert len(set(traces(folder, theirs))) >= 3  # it would see them
    before, counted = others(ours, rosa.pk), figures(ours)

    ask(ours, rosa.pk)
    work_off()

    assert traces(folder, theirs) == []
    assert WORD not in caplog.text and ROSA not in caplog.text
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert others(ours, rosa.pk) == before
    rollups.refresh(clock.now(), hours=48)
    assert figures(ours)[:2] == counted[:2]  # messages and money
    with theirs.transaction():
        assert Contact.objects.get().phone == ROSA
        assert Message.objects.get().text == f"{WORD} otra empresa"


def figures(company: Company) -> tuple[Any, ...]:
    with company.transaction():
        hours = list(MessageHour.objects.values_list("messages", "amount"))
        sums = broadcasting.summary(Broadcast.objects.filter(name="en marcha"))
    return sum(row[0] for row in hours), sum(row[1] for row in hours), sums


def test_a_broadcast_still_adds_up(ours, rosa):
    before = figures(ours)[2]
    ((_id, counts),) = before.items()
    assert (counts["sent"], counts["delivered"], float(counts["cost"])) == (1, 1, 0.02)

    ask(ours, rosa.pk)
    assert figures(ours)[2] == before
    work_off()

    assert figures(ours)[2] == before
    with ours.transaction():
        assert Recipient.objects.get(fate="skipped").reason == "erased"


def test_at_once_they_are_on_no_page_and_nothing_goes_out(ours, rosa):
    ask(ours, rosa.pk)

    with ours.transaction():
        assert not Contact.objects.filter(pk=rosa.pk).exists()
        assert not Conversation.objects.filter(contact=rosa.pk).exists()
        assert not Contact.objects.matching(WORD).exists() and not Contact.objects.matching("900555014").exists()
        assert not Enrollment.objects.exists() and not ManualTask.objects.exists() and not FlowToken.objects.exists()
        assert set(Message.objects.filter(status="failed").values_list("error_reason", flat=True)) == {"erased"}
        assert not Message.objects.filter(status__in=["queued", "sending"]).exists()


def test_the_tombstone_says_who_asked_and_not_who_it_was(ours, rosa):
    asked = ask(ours, rosa.pk)
    work_off()

    with ours.transaction():
        stone = Erasure.objects.get(pk=asked.pk)
        assert (stone.asked_by, stone.reason, stone.door) == (ours.admin, "request", "page")
        assert (stone.addresses, stone.files, stone.step) == (None, [], "done")
        assert stone.counts["messages"] >= 14 and stone.counts["webhooks"] >= 10
        assert stone.marketing_stopped and stone.marketing_source == "word"
        assert list(stone.history.values_list("pgh_label", flat=True).order_by("pgh_id")) == ["insert", "update"]
        assert len(stone.contact_ids) == 2
