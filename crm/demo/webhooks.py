"""What Meta would have posted: a step of a script as the body of a webhook. Pure; the simulator writes Meta's shapes."""

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from crm.demo.scripts import CUSTOMER, PHONE, Scene, Step, Talk
from whatsapp.simulator import contents, webhooks
from whatsapp.simulator.errors import as_status_error
from whatsapp.simulator.identities import bsuid_of
from whatsapp.simulator.media import MediaStore
from whatsapp.simulator.numbers import Number

_media = MediaStore()
_AD = {
    "source_url": "https://fb.me/3cr4Wqqkv",
    "source_id": "120226305854810726",
    "source_type": "ad",
    "body": "Zapatillas de montaña con envío gratis esta semana.",
    "media_type": "image",
    "image_url": "https://nubecalzado.test/anuncio.jpg",
    "ctwa_clid": "Aff-n8ZTODiE79d22KtAwQKj9e_mIEOOj27vDVwFjN80dp4",
}


@dataclass(frozen=True)
class Telling:
    """A scene that has been played: its talks with their moments, and how WhatsApp names everything in it."""

    scene: Scene
    number: Number
    talks: list[Talk]
    steps: list[Step] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", [step for talk in self.talks for step in talk])

    @property
    def has_written(self) -> bool:
        return any(step.mark == CUSTOMER for step in self.steps)

    @property
    def wa_id(self) -> str:
        return "" if "." in self.scene.address else self.scene.address

    @property
    def bsuid(self) -> str:
        return bsuid_of(self.wa_id, account_id=self.number.account_id) if self.wa_id else self.scene.address

    def message_id(self, step: Step) -> str:
        raw = f"\x1c\x18demo/{self.scene.key}/{step.position:04}".encode()
        return f"wamid.{base64.b64encode(raw).decode()}"

    def quoted_id(self, step: Step) -> str:
        back = step.tag("quotes")
        above = [one for one in self.steps if one.is_message and one.position < step.position]
        return self.message_id(above[-int(back)]) if back else ""

    def target_id(self, step: Step) -> str:
        """The message that a reaction, an edit or a deletion is about: the last one of the other side, or one's own."""
        wants_other_side = step.tag("react") is not None
        above = [
            one
            for one in self.steps
            if one.is_message and one.position < step.position and _has_words(one)
            and ((one.mark == CUSTOMER) != (step.mark == CUSTOMER)) == wants_other_side
        ]  # fmt: skip
        return self.message_id(above[-1])


def heard(telling: Telling, step: Step) -> bytes:
    """The webhook of what a customer wrote, or of what our side typed on the phone."""
    number, spec = telling.number, _spec(telling, step)
    parts = contents.parts_of(spec, media=_media, now=step.at.timestamp())
    item: dict[str, Any] = {"id": telling.message_id(step), "timestamp": _seconds(step.at), **parts}
    if context := _context(telling, step):
        item["context"] = context
    if step.mark == PHONE:
        item |= {"from": number.digits, "to": telling.wa_id, "to_user_id": telling.bsuid}
        value = webhooks.value_of(number, message_echoes=[item])
        return webhooks.encode(webhooks.envelope([(number.account_id, "smb_message_echoes", value)]))
    item |= {"from": telling.wa_id} if telling.wa_id else {}
    item["from_user_id"] = telling.bsuid
    if headline := step.tag("ad"):
        item["referral"] = {**_AD, "headline": headline}
    scene = telling.scene
    person = webhooks.contact(name=scene.name, wa_id=telling.wa_id, bsuid=telling.bsuid, username=scene.username)
    value = webhooks.value_of(number, contacts=[person], messages=[item])
    return webhooks.encode(webhooks.envelope([(number.account_id, "messages", value)]))


def reported(telling: Telling, step: Step, *, category: str, now: datetime) -> list[dict[str, Any]]:
    """Meta's statuses of a message of ours, in their order."""
    pricing = {
        "billable": bool(category),
        "pricing_model": "PMP",
        "type": "regular" if category else "free_customer_service",
        "category": category or "service",
    }
    about = {"id": telling.message_id(step), "recipient_id": telling.wa_id, "recipient_user_id": telling.bsuid}
    if code := step.tag("failed"):
        failed = {"status": "failed", "timestamp": _seconds(min(step.at + timedelta(seconds=2), now))}
        return [{**about, **failed, "errors": [as_status_error(int(code))]}]
    return [
        {**about, "status": word, "timestamp": _seconds(min(at, now)), "pricing": pricing}
        for word, at in _ticks(telling, step)
    ]


def posted(number: Number, statuses: list[dict[str, Any]]) -> bytes:
    """One webhook with several statuses of one number."""
    return webhooks.encode(
        webhooks.envelope([(number.account_id, "messages", webhooks.value_of(number, statuses=statuses))])
    )


def _ticks(telling: Telling, step: Step) -> list[tuple[str, datetime]]:
    """How far it came and when: as the script says, else read before the customer's next word, else by chance."""
    chance = Random(telling.message_id(step))  # noqa: S311
    answer = next((one.at for one in telling.steps if one.mark == CUSTOMER and one.position > step.position), None)
    asked = next((word for word in ("sent", "delivered", "read") if step.tag(word) is not None), "")
    level = asked or ("read" if answer or chance.random() < 0.6 else "delivered")
    read_at = answer - timedelta(seconds=4) if answer else step.at + timedelta(seconds=chance.randrange(20, 1500))
    ticks = [
        ("sent", step.at + timedelta(seconds=1)),
        ("delivered", step.at + timedelta(seconds=3)),
        ("read", max(read_at, step.at + timedelta(seconds=3))),
    ]
    return ticks[: ("sent", "delivered", "read").index(level) + 1]


def _spec(telling: Telling, step: Step) -> dict[str, Any]:
    """The words and tags of a line as the simulator's request for such a message."""
    kind, value = next(((name, value) for name, value in step.tags if name in _SPECS), ("", ""))
    spec = _SPECS[kind](step.text, value) if kind else {"text": step.text}
    return spec | ({"message_id": telling.target_id(step)} if kind in ("react", "edit", "revoke") else {})


def _place(text: str, value: str) -> dict[str, Any]:
    place, address, latitude, longitude = (part.strip() for part in value.split(";"))
    return {"type": "location", "place": place, "address": address, "latitude": latitude, "longitude": longitude}


def _card(text: str, value: str) -> dict[str, Any]:
    name, _semicolon, phone = value.partition(";")
    return {"type": "contacts", "text": name.strip(), "phone": phone.strip()}


_SPECS: dict[str, Any] = {
    "image": lambda text, sample: {"type": "image", "text": text, "sample": sample or "image"},
    "video": lambda text, _value: {"type": "video", "text": text},
    "voice": lambda _text, _value: {"type": "voice"},
    "document": lambda text, name: {"type": "document", "text": text, "filename": name},
    "sticker": lambda _text, _value: {"type": "sticker"},
    "order": lambda text, _value: {"type": "order", "text": text},
    "button": lambda text, _value: {"type": "button", "text": text},
    "poll": lambda _text, _value: {"type": "unsupported", "unsupported_type": "poll_creation"},
    "edit": lambda text, _value: {"type": "edit", "text": text},
    "revoke": lambda _text, _value: {"type": "revoke"},
    "react": lambda _text, emoji: {"type": "reaction", "emoji": emoji},
    "location": _place,
    "contacts": _card,
}


def _context(telling: Telling, step: Step) -> dict[str, Any]:
    if step.tag("forwarded") is not None:
        return {"forwarded": True}
    if step.tag("button") is not None:
        asked = [one for one in telling.steps if one.tag("template") and one.position < step.position]
        return {"from": telling.number.digits, "id": telling.message_id(asked[-1])}
    if quoted := telling.quoted_id(step):
        return {"from": telling.number.digits, "id": quoted}
    return {}


def _has_words(step: Step) -> bool:
    """Whether it is a message on the other side's screen: one that reached it, and no note about another one."""
    notes = ("edit", "revoke", "unknown", "refused", "failed")
    return (step.is_ours or step.mark in (CUSTOMER, PHONE)) and not any(step.tag(name) is not None for name in notes)


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))
