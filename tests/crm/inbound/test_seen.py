"""When a number was last heard of is known, whoever is changing the number at that moment."""

import time
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from crm import inbound
from crm.models import Message
from tests import meta
from tests.cast import found_company
from whatsapp.models import Number


def drain() -> None:
    try:
        inbound.drain()
    finally:
        connection.close()


def test_a_number_that_is_being_changed_is_heard_all_the_same_and_holds_up_no_message(committed):
    company = found_company("ours", number_id="100000000000001")
    meta.store(meta.body(meta.messages(meta.text())))

    with ThreadPoolExecutor(1) as executor:
        with company.transaction():
            Number.objects.select_for_update(no_key=True).get()  # as whoever puts something right
            draining = executor.submit(drain)
            until = time.monotonic() + 20
            while not Message.objects.exists() and time.monotonic() < until:
                time.sleep(0.05)
            assert Message.objects.exists()
        draining.result(timeout=20)

    with company.transaction():
        assert Number.objects.get().last_webhook_at is not None
