"""What changed, for whom: thin facts after commit, through one Redis channel a tenant, to the browsers that may know.

A fact names conversations, never content: `[conversation id, [queue ids], [membership ids]]`. The page then fetches
what changed, and that fetch checks its rights again. Whoever loses a conversation (transfer) is told too, so both the
old and the new queue travel. Losing a fact loses nothing: a page that reconnects refreshes once.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import redis
import redis.asyncio
from django.conf import settings
from django.db import transaction

from tenants import counters
from tenants.models import Membership

log = logging.getLogger(__name__)

COALESCE_SECONDS = 0.03
HEARTBEAT_SECONDS = 15
REAUTHORISE_SECONDS = 60
HEALTH_SECONDS = 10
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 10
# More than this at once is cheaper to fetch as “everything on my page” than to name.
MOST_NAMED = 100


def channel(tenant_id: UUID) -> str:
    return f"live:{tenant_id}"


@dataclass(frozen=True, slots=True)
class Change:
    """One conversation that changed, with every queue and owner it has or just had."""

    conversation_id: UUID
    queue_ids: tuple[UUID | None, ...] = ()
    assignee_ids: tuple[UUID | None, ...] = ()

    def as_fact(self) -> list[Any]:
        return [
            str(self.conversation_id),
            [str(queue) for queue in self.queue_ids if queue],
            [str(assignee) for assignee in self.assignee_ids if assignee],
        ]


_publisher = None


def _redis() -> redis.Redis:
    global _publisher
    if _publisher is None:
        _publisher = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    return _publisher


def publish(tenant_id: UUID, changes: Iterable[Change]) -> None:
    """Tell the tenant's open pages after the present transaction commits; best effort, one message a call."""
    facts = [change.as_fact() for change in changes]
    if facts:
        transaction.on_commit(lambda: _publish_now(tenant_id, facts))


def _publish_now(tenant_id: UUID, facts: list[list[Any]]) -> None:
    try:
        _redis().publish(channel(tenant_id), json.dumps(facts, separators=(",", ":")))
    except redis.RedisError:
        # Pages poll while the stream is down; the rows are committed.
        log.warning("live publish failed")


@dataclass(eq=False)
class Audience:
    """One open page: who it belongs to, and what it has not been told yet."""

    membership_id: UUID
    tenant_id: UUID
    sees_everything: bool
    queue_ids: frozenset[str]
    pending: set[str] = field(default_factory=set)
    overflowed: bool = False
    rang: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, membership: Membership) -> "Audience":
        """Read the member's queues; needs the tenant's transaction."""
        return cls(
            membership_id=membership.pk,
            tenant_id=membership.tenant_id,
            sees_everything=membership.sees_everything,
            queue_ids=frozenset(map(str, membership.queue_ids)),
        )

    def may_know(self, fact: list[Any]) -> bool:
        _conversation, queues, assignees = fact
        return self.sees_everything or str(self.membership_id) in assignees or not self.queue_ids.isdisjoint(queues)

    def tell(self, facts: list[list[Any]]) -> None:
        """Remember what this page may know; it is woken once however much there is."""
        mine = [fact[0] for fact in facts if self.may_know(fact)]
        if not mine:
            return
        if not self.overflowed:
            self.pending.update(mine)
            if len(self.pending) > MOST_NAMED:
                self.overflowed, self.pending = True, set()
        self.rang.set()

    def take(self) -> tuple[str, str] | None:
        """The event to send now, as (name, data)."""
        self.rang.clear()
        if self.overflowed:
            self.overflowed = False
            return "refresh", "{}"
        if not self.pending:
            return None
        conversations, self.pending = sorted(self.pending), set()
        return "change", json.dumps({"conversations": conversations}, separators=(",", ":"))


class Hub:
    """One Redis subscription for all the pages of this process.

    Pages only come and go in `_audiences`; the listener alone speaks to Redis and makes its subscription follow. A page
    whose channel was just subscribed is told to refresh: whatever was published before is in what it then fetches.
    """

    def __init__(self) -> None:
        self._audiences: dict[str, set[Audience]] = {}
        self._subscribed: set[str] = set()
        self._listener: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def clients(self) -> int:
        return sum(map(len, self._audiences.values()))

    async def join(self, audience: Audience) -> None:
        self._audiences.setdefault(channel(audience.tenant_id), set()).add(audience)
        self._changed.set()
        counters.level("live_clients", self.clients)
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())

    async def leave(self, audience: Audience) -> None:
        name = channel(audience.tenant_id)
        members = self._audiences.get(name, set())
        members.discard(audience)
        if not members:
            self._audiences.pop(name, None)
        self._changed.set()
        counters.level("live_clients", self.clients)

    async def _listen(self) -> None:
        delay = FIRST_RETRY_SECONDS
        while self._audiences:
            try:
                client = redis.asyncio.Redis.from_url(settings.REDIS_URL, health_check_interval=HEALTH_SECONDS)
                async with client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    async for facts, name in self._facts(pubsub):
                        delay = FIRST_RETRY_SECONDS
                        for audience in list(self._audiences.get(name, ())):
                            audience.tell(facts)
            except (redis.RedisError, OSError):
                log.warning("live subscription lost")
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY_SECONDS)
            except Exception:
                # Pages that are open must not go deaf for good because of what nobody foresaw.
                log.exception("live subscription failed")
                await asyncio.sleep(LONGEST_RETRY_SECONDS)

    async def _facts(self, pubsub: Any) -> AsyncGenerator[tuple[list[list[Any]], str], None]:
        """What is published for the tenants that have pages here, until there are none. Raises when Redis is lost."""
        reading: asyncio.Task[Any] | None = None
        try:
            while self._audiences:
                self._changed.clear()
                await self._follow(pubsub)
                reading = reading or asyncio.create_task(pubsub.get_message(timeout=HEALTH_SECONDS))
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait({reading, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if not reading.done():
                    continue
                message, reading = reading.result(), None
                if message and message["type"] == "message":
                    yield json.loads(message["data"]), message["channel"].decode()
        finally:
            self._subscribed = set()
            if reading:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _follow(self, pubsub: Any) -> None:
        """Subscribe to what has pages and to nothing else; the pages of a new channel refresh."""
        wanted = set(self._audiences)
        if new := wanted - self._subscribed:
            await pubsub.subscribe(*new)
            for name in new:
                for audience in self._audiences.get(name, ()):
                    audience.overflowed = True
                    audience.rang.set()
        if old := self._subscribed - wanted:
            await pubsub.unsubscribe(*old)
        self._subscribed = wanted


hub = Hub()


async def events(audience: Audience) -> AsyncGenerator[bytes, None]:
    """The stream of one page, for ever: one `refresh` first, then coalesced changes, and heartbeats between them."""
    number = 0
    await hub.join(audience)
    audience.overflowed = True  # between rendering the page and this moment something may have changed
    audience.rang.set()
    try:
        yield b"retry: 2000\n\n"
        await asyncio.sleep(COALESCE_SECONDS)  # the subscription asks for a refresh too: one is enough
        while True:
            try:
                await asyncio.wait_for(audience.rang.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                yield b": \n\n"
                continue
            event = audience.take()
            if event:
                number += 1
                yield f"id: {number}\nevent: {event[0]}\ndata: {event[1]}\n\n".encode()
                await asyncio.sleep(COALESCE_SECONDS)  # the first at once; what comes now goes out together
    finally:
        await hub.leave(audience)
