"""A customer writes to one of our numbers: their phone shows it, their window opens, and the webhook goes out."""

import json
from typing import Any

from . import contents, webhooks
from .courier import Webhook
from .faults import digits
from .identities import bsuid_of, message_id
from .numbers import Number
from .threads import Bubble, Thread
from .world import World

Spec = dict[str, Any]

_OF_A_NUMBER = frozenset({"calls", "history", "smb_app_state_sync"})  # their value names the number
MOST_AT_ONCE = 5_000  # messages one request may ask for at most


class BadInbound(ValueError):
    """The request cannot become a message; the sentence says why."""


def receive(world: World, spec: Spec) -> list[str]:
    """Do what `POST /control/inbound` asks and give the ids of the messages made (none for `raw` and `field`)."""
    if "raw" in spec:
        _post_raw(world, spec["raw"])
        return []
    number = world.numbers.get_or_register(str(spec.get("phone_number_id") or ""))
    if spec.get("field"):
        _post_field(world, number, spec)
        return []
    if spec.get("type") == "user_preferences" or spec.get("preference"):
        _post_preference(world, number, spec)
        return []
    if not (spec.get("from") or spec.get("bsuid") or (spec.get("echo") and spec.get("to"))):
        raise BadInbound("Say who writes: “from” with a phone, or “bsuid”; for an echo, “to”.")
    thread = _thread_of(world, number, spec)
    count = int(spec.get("count") or 1)
    if not 1 <= count <= MOST_AT_ONCE:
        raise BadInbound(f"“count” goes from 1 to {MOST_AT_ONCE}.")
    post = _echo if spec.get("echo") else _write
    return [post(world, number, thread, _nth(spec, at, count)) for at in range(count)]


def _thread_of(world: World, number: Number, spec: Spec) -> Thread:
    if spec.get("echo"):
        address = str(spec.get("to") or spec.get("from"))
    else:
        address = str(spec.get("from") or spec.get("bsuid"))
    thread = world.threads.open(number_id=number.id, customer=address)
    thread.name = str(spec.get("name") or thread.name or world.name_of(thread.address) or "")
    thread.username = str(spec.get("username") or thread.username)
    thread.bsuid = str(spec.get("bsuid") or thread.bsuid or bsuid_of(thread.key, account_id=number.account_id))
    return thread


def _nth(spec: Spec, at: int, count: int) -> Spec:
    if count == 1:
        return spec
    text = spec.get("text")
    numbered = text.replace("{n}", str(at + 1)) if isinstance(text, str) else text
    return {**spec, "text": numbered, "id": None}


def _write(world: World, number: Number, thread: Thread, spec: Spec) -> str:
    at = float(spec.get("timestamp") or world.clock.now())
    parts = contents.parts_of(spec, media=world.media, now=at)
    wamid = str(spec.get("id") or message_id(thread.key, inbound=True))
    message: Spec = {"id": wamid, "timestamp": str(int(at)), **_sender(thread, spec), **parts, **_context(number, spec)}
    if referral := spec.get("referral"):
        message["referral"] = _referral() if referral is True else referral
        thread.referral_at = at
    if spec.get("group_id"):
        message["group_id"] = spec["group_id"]
    kind = parts["type"]
    thread.blocked = False  # nobody can write to whom they block
    _show(world, thread, wamid, parts, spec, at)
    if kind not in contents.SILENT:
        thread.last_inbound_at = max(thread.last_inbound_at, at)
    about = webhooks.contact(
        name=thread.name,
        wa_id="" if spec.get("hide_phone") else thread.wa_id,
        bsuid=thread.bsuid,
        username=thread.username,
        parent_bsuid=str(spec.get("parent_bsuid") or ""),
    )
    value = webhooks.value_of(number, contacts=[] if kind == "system" else [about], messages=[message])
    bubble = thread.find(wamid)

    def delivered() -> None:
        if bubble and bubble.status == "sent":
            bubble.status = "delivered"
            world.journal.touch()

    text = contents.shown(parts)
    world.journal.add(
        "inbound", at, number_id=number.id, customer=thread.address, message_id=wamid, text=text, detail=kind
    )
    world.courier.post(
        Webhook(
            "messages", number.account_id, number, value, thread.address, text or kind, wamid, on_delivered=delivered
        )
    )
    return wamid


def _echo(world: World, number: Number, thread: Thread, spec: Spec) -> str:
    """The business wrote on its own phone (coexistence): the application is told what it did not send."""
    at = float(spec.get("timestamp") or world.clock.now())
    parts = contents.parts_of(spec, media=world.media, now=at)
    wamid = str(spec.get("id") or message_id(thread.key, inbound=False))
    echo: Spec = {"from": number.digits, "to": thread.wa_id, "id": wamid, "timestamp": str(int(at)), **parts}
    if thread.bsuid:
        echo["to_user_id"] = thread.bsuid
    text = contents.shown(parts)
    if parts["type"] not in {"edit", "revoke", "reaction"}:
        world.threads.add(thread, Bubble(wamid, False, parts["type"], at, text, "delivered", parts=_drawn(parts)))
    world.journal.add("echo", at, number_id=number.id, customer=thread.address, message_id=wamid, text=text)
    value = webhooks.value_of(number, message_echoes=[echo])
    world.courier.post(Webhook("smb_message_echoes", number.account_id, number, value, thread.address, text, wamid))
    return wamid


def _sender(thread: Thread, spec: Spec) -> Spec:
    sender: Spec = {}
    if thread.wa_id and not spec.get("hide_phone"):
        sender["from"] = thread.wa_id
    if thread.bsuid:
        sender["from_user_id"] = thread.bsuid
    if spec.get("parent_bsuid"):
        sender["from_parent_user_id"] = str(spec["parent_bsuid"])
    return sender


def _context(number: Number, spec: Spec) -> Spec:
    if isinstance(spec.get("context"), dict):
        return {"context": spec["context"]}
    context: Spec = {}
    quoted = spec.get("reply_to") or spec.get("context_id")
    if quoted and spec.get("type") not in {"reaction", "edit", "revoke"}:
        context |= {"from": number.digits, "id": str(quoted)}
    for flag in ("forwarded", "frequently_forwarded"):
        if spec.get(flag):
            context[flag] = True
    if spec.get("referred_product"):
        context["referred_product"] = spec["referred_product"]
    return {"context": context} if context else {}


def _referral() -> Spec:
    return {
        "source_url": "https://fb.me/3cr4Wqqkv",
        "source_id": "120226305854810726",
        "source_type": "ad",
        "headline": "Trail Andina 2, hecha para subir",
        "body": "Zapatillas de montaña con envío gratis esta semana.",
        "media_type": "image",
        "image_url": "https://nubecalzado.test/anuncio.jpg",
        "ctwa_clid": "Aff-n8ZTODiE79d22KtAwQKj9e_mIEOOj27vDVwFjN80dp4_0NiNhEgpGo0AHemvuSoifXaytfTzcchptiErTKCqTrJ5nW1h7IHYeYymGb5K5J5iTROpBhWAGaIAeUzHL50",
        "welcome_message": {"text": "¡Hola! ¿Qué modelo te interesa?"},
    }


def _show(world: World, thread: Thread, wamid: str, parts: Spec, spec: Spec, at: float) -> None:
    """Put it on the customer's own phone; reactions, edits and deletions change the message they are about."""
    kind: str = parts["type"]
    content: Any = parts.get(kind)
    if kind in {"edit", "revoke", "reaction"}:
        target = thread.find(str(content.get("original_message_id") or content.get("message_id")))
        if target and kind == "edit":
            target.text, target.edited = contents.shown(parts), True
        elif target and kind == "revoke":
            target.revoked = True
        elif target and content.get("emoji"):
            target.reactions["me"] = content["emoji"]
        elif target:
            target.reactions.pop("me", None)
        return
    media = content if kind in contents.MEDIA_TYPES else {}
    world.threads.add(
        thread,
        Bubble(
            wamid, True, kind, at, contents.shown(parts), "sent", str(spec.get("reply_to") or ""),
            str(media.get("id", "")), "", str(media.get("filename", "")), _drawn(parts),
        ),
    )  # fmt: skip


def _drawn(parts: Spec) -> Spec:
    """What the page draws beyond the text."""
    kind: str = parts["type"]
    content: Any = parts.get(kind)
    if kind == "location":
        return {"place": content}
    if kind == "contacts":
        return {"cards": [one.get("name", {}).get("formatted_name", "") for one in content]}
    if kind == "order":
        return {"items": content.get("product_items", [])}
    if kind == "audio" and content.get("voice"):
        return {"voice": True}
    return {}


def _post_raw(world: World, raw: Any) -> None:
    body = raw.encode() if isinstance(raw, str) else json.dumps(raw).encode()
    world.journal.add("inbound", world.clock.now(), text=f"cuerpo literal, {len(body)} bytes", detail="raw")
    world.courier.post(Webhook("raw", "", None, {}, label="raw", raw=body))


def _post_field(world: World, number: Number, spec: Spec) -> None:
    """Any other field of Meta's webhooks: template and account news, quality, flows, calls …"""
    name, account_id = str(spec["field"]), str(spec.get("account_id") or number.account_id)
    world.journal.add("notice", world.clock.now(), number_id=number.id, text=name)
    value = spec.get("value") or {}
    if name in _OF_A_NUMBER:
        value = webhooks.value_of(number) | value
    world.courier.post(Webhook(name, account_id, number, value, label=name))


def _post_preference(world: World, number: Number, spec: Spec) -> None:
    """The customer stopped or resumed marketing in WhatsApp's own menu."""
    thread, wish = _thread_of(world, number, spec), str(spec.get("preference") or "stop")
    preference = {
        "wa_id": thread.wa_id, "user_id": thread.bsuid, "category": "marketing_messages", "value": wish,
        "detail": f"User requested to {wish} marketing messages", "timestamp": int(world.clock.now()),
    }  # fmt: skip
    about = webhooks.contact(name=thread.name, wa_id=thread.wa_id, bsuid=thread.bsuid)
    value = webhooks.value_of(number, contacts=[about], user_preferences=[preference])
    world.journal.add(
        "notice", world.clock.now(), number_id=number.id, customer=thread.address, text=f"marketing: {wish}"
    )
    world.courier.post(Webhook("user_preferences", number.account_id, number, value, digits(thread.address), wish))
