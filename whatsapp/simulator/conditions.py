"""What a number needs before it works, broken and mended on purpose: `POST /control/numbers`.

Each of them can be broken alone; what the application does about it (register, subscribe, direct webhooks) mends it.
"""

import asyncio
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from .errors import GraphError
from .numbers import Number
from .world import World

# What a request may change of a number besides `about`, which takes anything that Meta tells of one.
_PLAIN = (
    "registered", "pin", "token_state", "token_expires_at", "token_kind", "callback_url", "given_verify_token",
    "onboarded_at", "shares_history",
)  # fmt: skip
KNOWN = ("phone_number_id", "subscribed", "scopes", "about", *_PLAIN)


def set_conditions(world: World, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Change what a number is like and give all of it. Raises ValueError for what is not known, and changes nothing."""
    unknown = wish.keys() - set(KNOWN)
    if unknown:
        raise ValueError(f"No such condition: {', '.join(sorted(unknown))}. There are: {', '.join(KNOWN)}")
    number = world.numbers.get(str(wish.get("phone_number_id") or ""))
    if number is None:
        raise ValueError("Say which number: phone_number_id.")
    for name in _PLAIN:
        if name in wish:
            setattr(number, name, wish[name])
    if "onboarded_at" in wish:
        number.onboarded_at = float(wish["onboarded_at"])
        number.handed_over.clear()  # another connection
    if "scopes" in wish:
        number.scopes = tuple(wish["scopes"])
    if wish.get("subscribed") is True:
        world.numbers.subscribed.setdefault(number.account_id, {})
    elif wish.get("subscribed") is False:
        world.numbers.subscribed.pop(number.account_id, None)
    number.about |= wish.get("about") or {}
    return {name: getattr(number, name) for name in (*_PLAIN, "scopes", "about")} | {
        "phone_number_id": number.id,
        "subscribed": world.numbers.hears(number),
    }


async def direct(world: World, number: Number, address: Mapping[str, Any]) -> None:
    """Point a number's webhooks at an address, which has to know the verify token. Raises GraphError when it does not."""
    url = str(address.get("override_callback_uri") or "")
    if not url:
        number.callback_url = None
        return
    given = number.given_verify_token
    verify_token = str(address.get("verify_token") or "") if given is None else given
    status, answered = await shake_hands(url, verify_token=verify_token)
    if not answered:
        raise GraphError(2200, f"Callback verification failed with the following errors: HTTP Status Code = {status}")
    number.callback_url = url


async def shake_hands(url: str, *, verify_token: str) -> tuple[int, bool]:
    """(the status, whether the challenge came back), as Meta asks when an address is saved."""
    challenge = str(secrets.randbelow(10**10))
    query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
    status, body = await asyncio.to_thread(fetch, f"{url}?{urlencode(query)}")
    return status, status == 200 and body == challenge


def fetch(url: str) -> tuple[int, str]:
    """The status and the text of an address; status 0 when nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the application's own address
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, ""
    except (OSError, ValueError):
        return 0, ""
