"""Those who watch while messages arrive: an open stream, and an open page in a real browser."""

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client

from tenants.models import Membership

MARK = re.compile(r"latency-\d+")
_CHROMIUM = Path("/usr/bin/chromium")
# The moment at which a mark first stands in the page, by the clock that the load generator reads too.
_NOTE_WHAT_SHOWS = """() => {
  window.shown = {};
  const note = (node) => (node.textContent.match(/latency-\\d+/g) ?? []).forEach((mark) => { window.shown[mark] ??= Date.now(); });
  new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach(note)))
    .observe(document.body, { childList: true, subtree: true });
}"""


def session_of(membership: Membership) -> str:
    """The session cookie of somebody who is signed in."""
    client = Client()
    client.force_login(membership.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value


class Stream(threading.Thread):
    """Listens to `/live/`; `heard` has each event's moment and the conversations it names."""

    def __init__(self, *, port: int, session: str) -> None:
        super().__init__(daemon=True)
        self.heard: list[tuple[float, frozenset[str]]] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.request("GET", "/live/", headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"})
        self._answer = self._connection.getresponse()
        if self._answer.status != 200:
            raise RuntimeError(f"The stream answered {self._answer.status}.")

    def run(self) -> None:
        try:
            for line in iter(self._answer.readline, b""):
                if line.startswith(b"data:"):
                    named = json.loads(line[5:]).get("conversations", ())
                    self.heard.append((time.time(), frozenset(named)))
        except (OSError, ValueError, AttributeError):
            return  # closed at the end, by us or by the server

    def moment_of(self, conversation_id: str, *, after: float) -> float | None:
        return next((at for at, named in self.heard if at >= after and conversation_id in named), None)


@contextmanager
def browser_page(url: str, *, session: str) -> Iterator[Any]:
    """An agent's page in Chromium, noting what shows; raises playwright's Error where there is no browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = {"executable_path": str(_CHROMIUM)} if _CHROMIUM.exists() else {}
        browser = playwright.chromium.launch(args=["--no-sandbox", "--disable-gpu"], **found)
        try:
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session, "domain": "127.0.0.1", "path": "/"}
            context.add_cookies([cookie])
            page = context.new_page()
            page.goto(url)
            page.wait_for_selector("#rows .list-row")
            page.evaluate(_NOTE_WHAT_SHOWS)
            yield page
        finally:
            browser.close()


def shown_on(page: Any) -> dict[str, float]:
    """When each mark was first in the page, in seconds since 1970."""
    return {mark: at / 1000 for mark, at in page.evaluate("window.shown").items()}
