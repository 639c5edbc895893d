"""A phone that shares a number hands over its address book and its chats: each once, within a day of being connected.

Source: Cloud API, "Onboarding WhatsApp Business app users": `POST /{phone}/smb_app_data`, and the webhooks that follow.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import webhooks
from .courier import Webhook
from .errors import GraphError
from .meta_http import NODE, form_or_json, graph, token_of, world_of
from .numbers import Number
from .personas import PEOPLE, Persona
from .threads import Thread
from .world import World

DAY_S = 24 * 3600
CONTACTS, HISTORY = "smb_app_state_sync", "history"
# (days ago, whether the customer says it, what) of a talk before the simulator looked; the customer's opener comes first.
_EARLIER = (
    (150, False, "¡Hola {name}! Sí, tenemos. ¿Te lo separamos?"),
    (150, True, "Sí, por favor"),
    (40, True, "Hola otra vez, ¿me guardan otro par?"),
    (40, False, "Claro que sí. Te esperamos en la tienda."),
    (0, True, "Ya estoy cerca, gracias"),
)
_PHASES = ((0, 1, 35), (1, 90, 70), (90, 180, 100))  # Meta's: from and to how many days ago, and how much has come then
_STEP_S = 0.2  # from one webhook to the next


@graph
async def hand_over(request: Request) -> Response:
    world = world_of(request)
    number = world.numbers.get_or_register(request.path_params["node"])
    world.numbers.authorize(number=number, token=token_of(request))
    body = await form_or_json(request)
    kind = str(body.get("sync_type") or "")
    if body.get("messaging_product") != "whatsapp" or kind not in (CONTACTS, HISTORY):
        raise GraphError(100, f"Param sync_type must be one of {{{CONTACTS}, {HISTORY}}}")
    if not number.about.get("is_on_biz_app"):
        raise GraphError(100, "The phone number is not used with the WhatsApp Business app.")
    if kind in number.handed_over:
        raise GraphError(2593107)
    if world.clock.now() - (number.onboarded_at or world.began_at) > DAY_S:
        raise GraphError(2593108)
    number.handed_over.add(kind)
    values = _contacts(world, number) if kind == CONTACTS else _history(world, number)
    for at, value in enumerate(values, 1):
        label = "agenda del teléfono" if kind == CONTACTS else "chats del teléfono"
        world.courier.post(Webhook(kind, number.account_id, number, value, label=label), delay=at * _STEP_S)
    world.journal.add("handover", world.clock.now(), number_id=number.id, text=f"{kind} · {number.name}")
    return JSONResponse({"messaging_product": "whatsapp", "request_id": secrets.token_hex(16)})


def _contacts(world: World, number: Number) -> Iterator[dict[str, Any]]:
    """Everybody in the phone's address book, in one webhook."""
    entries = [
        {
            "type": "contact",
            "contact": {"full_name": one.name, "first_name": one.first_name, "phone_number": one.address},
            "action": "add",
            "metadata": {"timestamp": str(int(world.clock.now()))},
        }
        for one in _acquaintances()
    ]
    yield webhooks.value_of(number, state_sync=entries)


def _history(world: World, number: Number) -> Iterator[dict[str, Any]]:
    """The chats in Meta's three phases, the nearest days first; then a file, which follows its place. Or that none is shared."""
    if not number.shares_history:
        error = {
            "code": 2593109,
            "title": "User declined to share history",
            "message": "History sharing is turned off by the business from the WhatsApp Business App",
        }
        yield webhooks.value_of(number, history=[{"errors": [error]}])
        return
    now = world.clock.now()
    said = [(one.address, list(_talk(one, number, now))) for one in _acquaintances()]
    said += [
        (one.wa_id, list(_shown(one, number))) for one in world.threads if one.number_id == number.id and one.wa_id
    ]
    for phase, (nearest, farthest, progress) in enumerate(_PHASES):
        threads = []
        for customer, messages in said:
            within = [one for one in messages if nearest <= (now - int(one["timestamp"])) / DAY_S < farthest]
            if within:
                threads.append({"id": customer, "messages": within})
        about = {"phase": phase, "chunk_order": 1, "progress": progress}
        yield webhooks.value_of(number, history=[{"metadata": about, "threads": threads}])
    yield _file(world, number, now)


def _talk(one: Persona, number: Number, now: float) -> Iterator[dict[str, Any]]:
    opener = next((line for line in one.openers[0] if isinstance(line, str)), "Hola")
    lines = [(150, True, opener), *_EARLIER]
    for at, (days, mine, text) in enumerate(lines):
        moment = now - days * DAY_S - (len(lines) - at) * 60
        yield _message(
            _id(number, one, at), moment, number, one.address, mine=mine, text=text.format(name=one.first_name)
        )
    if one is _acquaintances()[0]:
        moment = now - 5 * DAY_S
        placeholder = _message(_id(number, one, 99), moment, number, one.address, mine=True, text="")
        placeholder.pop("text")
        yield placeholder | {"type": "media_placeholder"}


def _file(world: World, number: Number, now: float) -> dict[str, Any]:
    one = _acquaintances()[0]
    media_id, media = world.media.sample("image")
    image = {"id": media_id, "mime_type": media.mime_type, "sha256": media.sha256_base64, "caption": "Así las quiero"}
    message = {
        "from": one.address,
        "id": _id(number, one, 99),
        "timestamp": str(int(now - 5 * DAY_S)),
        "type": "image",
        "image": image,
    }
    return webhooks.value_of(number, messages=[message])


def _shown(thread: Thread, number: Number) -> Iterator[dict[str, Any]]:
    """What this phone shows of a talk: the application has it under the same ids."""
    for bubble in thread.bubbles:
        if bubble.type == "text" and bubble.text and not bubble.revoked:
            yield _message(bubble.id, bubble.at, number, thread.wa_id, mine=bubble.mine, text=bubble.text)


def _message(wamid: str, at: float, number: Number, customer: str, *, mine: bool, text: str) -> dict[str, Any]:
    """`mine`: the customer said it."""
    sides = {"from": customer} if mine else {"from": number.digits, "to": customer}
    about = {"id": wamid, "timestamp": str(int(at)), "type": "text", "text": {"body": text}}
    return sides | about | {"history_context": {"status": "READ"}}


def _id(number: Number, one: Persona, at: int) -> str:
    """The same every time: what is handed over after another connection is what was handed over before."""
    return "wamid." + base64.b64encode(hashlib.sha256(f"{number.id}/{one.key}/{at}".encode()).digest()).decode()


def _acquaintances() -> list[Persona]:
    """Those of the simulated customers who have a phone number."""
    return [one for one in PEOPLE if one.address.isdigit()]


routes = [Route(f"{NODE}/smb_app_data", hand_over, methods=["POST"])]
