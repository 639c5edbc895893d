"""Delivers webhooks: when they are due, signed, several at once, again with growing waits until the answer is 200.

The heap and every setting belong to the event loop; worker threads only post bytes over connections they keep open.
"""

import asyncio
import contextlib
import heapq
import http.client
import itertools
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from . import webhooks
from .faults import Faults
from .journal import Journal
from .numbers import Number
from .settings import Settings

LONGEST_WAIT_S = 60
LIFE_S = 7 * 24 * 3600  # Meta repeats a delivery for up to seven days
_BATCHED = {"messages"}


@dataclass(slots=True)
class Webhook:
    """One update for the application: a value of a field of an account, or a literal body."""

    field: str
    account_id: str
    number: Number | None
    value: dict[str, Any]
    recipient: str = ""
    label: str = ""  # what the journal calls it
    message_id: str = ""
    raw: bytes | None = None
    path: str = ""  # of the application, when it is posted
    on_delivered: Callable[[], None] | None = None


@dataclass(slots=True)
class Parcel:
    """Webhooks on their way in one POST."""

    body: bytes
    webhooks: list[Webhook]
    tries: int = 0
    first_at: float = field(default_factory=time.monotonic)


class Courier:
    def __init__(
        self,
        *,
        settings: Settings,
        faults: Faults,
        journal: Journal,
        now: Callable[[], float],
        route: Callable[[Number | None], str | None],
    ) -> None:
        self._settings, self._faults, self._journal, self._now = settings, faults, journal, now
        self._route = route
        self._due: list[tuple[float, int, Webhook | Parcel]] = []
        self._order = itertools.count()
        self._held: list[Webhook] = []
        self._ready: queue.SimpleQueue[Parcel | None] = queue.SimpleQueue()
        self._wake = asyncio.Event()
        self._threads: list[threading.Thread] = []
        self.delivered = 0
        self.failed_tries = 0
        self.under_way = 0

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        for _ in range(self._settings.connections):
            thread = threading.Thread(target=self._work, daemon=True)
            thread.start()
            self._threads.append(thread)
        while True:
            wait = self._due[0][0] - time.monotonic() if self._due else 3600.0
            if wait > 0:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
                continue
            self._send_due()
            await asyncio.sleep(0.002)  # lets what is due at about the same time share a batch

    def stop(self) -> None:
        for _ in self._threads:
            self._ready.put(None)

    def post(self, webhook: Webhook, *, delay: float = 0.0) -> None:
        """Have this webhook delivered after `delay` seconds, as the faults for its number and recipient say."""
        path = self._route(webhook.number)
        if path is None:
            self._note("nowhere", webhook, detail="nadie está suscrito en esta dirección")
            return
        webhook.path = path
        delay += float(self._settings_of(webhook)["webhook_delay_s"])
        self._push(webhook, time.monotonic() + delay)

    def release(self) -> None:
        """Look again at what is held; call it when the faults changed."""
        held, self._held = self._held, []
        for webhook in held:
            self._push(webhook, time.monotonic())

    def forget(self) -> None:
        self._due.clear()
        self._held.clear()

    def as_json(self) -> dict[str, int]:
        return {
            "delivered": self.delivered,
            "failed_tries": self.failed_tries,
            "waiting": len(self._due),
            "held": len(self._held),
            "under_way": self.under_way,
        }

    def _push(self, what: Webhook | Parcel, due: float) -> None:
        soonest = self._due[0][0] if self._due else float("inf")
        heapq.heappush(self._due, (due, next(self._order), what))
        if due < soonest:
            self._wake.set()

    def _send_due(self) -> None:
        now = time.monotonic()
        groups: dict[tuple[str, str], list[Webhook]] = {}
        while self._due and self._due[0][0] <= now:
            what = heapq.heappop(self._due)[2]
            if isinstance(what, Parcel):
                self._hand_over(what)
                continue
            settings = self._settings_of(what)
            if settings["webhook_hold"]:
                self._held.append(what)
                continue
            times = max(1, int(settings["duplicate"]))
            if times > 1:
                self._note("duplicate", what, detail=f"{times} veces")
            batch = int(settings["batch"]) if what.field in _BATCHED and what.number and what.raw is None else 1
            for _ in range(times):
                if batch <= 1:
                    self._hand_over(Parcel(self._encode([what]), [what]))
                    continue
                key = (what.value["metadata"]["phone_number_id"], what.field)
                group = groups.setdefault(key, [])
                group.append(what)
                if len(group) >= batch:
                    self._hand_over(Parcel(self._encode(group), groups.pop(key)))
        for group in groups.values():
            self._hand_over(Parcel(self._encode(group), group))

    def _encode(self, group: list[Webhook]) -> bytes:
        first = group[0]
        if first.raw is not None:
            return first.raw
        value = first.value if len(group) == 1 else webhooks.join([webhook.value for webhook in group])
        at = self._now() if first.field != "messages" else None
        return webhooks.encode(webhooks.envelope([(first.account_id, first.field, value)], at=at))

    def _hand_over(self, parcel: Parcel) -> None:
        self.under_way += 1
        self._ready.put(parcel)

    def _answered(self, parcel: Parcel, status: int) -> None:
        self.under_way -= 1
        if status == 200:
            self.delivered += len(parcel.webhooks)
            for webhook in parcel.webhooks:
                if webhook.on_delivered:  # once, however often it is repeated
                    tell, webhook.on_delivered = webhook.on_delivered, None
                    tell()
            return
        self.failed_tries += 1
        parcel.tries += 1
        if time.monotonic() - parcel.first_at > LIFE_S:
            return
        wait = min(LONGEST_WAIT_S, self._settings.retry_s * 2 ** min(parcel.tries - 1, 10)) * random.uniform(0.8, 1.2)  # noqa: S311
        if parcel.tries in (1, 4):
            reason = f"HTTP {status}" if status else "sin respuesta de la aplicación"
            self._note("retry", parcel.webhooks[0], detail=f"{reason}; otra vez en {wait:.0f} s")
        self._push(parcel, time.monotonic() + wait)

    def _note(self, kind: str, webhook: Webhook, *, detail: str) -> None:
        self._journal.add(
            kind, self._now(), number_id=webhook.number.id if webhook.number else "", customer=webhook.recipient,
            message_id=webhook.message_id, text=webhook.label, detail=detail,
        )  # fmt: skip

    def _settings_of(self, webhook: Webhook) -> dict[str, Any]:
        number = webhook.number
        return self._faults.resolve(
            number_id=number.id if number else "", known=number.known if number else True, recipient=webhook.recipient
        )

    def _work(self) -> None:
        line = _Line(self._settings.webhook_url)
        while (parcel := self._ready.get()) is not None:
            status = line.post(
                parcel.body,
                path=parcel.webhooks[0].path,
                signature=webhooks.sign(parcel.body, secret=self._settings.app_secret),
            )
            try:
                self._loop.call_soon_threadsafe(self._answered, parcel, status)
            except RuntimeError:  # the loop is closed: the process is ending
                return


class _Line:
    """One connection to the application, kept open between posts."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, *, path: str, signature: str) -> int:
        """The HTTP status, or 0 when there was no answer.

        A server closes a connection that was idle: what was written on such a one goes at once over a fresh one.
        """
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": signature,
        }
        was_kept = self._connection is not None
        try:
            self._connection = self._connection or self._connect()
            self._connection.request("POST", path or self._url.path, body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            if self._connection:
                self._connection.close()
            self._connection = None
            if was_kept and isinstance(error, ConnectionError):
                return self.post(body, path=path, signature=signature)
            return 0
        return answer.status

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        return kind(self._url.hostname or "127.0.0.1", self._url.port, timeout=15)
