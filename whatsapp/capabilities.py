"""What each provider can do, as data: nobody outside asks which provider it is, only what it can.

Sources: Cloud API media page (2026-06-16) and throughput page (2026-09); Twilio's WhatsApp pages. The unofficial client
(lite) follows WhatsApp Web, slowed down so that a number is not taken for a robot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

KIB, MIB = 1024, 1024 * 1024


@dataclass(frozen=True, slots=True)
class MediaLimit:
    """The files of one kind that may be sent. An empty `mime_types` takes any."""

    max_bytes: int
    mime_types: frozenset[str] = frozenset()

    def allows(self, mime_type: str, size: int) -> bool:
        """Whether a file can go; parameters of the type (`; codecs=opus`) do not count."""
        bare = mime_type.partition(";")[0].strip().lower()
        return 0 < size <= self.max_bytes and (not self.mime_types or bare in self.mime_types)


@dataclass(frozen=True, slots=True)
class PairPace:
    """How fast one person may be written to: one message each `seconds`, `burst` of them borrowed in advance."""

    seconds: float
    burst: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    has_window: bool
    has_templates: bool
    is_priced: bool
    read_receipts: bool
    sends_per_second: float
    coexistence_sends_per_second: float
    pair_pace: PairPace | None
    max_text_length: int
    max_caption_length: int
    media: Mapping[str, MediaLimit] = field(default_factory=dict)
    reactions: bool = True
    quotes: bool = True
    typing: bool = True
    marks_read: bool = True
    interactive: bool = False
    locations: bool = False
    contact_cards: bool = False
    flows: bool = False
    sends_to_user_ids: bool = False  # BSUID
    echoes_reference: bool = False  # our reference comes back with the statuses
    reports_quality: bool = False
    hands_over: bool = False  # contacts and past chats of the phone that shares the number
    surcharge_usd: str = ""  # of the provider itself, a message, on top of Meta's rate

    def pace(self, *, coexistence: bool = False, throughput: float | None = None) -> float:
        """Messages a second for a number; its own known throughput counts, but never on a number shared with the app."""
        if coexistence:
            return self.coexistence_sends_per_second
        return throughput or self.sends_per_second


_CLOUD_MEDIA: Mapping[str, MediaLimit] = MappingProxyType(
    {
        "image": MediaLimit(5 * MIB, frozenset({"image/jpeg", "image/png"})),
        "video": MediaLimit(16 * MIB, frozenset({"video/mp4", "video/3gpp"})),
        "audio": MediaLimit(16 * MIB, frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"})),
        # Longer voice notes arrive as a file.
        "voice": MediaLimit(512 * KIB, frozenset({"audio/ogg"})),
        # Meta lists the office types; others pass in practice, and refusing them here would help nobody.
        "document": MediaLimit(100 * MIB),
        "sticker": MediaLimit(100 * KIB, frozenset({"image/webp"})),
        "animated_sticker": MediaLimit(500 * KIB, frozenset({"image/webp"})),
    }
)

CAPABILITIES: dict[str, Capabilities] = {
    "cloud": Capabilities(
        has_window=True,
        has_templates=True,
        is_priced=True,
        read_receipts=True,
        sends_per_second=80,
        coexistence_sends_per_second=20,
        pair_pace=PairPace(seconds=6, burst=45),
        max_text_length=4096,
        max_caption_length=1024,
        media=_CLOUD_MEDIA,
        interactive=True,
        locations=True,
        contact_cards=True,
        flows=True,
        sends_to_user_ids=True,
        echoes_reference=True,
        reports_quality=True,
        hands_over=True,
    ),
    "twilio": Capabilities(
        has_window=True,
        has_templates=True,
        is_priced=True,
        read_receipts=True,
        sends_per_second=80,
        coexistence_sends_per_second=80,  # Twilio offers no coexistence
        pair_pace=PairPace(seconds=6, burst=45),
        max_text_length=1600,
        max_caption_length=1600,
        media=MappingProxyType(
            {kind: MediaLimit(min(limit.max_bytes, 16 * MIB), limit.mime_types) for kind, limit in _CLOUD_MEDIA.items()}
        ),
        reactions=False,
        quotes=False,
        typing=False,
        marks_read=False,
        sends_to_user_ids=True,
        echoes_reference=True,  # through a StatusCallback address of each message's own
        surcharge_usd="0.005",
    ),
    "lite": Capabilities(
        has_window=False,
        has_templates=False,
        is_priced=False,
        read_receipts=True,
        sends_per_second=100 / 60,
        coexistence_sends_per_second=100 / 60,
        pair_pace=PairPace(seconds=6, burst=5),
        max_text_length=4096,
        max_caption_length=1024,
        media=_CLOUD_MEDIA,
    ),
}
