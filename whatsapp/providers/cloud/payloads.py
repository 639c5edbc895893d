"""Our content as the request bodies of `POST /{phone_number_id}/messages` (Cloud API, "Messages")."""

from collections.abc import Callable
from typing import Any

from whatsapp.errors import Reason
from whatsapp.interactive import BUTTON, FLOW, LINK, LIST, PRODUCT, REQUESTS
from whatsapp.outgoing import (
    MEDIA,
    Audio,
    Contacts,
    Document,
    Interactive,
    Location,
    Media,
    Outgoing,
    Reaction,
    Recipient,
    Template,
    Text,
)
from whatsapp.providers.base import Refused

MAX_REFERENCE_LENGTH = 512
NO_TOKEN = "unused"  # noqa: S105 - what Meta puts where none is given


def message(
    *, recipient: Recipient, content: Outgoing, reference: str = "", quoted_id: str | None = None
) -> dict[str, Any]:
    """The request body for one message.

    Raises Refused without any call for what Meta could only refuse: no address, or a kind that has no body here.
    """
    try:
        body_of = _BODIES[content.type]
    except KeyError:
        raise Refused(reason=Reason.UNSUPPORTED, detail=f"“{content.type}” cannot be sent by this provider") from None
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_address(recipient),
        "type": content.type,
        content.type: body_of(content),
    }
    if quoted_id and not isinstance(content, Reaction):
        body["context"] = {"message_id": quoted_id}
    if reference:
        if len(reference) > MAX_REFERENCE_LENGTH:
            raise ValueError(f"A reference has at most {MAX_REFERENCE_LENGTH} characters")
        body["biz_opaque_callback_data"] = reference
    return body


def read_receipt(*, message_id: str, typing: bool = False) -> dict[str, Any]:
    """Mark a message, and all before it, as read; `typing` shows for 25 s or until we send."""
    body: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": message_id}
    if typing:
        body["typing_indicator"] = {"type": "text"}
    return body


def _address(recipient: Recipient) -> dict[str, str]:
    if recipient.phone:
        # Without the plus Meta may read the number as one of the business's own country.
        return {"to": f"+{recipient.phone.removeprefix('+')}"}
    if recipient.bsuid:
        return {"recipient": recipient.bsuid}
    raise Refused(reason=Reason.INVALID, detail="The contact has neither a phone number nor a user id")


def _text(content: Text) -> dict[str, Any]:
    return {"body": content.body, "preview_url": content.preview_url}


def _template(content: Template) -> dict[str, Any]:
    template: dict[str, Any] = {"name": content.name, "language": {"code": content.language}}
    components = [*_header_file(content), *content.components, *_flow_button(content)]
    if components:
        template["components"] = components
    return template


def _header_file(content: Template) -> list[dict[str, Any]]:
    if not content.has_file:
        return []
    if not content.media_id:
        raise Refused(reason=Reason.MEDIA, detail="The file was not handed over")
    file = {"id": content.media_id}
    if content.media_kind == Document.type and content.filename:
        file["filename"] = content.filename
    return [{"type": "header", "parameters": [{"type": content.media_kind, content.media_kind: file}]}]


def _flow_button(content: Template) -> list[dict[str, Any]]:
    """Meta wants it for every template that opens a Flow; without a token of ours it gets the one that Meta gives."""
    if not content.flow:
        return []
    action: dict[str, Any] = {"flow_token": content.flow.get("token") or NO_TOKEN}
    if data := content.flow.get("data"):
        action["flow_action_data"] = data
    parameters = [{"type": "action", "action": action}]
    return [{"type": "button", "sub_type": "flow", "index": str(content.flow["index"]), "parameters": parameters}]


def _interactive(content: Interactive) -> dict[str, Any]:
    body: dict[str, Any] = {"type": content.kind, "action": _action(content)}
    if content.body:  # only a product may go without a text
        body["body"] = {"text": content.body}
    if content.header:
        body["header"] = {"type": "text", "text": content.header}
    if content.footer:
        body["footer"] = {"text": content.footer}
    return body


def _action(content: Interactive) -> dict[str, Any]:
    if content.kind == BUTTON:
        return {"buttons": [{"type": "reply", "reply": {"id": o["id"], "title": o["title"]}} for o in content.options]}
    if content.kind == LIST:
        return {"button": content.label, "sections": [{"rows": content.options}]}
    if content.kind == LINK:
        return {"name": content.kind, "parameters": {"display_text": content.label, "url": content.url}}
    if content.kind == PRODUCT:
        return {"catalog_id": content.product.get("catalog", ""), "product_retailer_id": content.product["id"]}
    if content.kind == FLOW:
        return {"name": FLOW, "parameters": _flow(content)}
    return {"name": REQUESTS[content.kind]}


def _location(content: Location) -> dict[str, Any]:
    point: dict[str, Any] = {"latitude": content.latitude, "longitude": content.longitude}
    return point | {key: text for key, text in (("name", content.name), ("address", content.address)) if text}


def _flow(content: Interactive) -> dict[str, Any]:
    """`data_exchange` lets the phone ask our endpoint for the first screen; `navigate` names it here."""
    flow = content.flow
    parameters: dict[str, Any] = {
        "flow_message_version": "3",
        "flow_id": flow["flow_id"],
        "flow_cta": content.label,
        "flow_action": flow["action"],
        "flow_token": flow["token"],
    }
    if flow["action"] == "navigate" and flow.get("screen"):
        payload = {"screen": flow["screen"]}
        # Meta refuses an empty object.
        parameters["flow_action_payload"] = payload | ({"data": flow["data"]} if flow.get("data") else {})
    return parameters


def _reaction(content: Reaction) -> dict[str, Any]:
    return {"message_id": content.target_id, "emoji": content.emoji}


def _media(content: Media) -> dict[str, Any]:
    if not content.media_id:
        raise Refused(reason=Reason.MEDIA, detail="The file was not handed over")
    body: dict[str, Any] = {"id": content.media_id}
    if content.HAS_CAPTION and content.caption:
        body["caption"] = content.caption
    if isinstance(content, Document) and content.filename:
        body["filename"] = content.filename
    if isinstance(content, Audio) and content.is_voice:
        body["voice"] = True
    return body


_BODIES: dict[str, Callable[[Any], dict[str, Any] | list[dict[str, Any]]]] = {
    Text.type: _text,
    Template.type: _template,
    Interactive.type: _interactive,
    Location.type: _location,
    Contacts.type: lambda content: content.contacts,
    Reaction.type: _reaction,
    **dict.fromkeys(MEDIA, _media),
}
