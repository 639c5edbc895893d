"""What becomes of an accepted message: sent, delivered, read or failed, each a webhook at its time."""

import random
import time
from typing import TYPE_CHECKING, Any

from . import webhooks
from .courier import Webhook
from .errors import as_status_error
from .faults import between
from .identities import bsuid_of
from .world import World

if TYPE_CHECKING:
    from .sending import Accepted

DELAYS: dict[str, tuple[float, float]] = {"sent": (0.25, 0.35), "delivered": (0.8, 1.2), "read": (2.0, 4.0)}
WORDS = {"sent": "enviado", "delivered": "entregado", "read": "leído", "failed": "falló"}
FAILED_DELAY = (0.3, 0.6)
FREE_SERVICES = 1000  # service messages a number sends free each month (Meta's price list from 2026-10-01)
FREE_ENTRY_S = 72 * 3600


def report(world: World, message: "Accepted") -> None:
    """Schedule the statuses of this message, with the faults and the habits of who receives it."""
    settings = message.settings
    withheld = settings["withhold_statuses"]
    if withheld is True:
        return
    withheld = set(withheld or ())
    if message.failure:
        if "failed" not in withheld:
            _schedule(world, message, "failed", between(list(FAILED_DELAY)))
        return
    steps = [(status, delay) for status, delay in _steps(world, message) if status not in withheld]
    if settings["reorder"] and len(steps) > 1:
        # The moments stay true and only the arrival is shuffled: never in the right order.
        delays = [delay for _, delay in steps]
        shift = random.randrange(1, len(delays))  # noqa: S311
        for (status, moment), delay in zip(steps, delays[shift:] + delays[:shift], strict=True):
            _schedule(world, message, status, delay, moment=moment)
        return
    for status, delay in steps:
        _schedule(world, message, status, delay)


def _steps(world: World, message: "Accepted") -> list[tuple[str, float]]:
    """The (status, seconds from acceptance) this message goes through, in order."""
    persona = world.persona_of(message.thread.address)
    asked = message.settings["status_delay"]
    steps, last = [], 0.0
    for status, usual in DELAYS.items():
        if isinstance(asked, dict):
            usual = asked.get(status, usual)
        elif asked is not None:
            usual = asked
        elif persona and persona.pace > 1:
            usual = (usual[0] * persona.pace, usual[1] * persona.pace)
        last = max(last, between(list(usual) if isinstance(usual, list | tuple) else usual))
        steps.append((status, last))
    if message.kind == "reaction":  # Meta reports only `sent` for a reaction
        return steps[:1]
    if message.settings["block"] or message.thread.blocked or (persona and persona.phone_off):
        return steps[:1]
    if persona and not persona.reads:
        return steps[:2]
    return steps


def _schedule(world: World, message: "Accepted", status: str, delay: float, *, moment: float | None = None) -> None:
    at = message.at + (delay if moment is None else moment)
    number = message.number
    about = _status(world, message, status, at)
    label = message.text or message.kind
    due = time.monotonic() + delay

    def delivered() -> None:
        bubble = message.thread.find(message.wamid)
        if bubble and _RANK.get(status, 0) > _RANK.get(bubble.status, 0):
            bubble.status = status
        world.journal.add(
            status, world.clock.now(), number_id=number.id, customer=message.thread.address, message_id=message.wamid,
            text=label, detail=_explanation(message, status, late=time.monotonic() - due),
        )  # fmt: skip

    contacts: list[dict[str, Any]] = []
    if status != "failed" and int(message.settings["batch"]) <= 1:
        thread = message.thread
        contacts = [webhooks.contact(name=thread.name, wa_id=thread.wa_id, bsuid=about["recipient_user_id"])]
    value = webhooks.value_of(number, contacts=contacts, statuses=[about])
    recipient = message.thread.address
    world.courier.post(
        Webhook("messages", number.account_id, number, value, recipient, f"{WORDS[status]} · {label}", message.wamid,
                on_delivered=delivered),
        delay=delay,
    )  # fmt: skip


def _status(world: World, message: "Accepted", status: str, at: float) -> dict[str, Any]:
    thread, number = message.thread, message.number
    about: dict[str, Any] = {"id": message.wamid, "status": status, "timestamp": str(int(at))}
    if thread.wa_id:
        about["recipient_id"] = thread.wa_id
    if status != "failed" or message.by_bsuid:
        about["recipient_user_id"] = thread.bsuid or bsuid_of(thread.key, account_id=number.account_id)
    if status == "failed":
        about["errors"] = [as_status_error(message.failure)]
    elif status in {"sent", "delivered"}:
        about["pricing"] = _pricing(message, status)
        if status == "sent" and about["pricing"]["type"] == "free_entry_point":
            about["conversation"] = {
                "id": message.wamid[-32:].lower(),
                "origin": {"type": "referral_conversion"},
                "expiration_timestamp": str(int(thread.referral_at + FREE_ENTRY_S)),
            }
    if message.reference:
        about["biz_opaque_callback_data"] = message.reference
    return about


def _pricing(message: "Accepted", status: str) -> dict[str, Any]:
    category, kind = message.category, "regular"
    if message.thread.referral_at and message.at - message.thread.referral_at < FREE_ENTRY_S:
        category, kind = "referral_conversion", "free_entry_point"
    elif category == "service":
        if status == "sent":
            message.number.free_services_used += 1
        if message.number.free_services_used <= FREE_SERVICES:
            kind = "free_customer_service"
    return {"billable": kind == "regular", "pricing_model": "PMP", "type": kind, "category": category}


def _explanation(message: "Accepted", status: str, *, late: float) -> str:
    if status == "failed":
        return f"{message.failure} {as_status_error(message.failure)['title']}"
    return f"{late:.0f} s tarde" if late > 2 else ""


_RANK = {"accepted": 0, "sent": 1, "failed": 2, "delivered": 3, "read": 4}
