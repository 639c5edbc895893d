"""WhatsApp by Meta's Cloud API."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import IO

from whatsapp.capabilities import CAPABILITIES
from whatsapp.events import Happening, Person
from whatsapp.outgoing import Outgoing, Recipient
from whatsapp.providers.base import (
    Accepted,
    Account,
    BusinessProfile,
    Erased,
    FetchedMedia,
    FlowFault,
    FreshToken,
    OutcomeUnknown,
    RemoteFlow,
    RemoteKey,
    RemoteNumber,
    RemoteTemplate,
    TemplateDraft,
    TokenFacts,
)
from whatsapp.providers.cloud import coexistence, erasing, files, flows, payloads, records, templates, webhook
from whatsapp.providers.cloud.client import Graph

_HELD = frozenset({"held_for_quality_assessment", "paused"})


class Cloud:
    """Meta's Cloud API as a `Provider`."""

    name = "cloud"
    capabilities = CAPABILITIES["cloud"]

    def __init__(self, graph: Graph | None = None) -> None:
        self.graph = graph or Graph()

    def send(
        self,
        account: Account,
        *,
        recipient: Recipient,
        content: Outgoing,
        reference: str = "",
        quoted_id: str | None = None,
    ) -> Accepted:
        body = payloads.message(recipient=recipient, content=content, reference=reference, quoted_id=quoted_id)
        answer = self.graph.post(account, account.number_id, "messages", body=body)
        return _accepted(answer)

    def mark_read(self, account: Account, *, message_id: str, typing: bool = False) -> None:
        body = payloads.read_receipt(message_id=message_id, typing=typing)
        self.graph.post(account, account.number_id, "messages", body=body)

    def fetch_media(self, account: Account, *, media_id: str, into: IO[bytes], max_bytes: int) -> FetchedMedia:
        return files.fetch(self.graph, account, media_id=media_id, into=into, max_bytes=max_bytes)

    def upload_media(self, account: Account, *, file: IO[bytes], mime_type: str, filename: str) -> str:
        return files.upload(self.graph, account, file=file, mime_type=mime_type, filename=filename)

    def fetch_templates(self, account: Account) -> Iterator[RemoteTemplate]:
        pages = self.graph.pages(account, account.business_id, "message_templates", fields=records.TEMPLATE_FIELDS)
        return (template for item in pages if (template := records.template(item)))

    def create_template(self, account: Account, *, draft: TemplateDraft) -> RemoteTemplate:
        return templates.create(self.graph, account, draft)

    def edit_template(self, account: Account, *, template_id: str, draft: TemplateDraft) -> None:
        templates.edit(self.graph, account, template_id, draft)

    def delete_template(self, account: Account, *, name: str, template_id: str = "") -> None:
        templates.delete(self.graph, account, name, template_id)

    def upload_example(self, account: Account, *, file: IO[bytes], size: int, mime_type: str, filename: str) -> str:
        return templates.upload(self.graph, account, file, size, mime_type, filename)

    def fetch_numbers(self, account: Account) -> Iterator[RemoteNumber]:
        pages = self.graph.pages(account, account.business_id, "phone_numbers", fields=records.NUMBER_FIELDS)
        return (number for item in pages if (number := records.number(item)))

    def fetch_number(self, account: Account) -> RemoteNumber:
        answer = self.graph.get(account, account.number_id, fields=records.NUMBER_FIELDS)
        number = records.number(answer)
        if number is None:
            raise OutcomeUnknown("The answer describes no number")
        return number

    def upload_public_key(self, account: Account, *, public_key: str) -> None:
        fields = {"business_public_key": public_key}
        self.graph.post_form(account, account.number_id, "whatsapp_business_encryption", fields=fields)

    def fetch_public_key(self, account: Account) -> RemoteKey:
        return records.public_key(self.graph.get(account, account.number_id, "whatsapp_business_encryption"))

    def fetch_flows(self, account: Account) -> Iterator[RemoteFlow]:
        pages = self.graph.pages(account, account.business_id, "flows", fields=records.FLOW_FIELDS)
        return (flow for item in pages if (flow := records.flow(item)))

    def fetch_flow(self, account: Account, *, flow_id: str) -> str:
        return flows.fetch(self.graph, account, flow_id=flow_id)

    def create_flow(self, account: Account, *, name: str, categories: Sequence[str], endpoint_url: str = "") -> str:
        return flows.create(self.graph, account, name=name, categories=categories, endpoint_url=endpoint_url)

    def upload_flow(self, account: Account, *, flow_id: str, source: bytes) -> tuple[FlowFault, ...]:
        return flows.upload(self.graph, account, flow_id=flow_id, source=source)

    def publish_flow(self, account: Account, *, flow_id: str) -> None:
        self.graph.post(account, flow_id, "publish", body={})

    def deprecate_flow(self, account: Account, *, flow_id: str) -> None:
        self.graph.post(account, flow_id, "deprecate", body={})

    def delete_flow(self, account: Account, *, flow_id: str) -> None:
        self.graph.delete(account, flow_id)

    def inspect_token(self, account: Account, *, app_id: str = "", app_secret: str = "") -> TokenFacts:
        token = f"{app_id}|{app_secret}" if app_id and app_secret else account.token
        answer = self.graph.get(account, "debug_token", token=token, input_token=account.token)
        return records.token_facts(answer)

    def refresh_token(self, account: Account, *, app_id: str, app_secret: str) -> FreshToken:
        # The secret is a parameter because Meta's page says so; the client never shows an address.
        answer = self.graph.get(
            account, "oauth", "access_token", grant_type="fb_exchange_token", client_id=app_id, client_secret=app_secret,
            set_token_expires_in_60_days="true",  # noqa: S106 - a flag, no secret
            fb_exchange_token=account.token,
        )  # fmt: skip
        fresh = records.fresh_token(answer, now=datetime.now(UTC))
        if fresh is None:
            raise OutcomeUnknown("The answer holds no token")
        return fresh

    def fetch_subscribers(self, account: Account) -> list[str]:
        answer = self.graph.get(account, account.business_id, "subscribed_apps")
        if not isinstance(answer.get("data"), list):
            raise OutcomeUnknown("The answer lists no apps")
        return records.subscribers(answer)

    def subscribe(self, account: Account) -> None:
        self.graph.post(account, account.business_id, "subscribed_apps", body={})

    def register(self, account: Account, *, pin: str) -> None:
        body = {"messaging_product": "whatsapp", "pin": pin}
        self.graph.post(account, account.number_id, "register", body=body)

    def request_handover(self, account: Account, *, kind: str) -> str:
        body = {"messaging_product": "whatsapp", "sync_type": coexistence.SYNC_TYPES[kind]}
        answer = self.graph.post(account, account.number_id, "smb_app_data", body=body)
        return str(answer.get("request_id") or "")

    def direct_webhooks(self, account: Account, *, url: str, verify_token: str) -> None:
        address = {"override_callback_uri": url, "verify_token": verify_token}
        self.graph.post(account, account.number_id, body={"webhook_configuration": address})

    def fetch_profile(self, account: Account) -> BusinessProfile:
        answer = self.graph.get(account, account.number_id, "whatsapp_business_profile", fields=records.PROFILE_FIELDS)
        return records.profile(answer)

    def update_profile(self, account: Account, *, profile: BusinessProfile) -> None:
        # Meta takes no empty trade; leaving it out keeps what is there.
        said = {name: value for name, value in asdict(profile).items() if value or name != "vertical"}
        body = {"messaging_product": "whatsapp"} | said | {"websites": list(profile.websites)}
        self.graph.post(account, account.number_id, "whatsapp_business_profile", body=body)

    def verify(self, *, secret: str, headers: Mapping[str, str], body: bytes, url: str = "") -> bool:
        signature = next((value for name, value in headers.items() if name.lower() == webhook.SIGNATURE_HEADER), None)
        return webhook.verify(secret, signature, body)

    def handshake(self, *, parameters: Mapping[str, str], verify_token: str) -> str | None:
        return webhook.handshake(parameters, verify_token)

    def parse(self, body: bytes) -> list[Happening]:
        return webhook.parse(body)

    def without(self, body: bytes, erased: Erased) -> bytes:
        return erasing.without(body, erased)


def _accepted(answer: dict) -> Accepted:
    """{"contacts": [{"input", "wa_id" | "user_id"}], "messages": [{"id", "message_status"?}]}."""
    message = _first(answer.get("messages"))
    message_id = message.get("id")
    if not isinstance(message_id, str) or not message_id:
        raise OutcomeUnknown("HTTP 200 without a message id")
    contact = _first(answer.get("contacts"))
    person = Person(phone=contact.get("wa_id") or None, bsuid=contact.get("user_id") or None)
    return Accepted(message_id=message_id, recipient=person, held=message.get("message_status") in _HELD)


def _first(value: object) -> dict:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}
