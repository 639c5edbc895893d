"""The Celery application. Redis carries bells only: whatever it loses, the sweep finds again in Postgres."""

import os
import threading
import time
import warnings
from typing import Any

from celery import Celery, signals
from celery.exceptions import SecurityWarning
from kombu.transport import redis as redis_transport
from redis.exceptions import ConnectionError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

# Containers and trial machines run as root; messages are JSON, which is what the warning is about.
warnings.filterwarnings("ignore", category=SecurityWarning)


class Channel(redis_transport.Channel):
    """A channel to Redis that may close while it has unacknowledged bells, because Redis went away.

    kombu then fails with AttributeError, on putting them back and on acknowledging what was done meanwhile, and the
    worker ends. Putting back is left to `visibility_timeout` (the sweep finds what they were about long before), and an
    acknowledgement finds the connection lost, which celery expects.
    """

    do_restore = False

    def _connparams(self, *args: Any, **options: Any) -> Any:
        if self.connection is None:
            raise ConnectionError("the channel is closed")
        return super()._connparams(*args, **options)  # type: ignore[misc]


redis_transport.Transport.Channel = Channel

app = Celery("crm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()  # for every thread: a request rings from one that did not make the app
app.autodiscover_tasks()
app.autodiscover_tasks(["crm"], related_name="bells")


@signals.worker_ready.connect
def _settle(**kwargs: Any) -> None:
    from crm.garbage import keep_what_is_loaded

    keep_what_is_loaded()


@signals.worker_ready.connect
def _beat_the_heart(**kwargs: Any) -> None:
    """Show `/readyz` that a worker is alive, whatever its tasks are busy with."""
    from tenants import counters

    def beat() -> None:
        while True:
            counters.heartbeat("worker")
            time.sleep(5)

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
