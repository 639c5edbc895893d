"""What else a customer's phone can send: each kind as `POST /control/inbound` takes it. Data, and no way out of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from .numbers import Number
from .threads import Bubble, Thread

Spec = dict[str, Any]
SOME_SECONDS = 95


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, from which talk and when, and what they typed."""

    number: Number
    customer: str
    thread: Thread | None
    text: str
    now: float

    def newest(self, *, mine: bool) -> Bubble | None:
        """The newest message that still stands: of the customer's own, or of the business."""
        bubbles = self.thread.bubbles if self.thread else []
        return next((one for one in reversed(bubbles) if one.mine == mine and not one.revoked), None)


Maker = Callable[[Sender], list[Spec]]
"""The requests that one press makes, in their order; none when there is nothing that it could be about."""


def made(key: str, sender: Sender) -> list[Spec]:
    """What the kind of this key sends. Raises KeyError for one that is not offered."""
    return _MAKERS[key](sender)


def _plain(kind: str, **more: Any) -> Maker:
    return lambda sender: [{"type": kind, "text": sender.text, **more}]


def _about_own(kind: str, otherwise: str = "") -> Maker:
    def make(sender: Sender) -> list[Spec]:
        target = sender.newest(mine=True)
        return [{"type": kind, "message_id": target.id, "text": sender.text or otherwise}] if target else []

    return make


def _unreact(sender: Sender) -> list[Spec]:
    bubbles = sender.thread.bubbles if sender.thread else []
    target = next((one for one in reversed(bubbles) if not one.mine and "me" in one.reactions), None)
    return [{"type": "reaction", "message_id": target.id, "emoji": ""}] if target else []


def _new_phone(sender: Sender) -> list[Spec]:
    if not sender.customer.isdigit():
        return []
    ending = "777" if not sender.customer.endswith("777") else "778"
    return [{"type": "system", "system_type": "user_changed_number", "new_phone": sender.customer[:-3] + ending}]


def _new_user_id(sender: Sender) -> list[Spec]:
    if sender.thread is None or not sender.thread.bsuid:
        return []
    old = sender.thread.bsuid
    new = f"{old[:3]}{uuid4().int % 10**16}"
    said = {"system_type": "user_changed_user_id", "previous_user_id": old, "user_id": new}
    return [{"type": "system", "bsuid": new, **said}]


def _new_username(sender: Sender) -> list[Spec]:
    name = f"cliente.{uuid4().hex[:6]}"
    return [{"type": "text", "text": sender.text or f"Ahora soy @{name}", "username": name}]


def _call(*, answered: bool) -> Maker:
    def make(sender: Sender) -> list[Spec]:
        begun = {
            "id": f"wacid.{uuid4().hex}", "from": sender.customer, "to": sender.number.digits,
            "direction": "USER_INITIATED", "timestamp": str(int(sender.now)),
        }  # fmt: skip
        ended = int(sender.now) + (SOME_SECONDS if answered else 30)
        length = {"duration": SOME_SECONDS, "start_time": begun["timestamp"]} if answered else {}
        over = begun | length | {"status": "COMPLETED" if answered else "FAILED", "end_time": str(ended)}
        about = [{"profile": {"name": sender.thread.name if sender.thread else ""}, "wa_id": sender.customer}]
        return [
            {"field": "calls", "value": {"contacts": about, "calls": [call | {"event": event}]}}
            for event, call in (("connect", begun), ("terminate", over))
        ]

    return make


# Group → (key, words, maker)
OFFERED: dict[str, tuple[tuple[str, str, Maker], ...]] = {
    "Mensajes": (
        ("video", "Video", _plain("video")),
        ("audio", "Audio", _plain("audio")),
        ("sticker", "Sticker", _plain("sticker")),
        ("contacts", "Contacto", _plain("contacts")),
        ("forwarded", "Mensaje reenviado", _plain("text", forwarded=True)),
        ("ad", "Mensaje desde un anuncio", _plain("text", referral=True)),
        ("product", "Pregunta por un producto", _plain("text", referred_product={
            "catalog_id": "194836987003835", "product_retailer_id": "TRAIL-ANDINA-2-43"})),
        ("button", "Botón de plantilla", _plain("button")),
        ("button_reply", "Botón de respuesta", _plain("button_reply")),
        ("list_reply", "Opción de una lista", _plain("list_reply", description="Entrega en 48 horas")),
        ("flow", "Respuesta de un Flow", _plain("flow")),
    ),
    "Sobre otro mensaje": (
        ("edit", "Editar su último mensaje", _about_own("edit", "Perdón, talla 42")),
        ("revoke", "Eliminar su último mensaje", _about_own("revoke")),
        ("unreact", "Quitar su reacción", _unreact),
    ),
    "Quién es": (
        ("new_phone", "Cambió de número", _new_phone),
        ("new_user_id", "Cambió de identificador", _new_user_id),
        ("new_username", "Cambió de usuario", _new_username),
        ("new_code", "Cambió su código de seguridad", _plain("system", system_type="customer_identity_changed")),
        ("hidden", "Escribe sin mostrar su teléfono", _plain("text", hide_phone=True)),
    ),
    "Lo demás": (
        ("call", "Llamada contestada", _call(answered=True)),
        ("missed_call", "Llamada perdida", _call(answered=False)),
        ("stop", "Detener el marketing", _plain("user_preferences", preference="stop")),
        ("resume", "Volver a recibir marketing", _plain("user_preferences", preference="resume")),
        ("welcome", "Abrió el chat", _plain("request_welcome")),
        ("group", "Mensaje en un grupo", _plain("text", group_id="120363041234567890")),
        ("view_once", "Foto para ver una vez", _plain("unsupported", unsupported_type="media_placeholder")),
        ("tomorrow", "Un tipo que aún no existe", _plain("hologram")),
    ),
}  # fmt: skip
_MAKERS = {key: maker for offered in OFFERED.values() for key, _words, maker in offered}
