"""Deliveries in Meta's wire format, one file a kind, composed from the shapes of the Cloud API's webhook reference."""

import json
from pathlib import Path
from typing import Any

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.json"))


def body(name: str) -> bytes:
    return (Path(__file__).parent / f"{name}.json").read_bytes()


def document(name: str) -> dict[str, Any]:
    return json.loads(body(name))
