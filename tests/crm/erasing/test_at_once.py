"""Somebody is erased while webhooks of theirs are merged: nobody waits in a circle, and each wish is kept."""

import threading
import time
from typing import Any

import pytest
from django.db import connection

from crm import erasing, inbound, tombstones
from crm.models import Contact, Erasure, ErasureDoor, ErasureReason, Identity, Message
from tenants import clock
from tenants.context import system_transaction
from tests import meta
from tests.at_once import at_once
from tests.cast import Company, found_company
from tests.crm.inbound.people import said
from whatsapp import erasing as webhooks
from whatsapp.models import EventState, WebhookEvent

ROSA = "51900555014"


def stop(at: int) -> dict[str, Any]:
    wish = {"wa_id": ROSA, "detail": "", "category": "marketing_messages", "value": "stop", "timestamp": at}
    return meta.value(user_preferences=[wish], contacts=[meta.contact(ROSA)])


@pytest.fixture
def erasure(committed: None) -> Erasure:
    """Of Rosa, whose wish to get no marketing was stored before and is not merged yet."""
    company: Company = found_company("ours", number_id="100000000000001")
    meta.store(meta.body(said("w1", phone=ROSA, at=meta.now() - 60)))
    inbound.drain()
    meta.store(meta.body(stop(meta.now() - 30), field="user_preferences"))
    with company.transaction():
        contact = Identity.objects.get(value=ROSA).contact_id
        return erasing.ask(
            contact, tenant_id=company.tenant.pk, reason=ErasureReason.REQUEST, door=ErasureDoor.PAGE,
            by=None, now=clock.now(),
        )  # fmt: skip


def test_a_wish_that_is_merged_while_webhooks_are_searched_is_kept_and_nobody_waits_in_a_circle(
    erasure,
    monkeypatch,
    caplog,
    mishaps,
):
    merging, searching = threading.Event(), threading.Event()
    remember, take = tombstones.stop_marketing, webhooks.erase_page

    def remember_late(cursor: Any, keys: Any) -> None:
        merging.set()
        assert searching.wait(10)
        remember(cursor, keys)

    def take_late(cursor: Any, **options: Any) -> Any:
        searching.set()
        return take(cursor, **options)

    def erase() -> None:
        assert merging.wait(10)
        erasing.run(clock.now())

    monkeypatch.setattr(tombstones, "stop_marketing", remember_late)
    monkeypatch.setattr(webhooks, "erase_page", take_late)

    at_once(inbound.drain, erase)
    while erasing.run(clock.now()):
        pass

    assert mishaps == []
    assert not [each for each in caplog.records if each.name == "crm.erasing.working"]
    with system_transaction():
        kept = Erasure.objects.get()
        assert (kept.marketing_stopped, kept.is_done) == (True, True)
        assert set(WebhookEvent.objects.values_list("state", flat=True)) == {EventState.DONE}


def test_nobody_waits_long_behind_an_erasure_that_waits_for_a_list(committed, monkeypatch):
    """Something long is brought in for the company in one transaction; meanwhile others' webhooks are merged."""
    company = found_company("ours", number_id="100000000000001")
    meta.store(meta.body(said("w1", phone=ROSA)))
    inbound.drain()
    with company.transaction():
        contact = Identity.objects.get(value=ROSA).contact_id
    made, merged = threading.Event(), threading.Event()
    monkeypatch.setattr(tombstones, "PATIENCE_SECONDS", 1)

    def make_a_list() -> None:
        with system_transaction(), connection.cursor() as cursor:
            tombstones.hold(cursor, [company.tenant.pk])
            made.set()
            assert merged.wait(20)

    def erase() -> None:
        assert made.wait(10)
        with company.transaction(), pytest.raises(erasing.NotNow):
            erasing.ask(
                contact, tenant_id=company.tenant.pk, reason=ErasureReason.REQUEST, door=ErasureDoor.PAGE,
                by=None, now=clock.now(),
            )  # fmt: skip

    def merge() -> None:
        assert made.wait(10)
        time.sleep(0.3)  # by then somebody waits to erase
        meta.store(meta.body(said("w2", phone=ROSA)))
        inbound.drain()
        merged.set()

    at_once(make_a_list, erase, merge)

    with company.transaction():
        assert Message.objects.count() == 2
        assert Contact.objects.get().pk == contact
