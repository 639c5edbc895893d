"""What every provider offers, whatever it speaks underneath.

**How to add a provider**

1. Describe it in `whatsapp.capabilities.CAPABILITIES`: what it can do is data, and nobody asks for its name.
2. Give its error codes a table in `whatsapp.errors`.
3. Make a package `whatsapp/providers/<name>/` with `client` (the only place that speaks HTTP), `payloads` (our content
   into its requests), `webhook` (its callbacks into `whatsapp.events`) and, where it needs one, `codes`.
4. Write the class that satisfies `Provider` in the package's `__init__` and register it in `PROVIDERS`.
5. Add its case to the contract suite, `tests/whatsapp/providers/test_contract.py`, and make that pass.

**What a send may end in.** Either an `Accepted`, or exactly one of three exceptions that mean different things for a
message that must be neither lost nor doubled:

- `Refused`: the provider said no. The message did not go; `handling(reason)` tells whether another try makes sense.
- `NotSent`: nothing was written. The message did not go, and any later try is safe.
- `OutcomeUnknown`: it was written and nobody knows. A new try may double it; wait for a status with our reference.

No exception, log record or repr ever holds a token, a phone number or what was said.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Protocol

from whatsapp.capabilities import Capabilities
from whatsapp.errors import Reason
from whatsapp.events import Happening, Person
from whatsapp.outgoing import Outgoing, Recipient


@dataclass(frozen=True, slots=True)
class Account:
    """A number of ours at its provider, with everything that a call needs.

    `number_id` and `business_id` are the provider's: phone_number_id and WABA id at Meta. `token` is the number's own;
    it is never shown. `token` of another number must not be used in its place.
    """

    number_id: str
    business_id: str = ""
    token: str = field(default="", repr=False)
    api_url: str = "https://graph.facebook.com"
    api_version: str = "v25.0"
    media_hosts: tuple[str, ...] = ()  # hosts, or domains with a dot in front, that get the token with a file's request


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message, and nothing more: it may still fail. `recipient` is whom it found, worth storing.

    `held`: kept back until the template's quality is known; statuses follow, or a failure does.
    """

    message_id: str
    recipient: Person = Person()
    held: bool = False


@dataclass(frozen=True, slots=True)
class RemoteNumber:
    """One of our numbers as the provider describes it; words are the provider's, empty when it did not say."""

    number_id: str
    phone: str = ""  # digits
    display_phone: str = ""
    name: str = ""
    status: str = ""
    quality: str = ""
    throughput: str = ""
    messaging_limit: str = ""
    verification: str = ""
    name_status: str = ""
    platform: str = ""
    is_coexistent: bool = False
    can_send: str = ""  # AVAILABLE | LIMITED | BLOCKED
    obstacles: tuple[str, ...] = ()  # why it cannot, and what Meta suggests
    webhook_url: str = ""  # where its messages are announced: its own address, else its account's, else the app's
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteTemplate:
    """A template as the provider holds it. `language` is written with an underscore (`pt_BR`), as for sending."""

    template_id: str
    name: str
    language: str
    status: str
    category: str
    components: list[dict[str, Any]] = field(default_factory=list)
    quality: str = ""
    rejected_reason: str = ""
    previous_category: str = ""
    parameter_format: str = ""
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """The public key that the provider gives to phones; empty when it has none. `status` is its word: VALID, MISMATCH."""

    public_key: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class FlowFault:
    """What the provider does not accept in a Flow's JSON, and where; lines and columns count from 1, 0 is unknown."""

    error: str
    message: str
    line_start: int = 0
    line_end: int = 0
    column_start: int = 0
    column_end: int = 0


@dataclass(frozen=True, slots=True)
class RemoteFlow:
    """A Flow as the provider holds it; `status` is its word."""

    flow_id: str
    name: str
    status: str
    categories: tuple[str, ...] = ()
    faults: tuple[FlowFault, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """A template as we want the provider to have it; `components` are Meta's."""

    name: str
    language: str
    category: str
    components: list[dict[str, Any]]
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class FetchedMedia:
    """A file that was written: size in bytes, hex SHA-256 of what came, and its type as the provider names it."""

    size: int
    sha256: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What the provider says of a token. None in `expires_at` is “never”; `targets` maps a scope to the ids it covers.

    A scope without an entry in `targets` covers everything (debug_token leaves `target_ids` out then).
    """

    is_valid: bool
    kind: str = ""
    app_id: str = ""
    expires_at: datetime | None = None
    data_access_expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    targets: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FreshToken:
    """A token that was given in exchange for one that was about to expire."""

    token: str = field(repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BusinessProfile:
    """What customers see of the company behind a number. `vertical` is one of the provider's words, like RETAIL."""

    about: str = ""
    address: str = ""
    description: str = ""
    email: str = ""
    websites: tuple[str, ...] = ()
    vertical: str = ""


@dataclass(frozen=True, slots=True)
class Erased:
    """Whose parts are taken out of stored deliveries: phones in every spelling (digits) and user ids, and their messages' ids.

    `numbers` are the only ones of ours (by the provider's id) whose parts may be touched; None: all of a delivery's.
    """

    addresses: frozenset[str] = field(repr=False)
    message_ids: frozenset[str] = field(default=frozenset(), repr=False)
    numbers: frozenset[str] | None = None


class ProviderError(Exception):
    """A call that brought no result. `retry_after` is in seconds, when the provider asked for a pause."""

    def __init__(self, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Refused(ProviderError):
    """The provider answered no, and means it. `code` is None when its answer named none; `trace_id` is for its support.

    `subcode` narrows the code where templates are written; `said` is what the provider tells the person who wrote one.
    """

    def __init__(
        self,
        *,
        reason: Reason,
        code: int | None = None,
        detail: str = "",
        trace_id: str = "",
        retry_after: float | None = None,
        subcode: int | None = None,
        said: str = "",
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.reason = reason
        self.code = code
        self.trace_id = trace_id
        self.subcode = subcode
        self.said = said

    def __str__(self) -> str:
        return f"{self.reason} ({self.code})"


class NotSent(ProviderError):
    """Nothing was written: no name, no connection, no trusted certificate. Trying again cannot double anything."""

    reason = Reason.UNREACHABLE


class OutcomeUnknown(ProviderError):
    """The request was written, and no readable answer came: a timeout, a reset, a 5xx, a 200 that says nothing.

    For a call that only reads, it is simply a failed try.
    """


class Provider(Protocol):
    """A way into and out of WhatsApp. One instance serves all threads and all tenants: it keeps no state of theirs."""

    name: str
    capabilities: Capabilities

    def send(
        self,
        account: Account,
        *,
        recipient: Recipient,
        content: Outgoing,
        reference: str = "",
        quoted_id: str | None = None,
    ) -> Accepted:
        """Send one message. `reference` comes back with its statuses where `capabilities.echoes_reference`.

        Raises Refused, NotSent or OutcomeUnknown, as the head of this module explains.
        """
        ...

    def mark_read(self, account: Account, *, message_id: str, typing: bool = False) -> None:
        """Show the person that we have read up to this message, and that somebody is typing."""
        ...

    def fetch_media(self, account: Account, *, media_id: str, into: IO[bytes], max_bytes: int) -> FetchedMedia:
        """Write a customer's file into `into`. Raises CannotFetch; its detail is `gone` when the provider has it no more."""
        ...

    def upload_media(self, account: Account, *, file: IO[bytes], mime_type: str, filename: str) -> str:
        """Hand over a file that a message will name; returns its id. Raises as `send` does; a new try doubles nothing."""
        ...

    def fetch_templates(self, account: Account) -> Iterator[RemoteTemplate]:
        """All templates of the business account, page by page as they are consumed."""
        ...

    def create_template(self, account: Account, *, draft: TemplateDraft) -> RemoteTemplate:
        """Submit a new template, or a new language of one; returns it as the provider has it now. Raises as `send` does."""
        ...

    def edit_template(self, account: Account, *, template_id: str, draft: TemplateDraft) -> None:
        """Submit another text for a template; without a category it keeps its own. Raises as `send` does."""
        ...

    def delete_template(self, account: Account, *, name: str, template_id: str = "") -> None:
        """Delete a template in all its languages, or with `template_id` in that one only. Raises as `send` does."""
        ...

    def upload_example(self, account: Account, *, file: IO[bytes], size: int, mime_type: str, filename: str) -> str:
        """Hand over the example of a template's header; returns what `draft` names it by. A new try doubles nothing."""
        ...

    def fetch_numbers(self, account: Account) -> Iterator[RemoteNumber]:
        """All numbers of the business account; `account.number_id` is not looked at."""
        ...

    def fetch_number(self, account: Account) -> RemoteNumber:
        """The account's own number, with what hinders it from sending: the first call of “check connection”."""
        ...

    def upload_public_key(self, account: Account, *, public_key: str) -> None:
        """Hand over the key (PEM) with which phones seal what people fill in for this number; a new one replaces it."""
        ...

    def fetch_public_key(self, account: Account) -> RemoteKey:
        """The key that phones get for this number now, and whether the provider finds its signature valid."""
        ...

    def fetch_flows(self, account: Account) -> Iterator[RemoteFlow]:
        """All Flows of the business account, page by page as they are consumed."""
        ...

    def fetch_flow(self, account: Account, *, flow_id: str) -> str:
        """A Flow's JSON as it was uploaded, empty while it has none. Raises CannotFetch beside what every call may."""
        ...

    def create_flow(self, account: Account, *, name: str, categories: Sequence[str], endpoint_url: str = "") -> str:
        """Make an empty draft and return its id. Names are unique in the business account."""
        ...

    def upload_flow(self, account: Account, *, flow_id: str, source: bytes) -> tuple[FlowFault, ...]:
        """Replace a draft's JSON; returns what is wrong with it, which does not stop the upload."""
        ...

    def publish_flow(self, account: Account, *, flow_id: str) -> None:
        """Let a draft be sent. What is published cannot be changed any more."""
        ...

    def deprecate_flow(self, account: Account, *, flow_id: str) -> None:
        """Take a published Flow back: it cannot be sent or opened any more."""
        ...

    def delete_flow(self, account: Account, *, flow_id: str) -> None:
        """Remove a draft; others can only be deprecated."""
        ...

    def inspect_token(self, account: Account, *, app_id: str = "", app_secret: str = "") -> TokenFacts:
        """What the account's token may do and how long it lives. Without the app's credentials it describes itself."""
        ...

    def refresh_token(self, account: Account, *, app_id: str, app_secret: str) -> FreshToken:
        """Exchange the account's token, while it is valid, for one that lives longer."""
        ...

    def fetch_subscribers(self, account: Account) -> list[str]:
        """The ids of the apps that hear of the business account's messages."""
        ...

    def subscribe(self, account: Account) -> None:
        """Let our app, whose token this is, hear of the business account's messages."""
        ...

    def register(self, account: Account, *, pin: str) -> None:
        """Make the number ready to send; `pin` is its second step, or becomes it. Never for one shared with a phone."""
        ...

    def request_handover(self, account: Account, *, kind: str) -> str:
        """Have the phone that shares the number hand over its `contacts` or its `history`, which come by webhook.

        Each once for a connection, within a day of it. Returns the provider's id of the request.
        """
        ...

    def direct_webhooks(self, account: Account, *, url: str, verify_token: str) -> None:
        """Have this number's messages announced at `url`, which the provider calls at once to see whether we answer."""
        ...

    def fetch_profile(self, account: Account) -> BusinessProfile:
        """What customers see of the company behind the number."""
        ...

    def update_profile(self, account: Account, *, profile: BusinessProfile) -> None:
        """Change it; what is empty is taken away."""
        ...

    def verify(self, *, secret: str, headers: Mapping[str, str], body: bytes, url: str = "") -> bool:
        """Whether a callback was signed with `secret`. An empty secret verifies nothing. Names of headers in any case."""
        ...

    def handshake(self, *, parameters: Mapping[str, str], verify_token: str) -> str | None:
        """What to answer when the provider checks our address, as plain text; None to refuse."""
        ...

    def parse(self, body: bytes) -> list[Happening]:
        """A callback as values. Raises MalformedBody and nothing else; a part it cannot read becomes Unrecognised."""
        ...

    def without(self, body: bytes, erased: Erased) -> bytes:
        """A callback without what is of the person, everything else as it was; the same bytes where nothing is. Never raises."""
        ...
