"""What requests and answers look like, for the documentation."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

_MEMBER = {"id": "0199f3a0-0000-7000-8000-0000000000a1", "name": "Ana"}
_QUEUE = {"id": "0199f3a0-0000-7000-8000-0000000000b1", "name": "Ventas"}
_NUMBER = {
    "id": "0199f3a0-0000-7000-8000-0000000000c1",
    "alias": "Ventas Lima",
    "phone_number_id": "100000000000001",
    "display_number": "+51 1 555 0101",
}
_CONTACT = {
    "id": "0199f3a0-0000-7000-8000-0000000000d1",
    "name": "Rosa Quispe",
    "profile_name": "Rosa",
    "username": "",
    "phone": "+51900555014",
    "email": "rosa@correo.example",
    "identities": [{"kind": "phone", "value": "51900555014"}],
    "labels": ["vip"],
    "attributes": {"order": "A-1042"},
    "timezone": "America/Lima",
    "marketing_stopped": False,
    "marketing_consent_at": None,
    "created_at": "2026-11-20T14:03:11Z",
}
_CONVERSATION = {
    "id": "0199f3a0-0000-7000-8000-0000000000e1",
    "contact": _CONTACT,
    "number": _NUMBER,
    "queue": _QUEUE,
    "assignee": _MEMBER,
    "status": "open",
    "snoozed_until": None,
    "unread_count": 2,
    "waiting_since": "2026-11-21T09:12:44Z",
    "last_message_at": "2026-11-21T09:13:02Z",
    "window_expires_at": "2026-11-22T09:13:02Z",
    "window_state": "open",
    "created_at": "2026-11-20T14:03:11Z",
}
_MESSAGE = {
    "id": "0199f3a0-0000-7000-8000-0000000000f1",
    "conversation": _CONVERSATION["id"],
    "client_id": "6f0e3f0e-6e0a-4d55-9d59-1f2b0f5f4a11",
    "direction": "outbound",
    "source": "api",
    "author": _MEMBER,
    "type": "text",
    "text": "Your order A-1042 is on its way.",
    "payload": {"body": "Your order A-1042 is on its way.", "preview_url": True},
    "file": None,
    "quoted_message_id": "",
    "status": "delivered",
    "provider_message_id": "wamid.HBgLNTE5MDA1NTUwMTQVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA",
    "sent_at": "2026-11-21T09:15:00Z",
    "accepted_at": "2026-11-21T09:15:00.310000Z",
    "delivered_at": "2026-11-21T09:15:02Z",
    "read_at": None,
    "created_at": "2026-11-21T09:15:00.021000Z",
    "error": None,
    "cost": {"amount": "0.00000", "currency": "USD", "category": "service", "estimated": False},
}


def _answer(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, response_only=True, status_codes=["200", "201", "202"])


def _request(name: str, value: Any) -> OpenApiExample:
    return OpenApiExample(name, value, request_only=True)


CONTACT = _answer("A contact", _CONTACT)
CONVERSATION = _answer("A conversation", _CONVERSATION)
MESSAGE = _answer("A message", _MESSAGE)
NUMBER = _answer(
    "A number",
    _NUMBER
    | {
        "provider": "cloud",
        "waba_id": "300000000000001",
        "queue": _QUEUE,
        "is_active": True,
        "is_coexistence": False,
        "can_send": True,
        "paused_reason": "",
        "token_state": "valid",
        "quality": "GREEN",
    },
)
QUEUE = _answer(
    "A queue",
    _QUEUE
    | {
        "is_triage": False,
        "distribution": "by_turns",
        "most_each": 8,
        "hours": [{"weekday": 0, "begins": "09:00", "ends": "19:00"}],
        "timezone": "America/Lima",
        "members": [_MEMBER],
    },
)
TEMPLATE = _answer(
    "A template",
    {
        "id": "0199f3a0-0000-7000-8000-0000000000a9",
        "name": "order_ready",
        "language": "es",
        "category": "UTILITY",
        "status": "APPROVED",
        "waba_id": "300000000000001",
        "body": "Hola {{1}}, tu pedido {{2}} está listo.",
        "footer": "",
        "variables": ["1", "2"],
        "components": [{"type": "BODY", "text": "Hola {{1}}, tu pedido {{2}} está listo."}],
        "quality": "GREEN",
        "reason": "",
        "why_not": "",
        "previous_category": "",
        "coming_category": "",
        "category_changes_at": None,
        "last_used_at": "2026-11-24T17:00:00Z",
        "synced_at": "2026-11-24T16:45:00Z",
    },
)
FLOW = _answer(
    "A Flow",
    {
        "id": "0199f3a0-0000-7000-8000-0000000000b1",
        "meta_id": "880000000000100",
        "name": "Encuesta",
        "status": "PUBLISHED",
        "categories": ["SURVEY"],
        "waba_id": "300000000000001",
        "uses_endpoint": False,
        "numbers": [_NUMBER],
        "screens": [
            {
                "id": "SURVEY",
                "title": "Encuesta",
                "terminal": True,
                "takes": ["city"],
                "fields": [
                    {
                        "name": "size",
                        "label": "Talla",
                        "kind": "RadioButtonsGroup",
                        "input_type": "",
                        "required": True,
                        "options": [{"id": "m", "title": "Mediana"}, {"id": "l", "title": "Grande"}],
                    }
                ],
            }
        ],
        "created_at": "2026-11-24T16:00:00Z",
        "synced_at": "2026-11-24T16:45:00Z",
    },
)
STATS = _answer(
    "Counts",
    {
        "open": 14,
        "waiting": 5,
        "running_out": 1,
        "unread": 9,
        "queues": [_QUEUE | {"open": 14, "waiting": 5, "running_out": 1, "unread": 9}],
    },
)
TOKEN = _answer("A token", {"token": "q3yF…", "tenant": "demo"})

SIGN_IN = _request("Sign in", {"email": "ana@demo.test", "password": "…"})
NEW_CONTACT = _request("A new contact", {"phone": "+51 900 555 014", "name": "Rosa Quispe", "labels": ["vip"]})
CONTACT_CHANGE = _request("Labels and attributes", {"labels": ["vip"], "attributes": {"order": "A-1042"}})
NEW_CONVERSATION = _request("By phone", {"number": "100000000000001", "phone": "+51 900 555 014"})
ASSIGNMENT = _request("To oneself", {"assignee": "me"})
TRANSFER = _request("To another queue", {"queue": "Soporte"})
SNOOZE = _request("Until Monday", {"until": "2026-11-23T09:00:00-05:00"})
TEXT = _request(
    "A text",
    {
        "type": "text",
        "text": "Your order A-1042 is on its way.",
        "client_id": "6f0e3f0e-6e0a-4d55-9d59-1f2b0f5f4a11",
    },
)
TEMPLATE_MESSAGE = _request(
    "A template",
    {"type": "template", "template": {"name": "order_ready", "language": "es", "variables": ["Rosa", "A-1042"]}},
)
INTERACTIVE = _request(
    "Buttons",
    {
        "type": "interactive",
        "interactive": {
            "kind": "button",
            "body": "¿Le agendamos la entrega?",
            "options": [{"id": "today", "title": "Hoy"}, {"id": "tomorrow", "title": "Mañana"}],
        },
    },
)
LOCATION = _request(
    "A location",
    {"type": "location", "location": {"latitude": -12.1219, "longitude": -77.0297, "name": "Tienda Miraflores"}},
)
CONTACTS = _request(
    "A contact", {"type": "contacts", "contacts": [{"name": "Rosa Quispe", "phone": "+51 900 555 014"}]}
)
FILE = _request(
    "A document",
    {
        "type": "document",
        "document": {"link": "https://example.com/boleta.pdf", "filename": "boleta.pdf", "caption": "Su boleta"},
    },
)
REACTION = _request("A reaction", {"type": "reaction", "reaction": {"message_id": _MESSAGE["id"], "emoji": "👍"}})
ERASURE = _answer(
    "An erasure",
    {
        "id": "0199f3a0-0000-7000-8000-000000000101",
        "state": "running",
        "reason": "request",
        "door": "api",
        "asked_by": _MEMBER,
        "asked_at": "2026-11-21T09:15:00Z",
        "done_at": None,
        "counts": {"conversations": 1},
    },
)
