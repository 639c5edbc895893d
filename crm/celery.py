"""The Celery application. Redis carries bells only: whatever it loses, the sweep finds again in Postgres."""

import os
import threading
import time
import warnings
from typing import Any

from celery import Celery, signals
from celery.exceptions import SecurityWarning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")

# Containers and trial machines run as root; messages are JSON, which is what the warning is about.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("crm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()  # for every thread: a request rings from one that did not make the app
app.autodiscover_tasks()
app.autodiscover_tasks(["crm"], related_name="bells")


@signals.worker_ready.connect
def _beat_the_heart(**kwargs: Any) -> None:
    """Show `/readyz` that a worker is alive, whatever its tasks are busy with."""
    from tenants import counters

    def beat() -> None:
        while True:
            counters.heartbeat("worker")
            time.sleep(5)

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
