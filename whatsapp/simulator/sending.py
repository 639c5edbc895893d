"""The business sends: refuse it as Meta would, or accept it, write it in the ledger and put it on the customer's phone."""

import time
from dataclasses import dataclass
from typing import Any

from . import playing, reporting, templates, validating
from .errors import GraphError
from .faults import digits, happens
from .identities import message_id, wa_id_of
from .ledger import Entry
from .numbers import Number
from .threads import Bubble, Thread
from .world import World

Body = dict[str, Any]
TYPING_S = 25


class Unanswered(Exception):
    """The connection must be cut: the sender never learns what became of this message."""


@dataclass(slots=True)
class Accepted:
    """A message Meta took, on its way to the customer."""

    number: Number
    thread: Thread
    wamid: str
    kind: str
    at: float
    text: str
    reference: str
    category: str
    by_bsuid: bool
    settings: dict[str, Any]
    failure: int = 0  # the code with which it will be reported as failed


def accept(world: World, *, number: Number, token: str, body: Body, raw: bytes) -> Body:
    """Take one message and give Meta's answer.

    Raises GraphError for a refusal, and Unanswered when a fault says that the connection breaks before or after acceptance.
    """
    recipient = digits(body.get("to") or body.get("recipient"))
    settings = world.faults.resolve(number_id=number.id, known=number.known, recipient=recipient)
    world.numbers.authorize(number=number, token=token, expected=settings["token"])
    if "whatsapp_business_messaging" not in number.scopes:
        raise GraphError(200, "Requires whatsapp_business_messaging permission")
    if not number.registered:
        raise GraphError(133010)
    if happens(settings["drop"]):
        world.journal.add(
            "lost", world.clock.now(), number_id=number.id, customer=recipient, detail="rechazado antes de aceptar"
        )
        if settings["drop_with"] == "reset":
            raise Unanswered
        raise GraphError(131000, status=500)
    if code := world.faults.take_error(number_id=number.id, recipient=recipient):
        raise GraphError(code)
    if body.get("status") == "read":
        return _mark_read(world, number, body)
    kind = validating.check(body)
    template = _check_template(world, number, body["template"]) if kind == "template" else None
    if kind == "interactive" and body[kind]["type"] == "flow" and number.known:
        world.flows.check_sending(account_id=number.account_id, parameters=body[kind]["action"]["parameters"])
    thread = _thread_of(world, number, body, recipient, settings)
    _take_limits(world, number, thread, settings)
    message = _message(world, number, thread, body, kind, template, settings)
    if message.failure == 131047 and settings["window"] == "refused":
        raise GraphError(131047)
    _record(world, message, token=token, body=body, raw=raw, template=template)
    reporting.report(world, message)
    playing.react(world, message)
    if happens(settings["answer_lost"]):
        world.journal.add(
            "lost", world.clock.now(), number_id=number.id, customer=thread.address, message_id=message.wamid,
            text=message.text, detail="aceptado, sin respuesta",
        )  # fmt: skip
        raise Unanswered
    return _answer(body, thread, message)


def _answer(body: Body, thread: Thread, message: Accepted) -> Body:
    if message.by_bsuid:
        contact = {"input": body["recipient"], "user_id": body["recipient"]}
    else:
        contact = {"input": body["to"], "wa_id": thread.wa_id}
    sent: Body = {"id": message.wamid}
    if message.kind == "template":
        sent["message_status"] = "accepted"
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [sent]}


def _mark_read(world: World, number: Number, body: Body) -> Body:
    """Blue ticks up to this message, and “typing…” when asked."""
    wamid = str(body.get("message_id") or "")
    if not wamid.startswith("wamid."):
        raise GraphError(131009, "Invalid message_id.")
    thread = world.threads.of_message(wamid)
    if thread and thread.number_id == number.id:
        if body.get("typing_indicator"):
            thread.typing_until = time.monotonic() + TYPING_S
        for bubble in thread.bubbles:
            if bubble.mine:
                bubble.status = "read"
            if bubble.id == wamid:
                break
        world.journal.touch()
    return {"success": True}


def _thread_of(world: World, number: Number, body: Body, recipient: str, settings: Body) -> Thread:
    by_bsuid = not body.get("to")
    if not by_bsuid and not (7 <= len(recipient) <= 15):
        raise GraphError(131009, "Parameter value is not valid: to must be a phone number.")
    if recipient == number.digits:
        raise GraphError(131021)
    allowed = settings["allowed_recipients"]
    if allowed is not None and recipient not in {digits(one) for one in allowed}:
        raise GraphError(131030)
    if by_bsuid:
        known = next((one for one in world.threads if one.bsuid == recipient and one.number_id == number.id), None)
        return known or world.threads.open(number_id=number.id, customer=recipient)
    known = world.threads.get(number_id=number.id, customer=recipient)
    return known or world.threads.open(number_id=number.id, customer=wa_id_of(recipient))


def _check_template(world: World, number: Number, content: Body) -> templates.Template | None:
    name, language = content["name"], content["language"]["code"]
    template = world.templates.find(account_id=number.account_id, name=name, language=language)
    if template is None:
        if number.known:
            raise GraphError(132001, f"template name ({name}) does not exist in {language}")
        return None
    components = content.get("components") or []
    templates.check(template, components)
    if (flow := templates.fill(template, components).get("flow")) and number.known:
        world.flows.check_sending(account_id=number.account_id, parameters=flow)
    return template


def _take_limits(world: World, number: Number, thread: Thread, settings: Body) -> None:
    if settings["throughput"] and not world.limits.take_throughput(
        number_id=number.id, per_second=float(settings["throughput"])
    ):
        raise GraphError(130429)
    if settings["pair"] and not world.limits.take_pair(number_id=number.id, recipient=thread.key):
        raise GraphError(131056)


def _message(
    world: World, number: Number, thread: Thread, body: Body, kind: str, template: Body | None, settings: Body
) -> Accepted:
    now = world.clock.now()
    if template:
        text = templates.fill(template, body["template"].get("components") or [])["text"]
    else:
        text = body["template"]["name"] if kind == "template" else validating.shown(kind, body[kind])
    message = Accepted(
        number, thread, message_id(thread.key, inbound=False), kind, now, text,
        str(body.get("biz_opaque_callback_data") or ""), str((template or {}).get("category", "service")).lower(),
        not body.get("to"), settings,
    )  # fmt: skip
    if settings["failed_code"]:
        message.failure = int(settings["failed_code"])
    elif kind != "template" and settings["window"] != "off" and not thread.window_left(now):
        message.failure = 131047
    elif kind in validating.MEDIA_TYPES and (media_id := body[kind].get("id")) and not world.media.holds(str(media_id)):
        message.failure = 131053
    return message


def _record(world: World, message: Accepted, *, token: str, body: Body, raw: bytes, template: Body | None) -> None:
    thread, number = message.thread, message.number
    to = digits(body.get("to") or body.get("recipient"))
    world.ledger.add(
        Entry(number.id, token[-6:], to, message.kind, message.wamid, message.reference, message.at, message.text, raw)
    )
    world.journal.add(
        "accepted", message.at, number_id=number.id, customer=thread.address, message_id=message.wamid, text=message.text,
        detail=message.kind,
    )  # fmt: skip
    thread.typing_until = 0.0
    if message.kind == "reaction":
        target = thread.find(body["reaction"]["message_id"])
        if target and body["reaction"]["emoji"]:
            target.reactions["business"] = body["reaction"]["emoji"]
        elif target:
            target.reactions.pop("business", None)
        return
    content = body[message.kind]
    media = content if message.kind in validating.MEDIA_TYPES else {}
    world.threads.add(
        thread,
        Bubble(
            message.wamid, False, message.kind, message.at, message.text, "accepted",
            str((body.get("context") or {}).get("message_id") or ""), str(media.get("id") or ""),
            str(media.get("link") or ""), str(media.get("filename") or ""), _drawn(message.kind, content, template),
        ),
    )  # fmt: skip


def _drawn(kind: str, content: Any, template: Body | None) -> Body:
    """What the page draws beyond the text: header, footer, buttons, rows, a place, cards."""
    if template:
        parts = templates.fill(template, content.get("components") or [])
        parts.pop("text")
        return parts
    if kind == "location":
        return {"place": content}
    if kind == "contacts":
        return {"cards": [one["name"]["formatted_name"] for one in content]}
    if kind == "audio" and content.get("voice"):
        return {"voice": True}
    if kind != "interactive":
        return {}
    action, parts = content.get("action") or {}, {}
    if (content.get("header") or {}).get("text"):
        parts["header"] = content["header"]["text"]
    if content.get("footer"):
        parts["footer"] = content["footer"].get("text", "")
    if content["type"] == "button":
        parts["buttons"] = [{"type": "reply", **one["reply"]} for one in action["buttons"]]
    elif content["type"] == "flow":
        parts["flow"] = action["parameters"]
    elif content["type"] == "list":
        parts["list"] = action["button"]
        parts["rows"] = [row for section in action["sections"] for row in section["rows"]]
    else:
        asked = action.get("parameters") or {}
        product = action.get("product_retailer_id")
        title = asked.get("display_text") or (f"Ver {product}" if product else "") or action.get("name") or "Abrir"
        parts["buttons"] = [
            {"type": "url" if content["type"] == "cta_url" else content["type"], "title": title, "id": title}
        ]
    return parts
