"""The bodies Meta posts: the envelope, and the value of each field. Pure; the shapes are those of Meta's documentation."""

import hashlib
import hmac
import json
from typing import Any

from .numbers import Number


def envelope(changes: list[tuple[str, str, dict[str, Any]]], *, at: float | None = None) -> dict[str, Any]:
    """One POST for these (account id, field, value) changes; changes of one account share an entry."""
    entries: dict[str, dict[str, Any]] = {}
    for account_id, field, value in changes:
        entry = entries.setdefault(account_id, {"id": account_id, "changes": []})
        if at is not None:
            entry["time"] = int(at)
        entry["changes"].append({"field": field, "value": value})
    return {"object": "whatsapp_business_account", "entry": list(entries.values())}


def encode(body: dict[str, Any]) -> bytes:
    """Bytes as Meta writes them: compact, everything outside ASCII as \\uXXXX, slashes escaped."""
    return json.dumps(body, separators=(",", ":")).replace("/", "\\/").encode()


def sign(body: bytes, *, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def value_of(number: Number, **parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The value of a messaging field: which number it concerns, then contacts, messages, statuses …"""
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number.digits, "phone_number_id": number.id},
        **{name: items for name, items in parts.items() if items},
    }


def join(values: list[dict[str, Any]]) -> dict[str, Any]:
    """Several values of one number and field as one, their lists appended; a person is named once."""
    joined: dict[str, Any] = {}
    for value in values:
        for name, part in value.items():
            if isinstance(part, list):
                joined.setdefault(name, []).extend(part)
            else:
                joined[name] = part
    if "contacts" in joined:
        joined["contacts"] = list({json.dumps(one, sort_keys=True): one for one in joined["contacts"]}.values())
    return joined


def contact(*, name: str, wa_id: str, bsuid: str, username: str = "", parent_bsuid: str = "") -> dict[str, Any]:
    """Who a webhook is about. Without a phone the key is missing, as newer versions of Meta's page say."""
    profile: dict[str, Any] = {"name": name}
    if username:
        profile["username"] = username
    about: dict[str, Any] = {"profile": profile}
    if wa_id:
        about["wa_id"] = wa_id
    if bsuid:
        about["user_id"] = bsuid
    if parent_bsuid:
        about["parent_user_id"] = parent_bsuid
    return about
