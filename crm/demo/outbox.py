"""What our side said, as the rows its sending would have left. Nothing here is sent."""

from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from uuid_utils.compat import uuid7

from crm.demo.houses import House
from crm.demo.scripts import SEQUENCE, Step
from crm.demo.webhooks import Telling
from crm.models import Direction, Message, MessageStatus, Priority, Source
from whatsapp import phones
from whatsapp.outgoing import Outgoing, Template, Text
from whatsapp.simulator.catalogue import CATALOGUE

_TEMPLATES: dict[str, dict[str, Any]] = {template["name"]: template for template in CATALOGUE}


def said(house: House, telling: Telling, step: Step, *, conversation_id: UUID) -> Message:
    """The finished row of one message of ours; its ticks come later, by webhook."""
    content = content_of(step)
    author = house.people[step.author] if step.author else None
    return Message(
        id=uuid7(),
        tenant=house.tenant,
        conversation_id=conversation_id,
        number=house.numbers[telling.number.id],
        direction=Direction.OUTBOUND,
        source=Source.SEQUENCE if step.mark == SEQUENCE else Source.AGENT,
        priority=Priority.SEQUENCE if step.mark == SEQUENCE else Priority.PERSON,
        type=content.type,
        text=content.text_shown,
        payload=content.as_payload(),
        template_category=content.category.lower() if isinstance(content, Template) else "",
        author=author,
        country=phones.country_called(telling.wa_id) or "",
        client_id=uuid5(NAMESPACE_URL, telling.message_id(step)),
        quoted_message_id=telling.quoted_id(step),
        sent_at=step.at,
        **_outcome(telling, step),
    )


def content_of(step: Step) -> Outgoing:
    """The text or template of a line, as a person or a sequence would have composed it."""
    asked = step.tag("template")
    if asked is None:
        return Text(body=step.text)
    name, *values = [part.strip() for part in asked.split(";")]
    template = _TEMPLATES[name]
    body = next(part["text"] for part in template["components"] if part["type"] == "BODY")
    for position, value in enumerate(values, 1):
        body = body.replace(f"{{{{{position}}}}}", value)
    parameters = [{"type": "text", "text": value} for value in values]
    return Template(
        name=name,
        language=template["language"],
        category=template["category"],
        components=[{"type": "body", "parameters": parameters}] if values else [],
        preview=body,
    )


def was_accepted(step: Step) -> bool:
    """Whether WhatsApp took it and told us its id."""
    return step.is_ours and step.is_message and step.tag("unknown") is None and step.tag("refused") is None


def _outcome(telling: Telling, step: Step) -> dict[str, Any]:
    soon = step.at + timedelta(seconds=1)
    if refused := step.tag("refused"):
        reason, _space, code = refused.partition(" ")
        detail = "Media upload error"
        return {
            "status": MessageStatus.FAILED, "attempt": 1, "failed_at": soon, "error_reason": reason,
            "error_code": int(code), "error_detail": detail,
        }  # fmt: skip
    if step.tag("unknown") is not None:
        # A reply is resent once by itself; it stays unknown for a person to see only when that is behind it.
        again = step.mark != SEQUENCE
        return {
            "status": MessageStatus.UNKNOWN, "attempt": 2 if again else 1, "resent": again, "unknown_at": soon,
            "error_detail": "no answer within 20 s",
        }  # fmt: skip
    return {
        "status": MessageStatus.ACCEPTED, "attempt": 1, "accepted_at": step.at,
        "provider_message_id": telling.message_id(step),
    }  # fmt: skip
