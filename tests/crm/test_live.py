"""What changed reaches the pages that may know, soon, bounded, and nobody else."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
import redis
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.db import connections
from django.test import Client

from crm import inbound, live, routing
from crm.live import Audience, Change
from crm.models import Conversation
from crm.stream import stream
from tenants.models import Queue, QueueMember
from tests import meta
from tests.cast import Company, found_company

SALES, SUPPORT, ROSA, LUZ = uuid4(), uuid4(), uuid4(), uuid4()
ANA, LUIS = uuid4(), uuid4()


def audience(membership=ANA, queues=(), everything: bool = False) -> Audience:
    return Audience(membership, uuid4(), everything, frozenset(map(str, queues)))


@pytest.mark.parametrize(
    ("who", "change", "knows"),
    [
        (audience(everything=True), Change(ROSA, (SALES,), ()), True),
        (audience(everything=True), Change(ROSA, (None,), (None,)), True),
        (audience(queues=[SALES]), Change(ROSA, (SALES,), (LUIS,)), True),
        (audience(queues=[SALES]), Change(ROSA, (SUPPORT, SALES), ()), True),  # it was transferred away from here
        (audience(), Change(ROSA, (SUPPORT,), (ANA,)), True),
        (audience(), Change(ROSA, (SUPPORT,), (LUIS, ANA)), True),  # it was taken away from her
        (audience(queues=[SALES]), Change(ROSA, (SUPPORT,), (LUIS,)), False),
        (audience(), Change(ROSA, (SALES,), ()), False),
        (audience(queues=[SALES]), Change(ROSA, (), ()), False),
        (audience(membership=SALES), Change(ROSA, (SALES,), ()), False),  # the id of a queue is not that of a person
    ],
)
def test_who_may_know(who, change, knows):
    assert who.may_know(change.as_fact()) is knows

    who.tell([change.as_fact()])
    assert (who.take() is not None) is knows
    assert who.rang.is_set() is False


def test_many_changes_of_one_conversation_are_one_id():
    page = audience(queues=[SALES])
    for _ in range(500):
        page.tell(
            [Change(ROSA, (SALES,)).as_fact(), Change(LUZ, (SALES,)).as_fact(), Change(uuid4(), (SUPPORT,)).as_fact()]
        )

    name, data = page.take()

    assert (name, json.loads(data)) == ("change", {"conversations": sorted(map(str, (ROSA, LUZ)))})
    assert page.take() is None


def test_too_many_changes_become_one_refresh():
    page = audience(everything=True)
    page.tell([Change(uuid4()).as_fact() for _ in range(live.MOST_NAMED)])
    assert page.take()[0] == "change"

    for _ in range(30):
        page.tell([Change(uuid4()).as_fact() for _ in range(live.MOST_NAMED + 1)])
    assert page.take() == ("refresh", "{}")
    assert page.take() is None

    page.tell([Change(ROSA).as_fact()])
    assert page.take()[0] == "change"


@pytest.mark.django_db
def test_an_audience_is_what_the_membership_sees(ours):
    with ours.transaction():
        ana, boss = Audience.of(ours.ana), Audience.of(ours.supervisor)

    assert (ana.membership_id, ana.tenant_id) == (ours.ana.pk, ours.tenant.pk)
    assert (ana.sees_everything, ana.queue_ids) == (False, frozenset({str(ours.sales.pk)}))
    assert (boss.sees_everything, boss.queue_ids) == (True, frozenset())


@pytest.mark.django_db
def test_without_redis_a_change_is_committed_all_the_same(ours, settings, monkeypatch, caplog):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    monkeypatch.setattr(live, "_publisher", None)
    caplog.set_level(logging.WARNING)

    live._publish_now(ours.tenant.pk, [Change(ROSA).as_fact()])

    assert "live publish failed" in caplog.text
    monkeypatch.setattr(live, "_publisher", None)


# --- the stream, in this process, with the real Redis and real sign-ins -------------------------------------------------


class Page:
    """An open page: what its stream said so far."""

    def __init__(self) -> None:
        self.status = 0
        self.text = ""
        self.ended = False
        self._gone = asyncio.Event()
        self._begun = False
        self._task: asyncio.Task | None = None

    async def open(self, cookies: str) -> "Page":
        headers = [(b"cookie", cookies.encode()), (b"host", b"localhost")]
        scope = {"type": "http", "method": "GET", "path": "/live/", "query_string": b"", "headers": headers}
        self._task = asyncio.create_task(stream(scope, self._receive, self._send))
        await self.until(lambda: self.status)
        return self

    async def close(self) -> None:
        self._gone.set()
        if self._task:
            await asyncio.wait_for(self._task, 5)

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.01)

    @property
    def events(self) -> list[tuple[str, Any]]:
        found = []
        for block in self.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "event" in lines:
                found.append((lines["event"], json.loads(lines["data"])))
        return found

    @property
    def conversations(self) -> set[str]:
        return {one for name, data in self.events if name == "change" for one in data["conversations"]}

    async def _receive(self) -> dict[str, Any]:
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.text += message["body"].decode()
            self.ended = not message.get("more_body")


@pytest.fixture
def companies(committed: None) -> Iterator[tuple[Company, Company]]:
    yield (
        found_company("ours", number_id="100000000000001"),
        found_company("theirs", number_id="200000000000001"),
    )


@pytest.fixture
async def open_page(companies: Any, monkeypatch: Any) -> AsyncIterator[Callable]:
    """Sign somebody in and open their page; all are closed at the end."""
    hub = live.Hub()
    monkeypatch.setattr(live, "hub", hub)
    pages: list[Page] = []

    async def open_page(membership=None, *, cookies: str = "") -> Page:
        if membership is not None:
            cookies = await sync_to_async(signed_in)(membership)
        page = await Page().open(cookies)
        pages.append(page)
        if page.status == 200:
            # One refresh for what happened before, and one when the subscription stands: nothing is left to tell.
            name = live.channel(membership.tenant_id)
            await page.until(lambda: ("refresh", {}) in page.events and name in hub._subscribed)
            await page.until(lambda: not any(audience.rang.is_set() for audience in hub._audiences[name]))
            await asyncio.sleep(live.COALESCE_SECONDS * 2)
            page.text = ""
        return page

    yield open_page
    for page in pages:
        await page.close()
    if hub._listener:
        hub._listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await hub._listener


def signed_in(membership) -> str:
    try:
        client = Client()
        client.force_login(membership.user, backend="tenants.permissions.MembershipBackend")
        return f"{django_settings.SESSION_COOKIE_NAME}={client.cookies[django_settings.SESSION_COOKIE_NAME].value}"
    finally:
        connections.close_all()


def a_customer_writes(number_id: str = "100000000000001") -> str:
    """Committed, as a worker does it; the conversation's id."""
    try:
        meta.store(meta.body(meta.messages(meta.text(wamid=f"wamid.{uuid4()}"), number_id=number_id)))
        inbound.drain()
        from tenants.context import system_transaction

        with system_transaction():
            return str(Conversation.objects.get(number__phone_number_id=number_id).pk)
    finally:
        connections.close_all()


async def test_signed_out_is_401_and_nothing_is_subscribed(open_page):
    for cookies in ("", "sessionid=forged", "sessionid=" + "x" * 32):
        page = await open_page(cookies=cookies)

        assert (page.status, page.text, page.ended) == (401, "", True)
    assert live.hub.clients == 0


async def test_a_message_shows_on_the_pages_that_may_know(companies, open_page):
    ours, theirs = companies
    ana, luis, boss, stranger = [
        await open_page(person) for person in (ours.ana, ours.luis, ours.supervisor, theirs.supervisor)
    ]

    conversation = await sync_to_async(a_customer_writes)()

    await ana.until(lambda: conversation in ana.conversations)
    await boss.until(lambda: conversation in boss.conversations)
    await asyncio.sleep(0.3)
    assert (luis.events, stranger.events) == ([], [])
    assert "hola" not in ana.text  # ids, never content

    await sync_to_async(a_customer_writes)("200000000000001")
    await stranger.until(lambda: stranger.events)
    assert ana.conversations == boss.conversations == {conversation}


async def test_a_burst_is_told_a_few_times_only(companies, open_page, monkeypatch):
    ours, _theirs = companies
    page = await open_page(ours.supervisor)
    monkeypatch.setattr(live, "COALESCE_SECONDS", 0.5)  # longer than one message takes on a busy machine

    def burst() -> None:
        for _ in range(40):
            a_customer_writes()

    await sync_to_async(burst)()
    await page.until(lambda: page.events)
    await asyncio.sleep(live.COALESCE_SECONDS * 2)

    assert len(page.events) < 40
    assert len(page.conversations) == 1


async def test_a_transfer_is_told_to_both_queues(companies, open_page):
    ours, _theirs = companies
    conversation = await sync_to_async(a_customer_writes)()
    ana, luis = await open_page(ours.ana), await open_page(ours.luis)

    def transfer() -> None:
        try:
            with ours.transaction():
                routing.transfer(
                    conversation=Conversation.objects.get(), queue=ours.support, actor=ours.ana, now=datetime.now(UTC)
                )
        finally:
            connections.close_all()

    await sync_to_async(transfer)()

    for page in (ana, luis):
        await page.until(lambda page=page: conversation in page.conversations)


async def test_what_is_rolled_back_is_never_told(companies, open_page):
    ours, _theirs = companies
    await sync_to_async(a_customer_writes)()
    boss = await open_page(ours.supervisor)

    def close_and_fail() -> None:
        try:
            with pytest.raises(ZeroDivisionError), ours.transaction():
                routing.close(conversation=Conversation.objects.get(), actor=None, now=datetime.now(UTC))
                raise ZeroDivisionError
        finally:
            connections.close_all()

    await sync_to_async(close_and_fail)()
    await asyncio.sleep(0.4)

    assert boss.events == []


async def test_signing_out_closes_the_stream_and_new_queues_count(companies, open_page, monkeypatch):
    ours, _theirs = companies
    monkeypatch.setattr(live, "REAUTHORISE_SECONDS", 0.2)
    leaving, staying = await open_page(ours.ana), await open_page(ours.luis)

    def change() -> None:
        from django.contrib.sessions.models import Session

        try:
            for session in Session.objects.all():
                if session.get_decoded().get("_auth_user_id") == str(ours.ana.user_id):
                    session.delete()
            with ours.transaction():
                QueueMember.objects.create(
                    tenant=ours.tenant, queue=Queue.objects.get(pk=ours.sales.pk), membership=ours.luis
                )
        finally:
            connections.close_all()

    await sync_to_async(change)()

    await leaving.until(lambda: leaving.ended)
    await asyncio.sleep(0.4)
    assert not staying.ended
    conversation = await sync_to_async(a_customer_writes)()
    await staying.until(lambda: conversation in staying.conversations)
    assert conversation not in leaving.conversations


async def test_a_person_who_was_removed_loses_the_stream(companies, open_page, monkeypatch):
    ours, _theirs = companies
    monkeypatch.setattr(live, "REAUTHORISE_SECONDS", 0.2)
    page = await open_page(ours.ana)

    def remove() -> None:
        try:
            with ours.transaction():
                ours.ana.is_active = False
                ours.ana.save(update_fields=["is_active"])
        finally:
            connections.close_all()

    await sync_to_async(remove)()

    await page.until(lambda: page.ended)


async def test_pages_that_close_leave_nothing_behind(companies, open_page):
    ours, _theirs = companies
    pages = [await open_page(ours.ana) for _ in range(3)]
    assert live.hub.clients == 3

    for page in pages:
        await page.close()

    assert live.hub.clients == 0
    again = await open_page(ours.ana)
    conversation = await sync_to_async(a_customer_writes)()
    await again.until(lambda: conversation in again.conversations)


async def test_no_page_is_deaf_however_pages_come_and_go(companies):
    """Pages that open while the subscription of another is under way, and while the last of a tenant closes."""
    hub = live.Hub()
    client = redis.Redis.from_url(django_settings.REDIS_URL)
    for _ in range(50):
        first, second = audience(everything=True), audience(everything=True)
        await hub.join(first)
        await asyncio.sleep(0)  # the listener has begun and is not done
        await hub.join(second)
        third = Audience(ANA, first.tenant_id, True, frozenset())
        await hub.leave(first)
        await hub.join(third)
        pages = [second, third]
        async with asyncio.timeout(5):
            while not {live.channel(page.tenant_id) for page in pages} <= hub._subscribed:
                await asyncio.sleep(0.001)
        for page in pages:
            page.take()
            client.publish(live.channel(page.tenant_id), json.dumps([Change(ROSA, (SALES,), ()).as_fact()]))
        async with asyncio.timeout(5):
            for page in pages:
                await page.rang.wait()
                await hub.leave(page)
    await asyncio.wait_for(hub._listener, 15)
    assert hub.clients == 0


async def test_a_subscription_that_breaks_comes_back_with_a_refresh(companies, open_page):
    ours, _theirs = companies
    page = await open_page(ours.ana)

    redis.Redis.from_url(django_settings.REDIS_URL).client_kill_filter(_type="pubsub")

    await page.until(lambda: ("refresh", {}) in page.events)
    conversation = await sync_to_async(a_customer_writes)()
    await page.until(lambda: conversation in page.conversations)


def test_the_running_server_streams(companies, server):
    ours, _theirs = companies
    cookies = dict([signed_in(ours.ana).split("=", 1)])
    assert httpx.get(f"{server}/live/").status_code == 401

    with httpx.stream("GET", f"{server}/live/", cookies=cookies, timeout=10) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        while next(lines) != "event: refresh":
            continue
        conversation = a_customer_writes()

        for line in lines:
            if conversation in line:
                break
