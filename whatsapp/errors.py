"""Why a provider refused a message, in our own words, and what a sender has to do about it.

`classify` turns a provider's number into a `Reason`; `handling` turns a reason into instructions. Everything else in
Ventana branches on a `Handling`, never on a code and never on a provider's text.

The tables come from the Cloud API error page (developers.facebook.com, "Error codes", 2026-05-15) and Twilio's error
dictionary. A code that nobody has listed is `Reason.UNKNOWN`, which fails visibly and is never sent again by itself.
"""

from dataclasses import dataclass
from enum import StrEnum

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


class Reason(StrEnum):
    """Why a message did not go, or may not go."""

    # The conversation
    WINDOW_CLOSED = "window_closed"
    UNDELIVERABLE = "undeliverable"  # not on WhatsApp, old client, terms not accepted: Meta does not tell which
    MARKETING_CAP = "marketing_cap"  # Meta chose not to deliver this marketing message now; not a block
    OPTED_OUT = "opted_out"
    EXPERIMENT = "experiment"  # about 1 % of people get no marketing at all; not a block
    BLOCKED_BY_US = "blocked_by_us"
    BLOCKED_BY_CONTACT = "blocked_by_contact"  # only Twilio has ever said so
    PHONE_REQUIRED = "phone_required"  # this cannot be sent to a user id alone
    IDENTITY_CHANGED = "identity_changed"
    NOT_ON_TEST_LIST = "not_on_test_list"
    COUNTRY = "country"  # the business may not write to that country
    # Speed
    RATE_NUMBER = "rate_number"
    RATE_PAIR = "rate_pair"
    RATE_API = "rate_api"  # calls of the app or account, not messages
    # What was said
    TEMPLATE_STATE = "template_state"
    TEMPLATE_PARAMS = "template_params"
    TEMPLATE_DEFINITION = "template_definition"  # while writing a template, for its author
    FLOW_BLOCKED = "flow_blocked"
    FLOW_THROTTLED = "flow_throttled"
    MEDIA = "media"
    UNSUPPORTED = "unsupported"
    INVALID = "invalid"  # a parameter or object is wrong: our bug or a wrong configuration
    HELD = "held"  # accepted, and kept back until Meta has judged the template's quality
    # Our number
    AUTH = "auth"
    BILLING = "billing"
    POLICY = "policy"  # locked, or barred for breaking the rules
    QUALITY = "quality"  # too many people blocked or reported the number
    NOT_REGISTERED = "not_registered"  # not registered, certified, verified or named
    HISTORY_DECLINED = "history_declined"
    HANDED_OVER = "handed_over"  # what the phone has was asked for before, and comes once for each connection
    HANDOVER_LATE = "handover_late"  # more than a day after connecting
    # The way there
    TRANSIENT = "transient"
    UNREACHABLE = "unreachable"  # nothing was written: no name, no route, no connection
    UNKNOWN = "unknown"


class Scope(StrEnum):
    """How far a refusal reaches: this message, everything to this person, everything from this number."""

    MESSAGE = "message"
    RECIPIENT = "recipient"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Handling:
    """What the sender does after a definite refusal.

    `retry` puts the message back into the queue; otherwise it has failed. `max_tries` counts all tries with this reason,
    None is without end: the message waits for somebody to mend the number and is not to blame. `pauses_number` stops
    the whole number and alerts, `pauses_marketing` only what is not an answer. `suppresses_marketing` is about the
    person, until they resume. `suspects_recipient` is evidence that the address is dead. Seconds throughout.
    """

    retry: bool = False
    scope: Scope = Scope.MESSAGE
    base_delay: float = 0.0
    growth: float = 2.0
    max_delay: float = HOUR
    max_tries: int | None = 1
    not_before: float = 0.0
    pauses_number: bool = False
    pauses_marketing: bool = False
    suppresses_marketing: bool = False
    suspects_recipient: bool = False
    resyncs_templates: bool = False

    def retries_after(self, tries: int) -> bool:
        """Whether another try is due after `tries` of them."""
        return self.retry and (self.max_tries is None or tries < self.max_tries)

    def delay(self, tries: int, retry_after: float | None = None) -> float:
        """Seconds to wait after the `tries`-th try, without jitter; what the provider asks for wins when it is longer."""
        try:
            grown = self.base_delay * self.growth ** max(tries - 1, 0)
        except OverflowError:
            grown = self.max_delay
        return max(min(grown, self.max_delay), self.not_before, retry_after or 0.0)


_FAIL = Handling()
_WAIT_FOR_REPAIR = Handling(retry=True, scope=Scope.NUMBER, base_delay=5 * MINUTE, max_tries=None, pauses_number=True)

_HANDLING: dict[Reason, Handling] = {
    Reason.UNDELIVERABLE: Handling(suspects_recipient=True),
    # Trying earlier can prolong the cap (error page, 131049).
    Reason.MARKETING_CAP: Handling(
        retry=True, scope=Scope.RECIPIENT, base_delay=DAY, max_delay=7 * DAY, max_tries=3, not_before=DAY
    ),
    Reason.OPTED_OUT: Handling(scope=Scope.RECIPIENT, suppresses_marketing=True),
    Reason.EXPERIMENT: Handling(scope=Scope.RECIPIENT),
    Reason.BLOCKED_BY_US: Handling(scope=Scope.RECIPIENT),
    Reason.BLOCKED_BY_CONTACT: Handling(scope=Scope.RECIPIENT, suspects_recipient=True),
    Reason.IDENTITY_CHANGED: Handling(scope=Scope.RECIPIENT),
    Reason.NOT_ON_TEST_LIST: Handling(scope=Scope.RECIPIENT),
    Reason.COUNTRY: Handling(scope=Scope.RECIPIENT),
    Reason.RATE_NUMBER: Handling(retry=True, scope=Scope.NUMBER, base_delay=1, max_delay=MINUTE, max_tries=12),
    # "Retry after 4^X seconds" (throughput page, pair rate limit).
    Reason.RATE_PAIR: Handling(retry=True, scope=Scope.RECIPIENT, base_delay=4, growth=4, max_tries=6),
    Reason.RATE_API: Handling(retry=True, scope=Scope.NUMBER, base_delay=MINUTE, max_tries=8),
    Reason.TEMPLATE_STATE: Handling(resyncs_templates=True),
    Reason.TEMPLATE_PARAMS: Handling(resyncs_templates=True),
    Reason.FLOW_THROTTLED: Handling(retry=True, base_delay=HOUR, max_tries=3, not_before=HOUR),
    Reason.MEDIA: Handling(retry=True, base_delay=30, max_tries=3),
    Reason.AUTH: _WAIT_FOR_REPAIR,
    Reason.BILLING: _WAIT_FOR_REPAIR,
    Reason.NOT_REGISTERED: _WAIT_FOR_REPAIR,
    Reason.POLICY: Handling(scope=Scope.NUMBER, pauses_number=True),
    Reason.QUALITY: Handling(
        retry=True, scope=Scope.NUMBER, base_delay=HOUR, max_delay=6 * HOUR, max_tries=4, pauses_marketing=True
    ),
    Reason.TRANSIENT: Handling(retry=True, base_delay=5, max_tries=6),
    Reason.UNREACHABLE: Handling(retry=True, scope=Scope.NUMBER, base_delay=5, max_delay=5 * MINUTE, max_tries=12),
}


def handling(reason: Reason) -> Handling:
    """What to do about `reason`. A reason without an entry of its own fails the message and touches nothing else."""
    return _HANDLING.get(reason, _FAIL)


def classify(provider: str, code: int | None) -> Reason:
    """Our reason for a provider's error code; `Reason.UNKNOWN` for one that nobody has listed, or none."""
    if code is None:
        return Reason.UNKNOWN
    codes, ranges = _TABLES.get(provider, _NO_TABLE)
    if code in codes:
        return codes[code]
    return next((reason for span, reason in ranges if code in span), Reason.UNKNOWN)


Codes = dict[int, Reason]
Ranges = tuple[tuple[range, Reason], ...]


def _by_code(reasons: dict[Reason, tuple[int, ...]]) -> Codes:
    return {code: reason for reason, codes in reasons.items() for code in codes}


_META: Codes = _by_code(
    {
        Reason.WINDOW_CLOSED: (131047, 470),
        Reason.UNDELIVERABLE: (131026,),
        Reason.MARKETING_CAP: (131049,),
        Reason.OPTED_OUT: (131050,),
        Reason.EXPERIMENT: (130472,),
        Reason.BLOCKED_BY_US: (130403,),
        Reason.PHONE_REQUIRED: (131062,),
        Reason.IDENTITY_CHANGED: (137000,),
        Reason.NOT_ON_TEST_LIST: (131030,),
        Reason.COUNTRY: (130497,),
        Reason.RATE_NUMBER: (130429,),
        Reason.RATE_PAIR: (131056,),
        Reason.RATE_API: (4, 80007, 133016),
        Reason.TEMPLATE_STATE: (132001, 132015, 132016, 131064),
        Reason.TEMPLATE_PARAMS: (132000, 132005, 132007, 132008, 132012, 132018),
        Reason.FLOW_BLOCKED: (132068,),
        Reason.FLOW_THROTTLED: (132069,),
        Reason.MEDIA: (131052, 131053),
        Reason.UNSUPPORTED: (131051, 131060, 131063, 139200),
        Reason.INVALID: (33, 100, 131005, 131008, 131009, 131021, 135000, 139100, 139101, 139102, 139103),
        # 463 and 467 are subcodes of 190 that some answers carry as the code.
        Reason.AUTH: (0, 3, 10, 190, 463, 467),
        Reason.BILLING: (131042, 131044),
        Reason.POLICY: (368, 131031),
        Reason.QUALITY: (131048,),
        Reason.NOT_REGISTERED: (131037, 131045, 133010),
        # Not on Meta's page of errors; two integrations, independent of each other, name the first two. Another code is
        # told in Meta's own words, and may be asked again.
        Reason.HANDED_OVER: (2593107,),
        Reason.HANDOVER_LATE: (2593108,),
        Reason.HISTORY_DECLINED: (2593109,),
        Reason.TRANSIENT: (1, 2, 131000, 131016, 131057, 133004),
    }
)
_META_RANGES: Ranges = (
    (range(200, 300), Reason.AUTH),  # permissions
    (range(131200, 131300), Reason.UNSUPPORTED),  # groups
    (range(133000, 133017), Reason.NOT_REGISTERED),
    (range(138000, 139000), Reason.UNSUPPORTED),  # calling
    (range(139000, 139005), Reason.INVALID),  # managing flows
    (range(2388000, 2389000), Reason.TEMPLATE_DEFINITION),
)

_TWILIO: Codes = _by_code(
    {
        Reason.WINDOW_CLOSED: (63016,),
        Reason.UNDELIVERABLE: (63003, 63024),
        Reason.MARKETING_CAP: (63049,),
        Reason.OPTED_OUT: (21610,),
        Reason.EXPERIMENT: (63032,),
        Reason.BLOCKED_BY_CONTACT: (63014, 63033),
        Reason.NOT_ON_TEST_LIST: (63015,),
        Reason.RATE_NUMBER: (63017, 63018, 63038),
        Reason.TEMPLATE_STATE: (63027, 63040, 63041),
        Reason.TEMPLATE_PARAMS: (63028,),
        Reason.MEDIA: (63019,),
        Reason.INVALID: (63005, 63013, 63021, 63031),
        Reason.AUTH: (63001,),
        Reason.QUALITY: (63026,),
        Reason.NOT_REGISTERED: (63007, 63020, 63022, 63059),
        Reason.TRANSIENT: (63012,),
    }
)

_NO_TABLE: tuple[Codes, Ranges] = ({}, ())
_TABLES: dict[str, tuple[Codes, Ranges]] = {
    "cloud": (_META, _META_RANGES),
    "twilio": (_TWILIO, ()),
}
