"""The simulator's page, as a person uses it."""

import urllib.request
from urllib.parse import urlencode

from whatsapp.simulator.process import Simulator

DIEGO, BRUNO, JORGE = "51987650101", "51987650808", "5215561230707"


def page(simulator: Simulator, **query: str) -> str:
    with urllib.request.urlopen(f"{simulator.url}/?{urlencode(query)}") as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        return answer.read().decode()


def submit(simulator: Simulator, path: str, **fields: str) -> str:
    with urllib.request.urlopen(f"{simulator.url}{path}", urlencode(fields).encode()) as answer:
        return answer.read().decode()
