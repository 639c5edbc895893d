"""What we can say through WhatsApp, as frozen values: the closed vocabulary between compose() and a provider.

`payload` of a stored message is `content.as_payload()`, and `from_payload(type, payload)` gives the same value back, so
that a message can be sent from its row alone.
"""

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a message goes. WhatsApp takes the phone when both are given."""

    phone: str | None = None  # digits, no "+"
    bsuid: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Base of everything that can be sent. `type` is WhatsApp's own word."""

    type: ClassVar[str] = ""

    @property
    def text_shown(self) -> str:
        """What lists and searches show of it."""
        return ""

    @property
    def has_file(self) -> bool:
        """Whether a file has to be handed over before it can go."""
        return False

    def as_payload(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Text(Outgoing):
    type: ClassVar[str] = "text"
    body: str
    preview_url: bool = True
    MAX_LENGTH: ClassVar[int] = 4096

    @property
    def text_shown(self) -> str:
        return self.body


@dataclass(frozen=True, slots=True)
class Template(Outgoing):
    """An approved template by name and language. `components` are Meta's; `preview` is the filled body, for people.

    `media_kind` (`image`, `video`, `document`) says that its header shows a file of ours; `media_id` is filled in once that
    has been handed over, as with Media. `flow` is what its button opens: {index, id, flow_id, name, action, screen?, data?,
    token}; `compose` gives it, and only the `index` for a Flow that is not ours.
    """

    type: ClassVar[str] = "template"
    name: str
    language: str
    category: str = ""
    components: list[dict[str, Any]] = field(default_factory=list)
    preview: str = ""
    media_kind: str = ""
    media_id: str = ""
    filename: str = ""
    flow: dict[str, Any] = field(default_factory=dict)

    @property
    def text_shown(self) -> str:
        return self.preview or self.name

    @property
    def has_file(self) -> bool:
        return bool(self.media_kind)


@dataclass(frozen=True, slots=True)
class Interactive(Outgoing):
    """A text that is answered by a tap; the rules are `whatsapp.interactive`'s.

    `kind` is one of `whatsapp.interactive.KINDS`. Each of `options` has `id` and `title`, a row of a list also
    `description`; `label` opens the list, the link `url`, or the Flow. `flow` is {id, flow_id, name, action, screen?,
    data?, token}: of these the writer gives the `id`, `crm.flows.sending` the rest. `product` is {id, catalog}: the
    catalogue's own id of the product, and the number's catalogue, which `compose` adds.
    """

    type: ClassVar[str] = "interactive"
    kind: str
    body: str
    options: list[dict[str, str]] = field(default_factory=list)
    label: str = ""
    url: str = ""
    header: str = ""
    footer: str = ""
    flow: dict[str, Any] = field(default_factory=dict)
    product: dict[str, str] = field(default_factory=dict)

    @property
    def text_shown(self) -> str:
        return self.body or self.product.get("id", "")


@dataclass(frozen=True, slots=True)
class Location(Outgoing):
    """A point on the map, in degrees; the rules are `whatsapp.places`'."""

    type: ClassVar[str] = "location"
    latitude: float
    longitude: float
    name: str = ""
    address: str = ""

    @property
    def text_shown(self) -> str:
        return self.name or self.address


@dataclass(frozen=True, slots=True)
class Contacts(Outgoing):
    """People to get in touch with, each a card in WhatsApp's shape; `whatsapp.cards` makes and judges them."""

    type: ClassVar[str] = "contacts"
    contacts: list[dict[str, Any]]

    @property
    def text_shown(self) -> str:
        return ", ".join(card["name"]["formatted_name"] for card in self.contacts)


@dataclass(frozen=True, slots=True)
class Reaction(Outgoing):
    """Put an emoji on a message of the conversation; an empty emoji takes it away."""

    type: ClassVar[str] = "reaction"
    target_id: str
    emoji: str

    @property
    def text_shown(self) -> str:
        return self.emoji


@dataclass(frozen=True, slots=True)
class Media(Outgoing):
    """A file. `media_id` is the provider's and is filled in once the file has been handed over; see `crm.media`."""

    media_id: str = ""
    caption: str = ""
    filename: str = ""
    HAS_CAPTION: ClassVar[bool] = True

    @property
    def text_shown(self) -> str:
        return self.caption

    @property
    def has_file(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Image(Media):
    type: ClassVar[str] = "image"


@dataclass(frozen=True, slots=True)
class Video(Media):
    type: ClassVar[str] = "video"


@dataclass(frozen=True, slots=True)
class Audio(Media):
    """A sound file, or a voice note (`is_voice`), which WhatsApp shows with its waveform."""

    type: ClassVar[str] = "audio"
    is_voice: bool = False
    HAS_CAPTION: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Document(Media):
    type: ClassVar[str] = "document"


@dataclass(frozen=True, slots=True)
class Sticker(Media):
    type: ClassVar[str] = "sticker"
    HAS_CAPTION: ClassVar[bool] = False


MEDIA: dict[str, type[Media]] = {kind.type: kind for kind in (Image, Video, Audio, Document, Sticker)}
KINDS: dict[str, type[Outgoing]] = {
    Text.type: Text,
    Template.type: Template,
    Interactive.type: Interactive,
    Location.type: Location,
    Contacts.type: Contacts,
    Reaction.type: Reaction,
    **MEDIA,
}


class UnknownContent(ValueError):
    """The type is not one we can send."""


def from_payload(type: str, payload: dict[str, Any]) -> Outgoing:
    """Rebuild the content of a stored message. Raises UnknownContent for a type that cannot be sent."""
    try:
        kind = KINDS[type]
    except KeyError:
        raise UnknownContent(f"“{type}” messages cannot be sent") from None
    return kind(**payload)
