"""Every kind of message, as WhatsApp hands it on: what the simulator is asked for, and what the inbox has to show of it.

The journey looks for each of them; the pictures of docs/whatsapp.md are taken of the same threads.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Locator

SALES = "100000000000001"
Write = Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One message. `seen` is what the thread says of it in Spanish, or a selector after `css=`.

    In `post`, `@key` stands for the message of the same scene that has this key.
    """

    name: str
    seen: str
    post: dict[str, Any]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What one customer sends to one number; `picture` is the file in docs/screenshots."""

    picture: str
    who: dict[str, Any]
    kinds: tuple[Kind, ...]
    height: int = 1000

    @property
    def name(self) -> str:
        return str(self.who["name"])


@dataclass(slots=True)
class _Played:
    ids: dict[str, str] = field(default_factory=dict)

    def named(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.named(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.named(each) for each in value]
        return self.ids.get(value[1:], value) if isinstance(value, str) and value.startswith("@") else value


def play(scene: Scene, write: Write) -> None:
    """Send all of the scene's messages, each a second after the one before."""
    played, begun = _Played(), int(time.time()) - 2 * len(scene.kinds)
    for second, kind in enumerate(scene.kinds):
        moment = begun + second
        spec = {"phone_number_id": SALES, "timestamp": moment} | scene.who | played.named(kind.post)
        if "value" in spec:
            spec["value"] = _at(spec["value"], moment)
        answer = write(**spec)
        played.ids[kind.key] = str(answer.get("wamid") or "")


def _at(value: Any, moment: int) -> Any:
    """The value with its moments; one that is negative lies so many seconds before."""
    if isinstance(value, dict):
        return {
            name: str(moment + min(int(each), 0)) if name in _MOMENTS else _at(each, moment)
            for name, each in value.items()
        }
    return [_at(each, moment) for each in value] if isinstance(value, list) else value


_MOMENTS = frozenset({"timestamp", "start_time", "end_time"})


def _person(last: int, name: str) -> dict[str, Any]:
    return {"from": f"519870088{last:02}", "name": name}


def _call(id: str, customer: str, event: str, **more: Any) -> dict[str, Any]:
    call = {"id": id, "from": customer, "to": "5117001001", "event": event, "direction": "USER_INITIATED"}
    return {"field": "calls", "value": {"calls": [call | {"timestamp": 0} | more]}}


DAY = 86_400
SCENES = (
    Scene(
        "kinds-words",
        _person(1, "Valeria Palabras"),
        (
            Kind(
                "the first message after an ad",
                "Anuncio · Trail Andina 2",
                {"text": "Vi su anuncio, ¿todavía hay?", "referral": True},
            ),
            Kind(
                "text with WhatsApp's formatting and a link",
                "css=.msg__text:has(strong):has(em):has(s):has(code):has(a[href^='https://nubecalzado'])",
                {"text": "Busco *impermeables*, _livianas_, ~caras~ y `43`: https://nubecalzado.test/andina"},
                "first",
            ),
            Kind(
                "a question about a product",
                "Pregunta por un producto",
                {
                    "text": "¿Esta la tienes en 43?",
                    "referred_product": {
                        "catalog_id": "194836987003835", "product_retailer_id": "TRAIL-ANDINA-2-43"
                    },
                },
            ),
            Kind("a forwarded message", "Reenviado", {"text": "Mira lo que me mandó mi hermana", "forwarded": True}),
            Kind("a reply that quotes", "css=.msg .quote", {"text": "Sobre todo esto", "reply_to": "@first"}),
            Kind("a message that is reacted to", "Quedo atenta", {"text": "Quedo atenta"}, "reacted"),
            Kind("a reaction", "css=.reactions", {"type": "reaction", "message_id": "@reacted", "emoji": "❤️"}),
        ),
    ),
    Scene(
        "kinds-files",
        _person(2, "Fabián Archivos"),
        (
            Kind("an image with its caption", "Así llegó la caja", {"type": "image", "caption": "Así llegó la caja"}),
            Kind("a video", "css=video.media", {"type": "video"}),
            Kind("a voice note", "css=.sound [title='Nota de voz']", {"type": "voice"}),
            Kind("a sound file", "css=.sound [title='Audio']", {"type": "audio"}),
            Kind("a document", "boleta-1042.pdf", {"type": "document", "filename": "boleta-1042.pdf"}),
            Kind("a sticker", "css=img.sticker", {"type": "sticker"}),
            Kind(
                "a file that WhatsApp no longer has",
                "css=.chip-card:has-text('garantia.pdf'):has(button)",
                {
                    "type": "document",
                    "document": {"id": "900000000000001", "mime_type": "application/pdf", "filename": "garantia.pdf"},
                },
            ),
        ),
        height=1320,
    ),
    Scene(
        "kinds-taps",
        _person(3, "Tamara Botones"),
        (
            Kind("a tap on a template's button", "Tocó un botón", {"type": "button", "text": "Hablar con alguien"}),
            Kind("a reply button", "Talla 43", {"type": "button_reply", "title": "Talla 43"}),
            Kind(
                "a row of a list",
                "Negra, 43, en Miraflores",
                {"type": "list_reply", "title": "Trail Andina 2", "description": "Negra, 43, en Miraflores"},
            ),
            Kind(
                "the answers of a Flow",
                "css=.answers:has-text('Arequipa')",
                {"type": "nfm_reply", "response": {"talla": "43", "ciudad": "Arequipa"}},
            ),
            Kind("an order", "PEN 438.90", {"type": "order", "text": "Para hoy, por favor"}),
            Kind("a location", "Parque Kennedy", {"type": "location"}),
            Kind("a shared contact", "Guardar como contacto", {"type": "contacts", "phone": "+51 987 111 222"}),
            Kind(
                "the phone number that was asked for",
                "Envió su número de teléfono",
                {"type": "contacts", "text": "Tamara Botones", "phone": "+51987008803", "origin": "contact_request"},
            ),
            Kind(
                "whether they may be called",
                "Nos permite llamar",
                {"type": "interactive", "interactive_type": "call_permission_reply", "response": "accept"},
            ),
        ),
        height=1250,
    ),
    Scene(
        "kinds-changes",
        _person(4, "Carla Cambios"),
        (
            Kind("the chat was opened", "Abrió el chat", {"type": "request_welcome"}),
            Kind("a message that is edited", "Talla 43, perdón", {"text": "Talla 42"}, "edited"),
            Kind("an edit", "editado", {"type": "edit", "message_id": "@edited", "text": "Talla 43, perdón"}),
            Kind("a message that is deleted", "Lo que decía", {"text": "Esto no iba"}, "deleted"),
            Kind("a deletion", "El cliente eliminó este mensaje", {"type": "revoke", "message_id": "@deleted"}),
            Kind("a call", "Llamó: 1:14", _call("wacid.kinds-1", "51987008804", "connect")),
            Kind(
                "a call that was taken",
                "1:14",
                _call(
                    "wacid.kinds-1", "51987008804", "terminate",
                    status="COMPLETED", duration=74, start_time=-74, end_time=0,
                ),
            ),
            Kind("another call", "Llamó", _call("wacid.kinds-2", "51987008804", "connect")),
            Kind(
                "a call that nobody took",
                "nadie contestó",
                _call("wacid.kinds-2", "51987008804", "terminate", status="FAILED"),
            ),
            Kind(
                "another device",
                "Ahora usa WhatsApp en otro dispositivo",
                {"type": "system", "system_type": "customer_identity_changed"},
            ),
            Kind(
                "a new number",
                "Cambió de número",
                {"type": "system", "system_type": "user_changed_number", "new_phone": "51987008814"},
            ),
            Kind("an end of marketing", "Lo detuvo", {"type": "user_preferences", "preference": "stop"}),
        ),
    ),
    Scene(
        "kinds-unsupported",
        _person(5, "Ulises Rarezas"),
        (
            *(
                Kind(f"not handed on: {name}", said, {"type": "unsupported", "unsupported_type": was})
                for name, said, was in (
                    ("a poll", "Encuesta", "poll_creation"),
                    ("a GIF", "GIF", "gif"),
                    ("an invitation to a group", "Invitación a un grupo", "group_invite"),
                )
            ),
            Kind(
                "what is seen once",
                "Foto o video de una sola vista",
                {"type": "unsupported", "unsupported_type": "media_placeholder", "error_code": 131060},
            ),
            Kind(
                "a file that is too large for WhatsApp",
                "(131052)",
                {"type": "unsupported", "unsupported_type": "image", "error_code": 131052},
            ),
            Kind("a type of tomorrow", "hologram", {"type": "hologram"}),
        ),
    ),
    Scene(
        "kinds-phone",
        _person(6, "Felipe Teléfono"),
        (
            Kind(
                "past chats of the phone",
                "¿Abren los domingos?",
                {
                    "field": "history",
                    "value": {
                        "history": [
                            {
                                "metadata": {"phase": 1, "chunk_order": 1, "progress": 100},
                                "threads": [
                                    {
                                        "id": "51987008806",
                                        "messages": [
                                            {
                                                "id": "wamid.kinds-past-1", "from": "51987008806", "type": "text",
                                                "timestamp": -3 * DAY, "text": {"body": "¿Abren los domingos?"},
                                                "history_context": {"status": "READ"},
                                            },
                                            {
                                                "id": "wamid.kinds-past-2", "from": "5117001001", "type": "text",
                                                "to": "51987008806", "timestamp": -3 * DAY + 600,
                                                "text": {"body": "Sí, de 10 a 6"},
                                                "history_context": {"status": "READ"},
                                            },
                                        ],
                                    }
                                ],
                            }
                        ]
                    },
                },
            ),
            Kind("a message after that", "¿Y mañana?", {"text": "¿Y mañana?"}),
            Kind(
                "a text that was written on the phone",
                "Escrito en el teléfono",
                {"echo": True, "to": "51987008806", "text": "Mañana hasta las 8 (desde el teléfono)"},
            ),
            Kind(
                "a file that was sent from the phone",
                "css=.msg--echo .media",
                {"echo": True, "to": "51987008806", "type": "image", "caption": "La fachada"},
            ),
            Kind(
                "a text of the phone that is edited",
                "hasta las 9",
                {"echo": True, "to": "51987008806", "text": "El sábado hasta las 7"},
                "edited",
            ),
            Kind(
                "an edit on the phone",
                "editado",
                {
                    "echo": True, "to": "51987008806", "type": "edit", "message_id": "@edited",
                    "text": "El sábado hasta las 9",
                },
            ),
            Kind(
                "a text of the phone that is deleted",
                "Lo que decía",
                {"echo": True, "to": "51987008806", "text": "Esto no era para ti"},
                "deleted",
            ),
            Kind(
                "a deletion on the phone",
                "Eliminado en el teléfono",
                {"echo": True, "to": "51987008806", "type": "revoke", "message_id": "@deleted"},
            ),
        ),
        height=1150,
    ),
    Scene(
        "kinds-username",
        {"bsuid": "PE.2049187653001880", "name": "Úrsula Usuaria", "username": "ursula.usuaria", "from": "",
         "parent_bsuid": "PE.ENT.88120034"},
        (
            Kind("somebody without a phone, with a username", "@ursula.usuaria", {"text": "Hola, escribo sin mostrar mi número"}),
            Kind(
                "their id changes",
                "Cambió su identificador de WhatsApp",
                {
                    "type": "system", "system_type": "user_changed_user_id", "user_id": "PE.2049187653001881",
                    "previous_user_id": "PE.2049187653001880",
                },
            ),
        ),
        height=700,
    ),
)  # fmt: skip


def found(page: Locator, kind: Kind) -> Locator:
    """Where the page shows it to whoever looks."""
    where = page.locator(kind.seen) if kind.seen.startswith("css=") else page.get_by_text(kind.seen)
    return where.locator("visible=true")
