"""Meta's review of templates: what is refused at once, and what becomes of the rest after a moment, told by webhook.

Subcodes: "Error codes" of the Cloud API and what others have met (2388023, 2388024, 2388040, 2388043, 2388293, 2388299).
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .courier import Webhook
from .errors import GraphError

if TYPE_CHECKING:
    from .world import World

STATUSES = {
    "APPROVED": "APPROVED", "REJECTED": "REJECTED", "PAUSED": "PAUSED", "DISABLED": "DISABLED", "PENDING": "PENDING",
    "IN_APPEAL": "IN_APPEAL", "REINSTATED": "APPROVED", "ARCHIVED": "ARCHIVED", "UNARCHIVED": "APPROVED",
    "FLAGGED": "", "LOCKED": "DISABLED", "LIMIT_EXCEEDED": "LIMIT_EXCEEDED", "PENDING_DELETION": "PENDING_DELETION",
}  # fmt: skip
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_CODE_TEXT = "*{{1}}* es tu código de verificación."
_CODE_WARNING = " Por tu seguridad, no lo compartas."


def check(template: dict[str, Any]) -> None:
    """Raise what Meta raises for a template that it does not even review."""
    for part in template["components"]:
        kind = str(part.get("type", "")).upper()
        if kind == "HEADER":
            _check_header(part)
        elif kind == "BODY" and template["category"] != "AUTHENTICATION":
            _check_body(part)
        elif kind == "FOOTER" and len(part.get("text", "")) > 60:
            raise _wrong(2388040, "Character limit exceeded", "The footer is limited to 60 characters.")
        elif kind == "BUTTONS":
            for button in part.get("buttons", []):
                if len(button.get("text", "")) > 25:
                    raise _wrong(2388040, "Character limit exceeded", "Button text is limited to 25 characters.")
                if (
                    button.get("type") == "URL"
                    and _VARIABLE.search(button.get("url", ""))
                    and not button.get("example")
                ):
                    raise _wrong(2388043, "Example missing", "Buttons with a variable in the address need an example.")
    kinds = [str(part.get("type", "")).upper() for part in template["components"]]
    if "BODY" not in kinds and "CAROUSEL" not in kinds:
        raise GraphError(100, "The parameter components must have a BODY.")


def _check_header(part: dict[str, Any]) -> None:
    if str(part.get("format", "TEXT")).upper() in {"IMAGE", "VIDEO", "DOCUMENT"}:
        handles = (part.get("example") or {}).get("header_handle") or [""]
        if not str(handles[0]).startswith("4::"):
            raise _wrong(
                2388273, "Media sample missing", "Media headers need a sample file from the Resumable Upload API."
            )
        return
    if len(part.get("text", "")) > 60:
        raise _wrong(2388040, "Character limit exceeded", "The header is limited to 60 characters.")
    if _VARIABLE.search(part.get("text", "")) and not part.get("example"):
        raise _wrong(2388043, "Example missing", "Headers with a variable need an example.")


def _check_body(part: dict[str, Any]) -> None:
    text = part.get("text", "")
    if len(text) > 1024:
        raise _wrong(2388040, "Character limit exceeded", "The body is limited to 1024 characters.")
    names = _VARIABLE.findall(text)
    if not names:
        return
    bare = re.sub(r"[^\w{}]", "", text)
    if bare.startswith("{{") or bare.endswith("}}"):
        raise _wrong(2388299, "Variables at the edge", "Variables can't be at the start or end of the template.")
    if len(re.findall(r"\w+", _VARIABLE.sub(" ", text))) < 2 * len(names) + 1:
        raise _wrong(2388293, "Too many variables", "This template has too many variables for its length.")
    example = part.get("example") or {}
    given = example.get("body_text_named_params") or (example.get("body_text") or [[]])[0]
    if len(given) < len(set(names)):
        raise _wrong(2388043, "Example missing", "Message templates with variables need an example for each.")


def _wrong(subcode: int, title: str, message: str) -> GraphError:
    return GraphError(100, f"{title}: {message}", subcode=subcode, title_for_person=title, message_for_person=message)


def written_out(template: dict[str, Any]) -> dict[str, Any]:
    """Templates for codes get Meta's own words, and their button an address, as the Graph API lists them."""
    if template["category"] != "AUTHENTICATION":
        return template
    return template | {"components": list(_code_parts(template["components"]))}


def _code_parts(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for part in components:
        kind = str(part.get("type", "")).upper()
        if kind == "BODY":
            warning = _CODE_WARNING if part.get("add_security_recommendation") else ""
            yield {**part, "text": _CODE_TEXT + warning, "example": {"body_text": [["123456"]]}}
        elif kind == "FOOTER":
            yield {**part, "text": f"Este código vence en {part.get('code_expiration_minutes')} minutos."}
        elif kind == "BUTTONS":
            address = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"
            yield {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Copiar código", "url": address}]}
        else:
            yield part


def review(world: "World", account_id: str, template: dict[str, Any]) -> None:
    """Approve the template after a moment, unless somebody decided otherwise or it is gone by then."""

    def approve() -> None:
        if template["status"] == "PENDING" and template in world.templates.of(account_id):
            decide(world, account_id, template, event="APPROVED")

    world.later(world.settings.review_s, approve)


def decide(
    world: "World", account_id: str, template: dict[str, Any], *, event: str = "", quality: str = "", reason: str = ""
) -> None:
    """Let Meta say something of a template, and tell the application by webhook."""
    about = {
        "message_template_id": int(template["id"]),
        "message_template_name": template["name"],
        # As Meta writes it in webhooks.
        "message_template_language": template["language"].replace("_", "-"),
    }
    if quality:
        before = template["quality_score"]["score"]
        template["quality_score"] = {"score": quality, "date": int(world.clock.now())}
        _tell(world, account_id, template, "message_template_quality_update",
              about | {"previous_quality_score": before, "new_quality_score": quality})  # fmt: skip
    if event:
        template["status"] = STATUSES[event] or template["status"]
        template["rejected_reason"] = (reason or "INVALID_FORMAT") if event == "REJECTED" else "NONE"
        value = about | {"event": event, "reason": template["rejected_reason"] if event == "REJECTED" else None}
        if event == "PAUSED":
            value["other_info"] = {
                "title": reason or "FIRST_PAUSE",
                "description": "Your template has been paused for 3 hours.",
            }
        _tell(world, account_id, template, "message_template_status_update", value)


def _tell(world: "World", account_id: str, template: dict[str, Any], field: str, value: dict[str, Any]) -> None:
    text = f"{template['name']} · {value.get('event') or value.get('new_quality_score')}"
    world.journal.add("template", world.clock.now(), text=text)
    world.courier.post(Webhook(field, account_id, None, value, label=text))
