"""Everything the simulator holds, in one place, for the life of the process."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from . import remembering, storage
from .clock import Clock
from .courier import Courier
from .faults import Faults
from .flows import Flows
from .journal import Journal
from .ledger import Ledger
from .limits import Limits
from .media import MediaStore
from .numbers import Number, Numbers
from .personas import PERSONAS, Persona
from .settings import Settings
from .templates import Templates
from .threads import Threads


class World:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.numbers = Numbers(app_url=self.settings.webhook_url)
        self.templates = Templates()
        self.flows = Flows()
        self.media = MediaStore()
        self.threads = Threads()
        self.ledger = Ledger()
        self.limits = Limits()
        self.faults = Faults()
        self.journal = Journal()
        self.courier = Courier(
            settings=settings, faults=self.faults, journal=self.journal, now=self.clock.now, route=self.route
        )
        self.progress: dict[tuple[str, str], Any] = {}  # how far each simulated customer is; see playing
        self.traffic = {"running": settings.traffic, "per_minute": 1.5}
        self.forms: dict[tuple[str, str], Any] = {}  # Flows that are open on phones; see filling
        self.uploads: dict[str, int] = {}  # session of a resumable upload: how many bytes it will have
        self.closing = False
        self._planned: list[asyncio.TimerHandle] = []
        self._jobs: set[asyncio.Task[None]] = set()
        storage.load(self)
        self.began_at = self.clock.now()
        remembering.remember_seed(self)

    def keep(self, job: "asyncio.Task[None]") -> None:
        """Hold on to a running job: the loop itself keeps only weak references."""
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def later(self, seconds: float, act: Callable[..., object], *given: object) -> None:
        """Do something after a while, unless everything is reset before."""
        self._planned = [one for one in self._planned if not one.cancelled() and one.when() > time.monotonic()]
        self._planned.append(asyncio.get_running_loop().call_later(seconds, act, *given))

    def route(self, number: Number | None) -> str | None:
        """The path of our application at which a number's webhooks arrive; None when they arrive nowhere."""
        if number is None:
            return urlsplit(self.settings.webhook_url).path
        url = self.settings.webhook_url if number.callback_url is None else number.callback_url
        is_ours = url.startswith(f"{self.settings.app_url}/webhooks/")
        return urlsplit(url).path if is_ours and self.numbers.hears(number) else None

    def persona_of(self, address: str) -> Persona | None:
        return PERSONAS.get(address)

    def name_of(self, address: str) -> str:
        persona = PERSONAS.get(address)
        return persona.name if persona else ""

    def reset(self) -> None:
        """Back to the first minute: the seed's threads alone, no ledger, no faults, real time, the declared numbers."""
        self.courier.forget()
        for planned in self._planned:
            planned.cancel()
        for job in list(self._jobs):
            job.cancel()
        self.ledger.clear()
        self.threads.clear()
        self.limits.reset()
        self.faults.reset()
        self.media.reset()
        self.progress.clear()
        self.traffic = {"running": self.settings.traffic, "per_minute": 1.5}
        self.clock.offset_s = 0.0
        self.began_at = self.clock.now()
        self.numbers = Numbers(app_url=self.settings.webhook_url)
        self.templates = Templates()
        self.flows = Flows()
        self.forms.clear()
        remembering.remember_seed(self)
        self.journal.entries.clear()
        self.journal.touch()
