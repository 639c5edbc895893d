"""What WhatsApp tells of one message, in any order and any number of times, and the row it ends in."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st

from crm import inbound
from crm.inbound.merging import Delivery
from crm.models import Conversation, Message
from tenants.context import system_transaction
from tests import meta
from whatsapp.providers import get_provider
from whatsapp.statuses import merged_all

WORDS = ("sent", "delivered", "read", "played", "failed")
MOMENT = datetime.fromtimestamp(meta.NOON, UTC)
ROW = ("status", "accepted_at", "left_at", "delivered_at", "read_at", "played_at", "failed_at", "error_reason", "error_code",
       "error_detail", "pricing_category", "pricing_type", "billable", "cost_amount", "cost_currency", "country", "lease_expires_at",
       "next_attempt_at", "unknown_at")  # fmt: skip
PRICING = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}
FAULT = {"code": 131026, "title": "Message undeliverable", "error_data": {"details": "Message Undeliverable."}}


def outgoing(conversation: Conversation, count: int = 1, **fields: Any) -> list[Message]:
    """Messages of ours that WhatsApp has accepted, unless `fields` say otherwise."""
    made = [
        Message(
            tenant_id=conversation.tenant_id, conversation=conversation, number_id=conversation.number_id,
            source="agent", type="text", client_id=uuid4(), sent_at=MOMENT,
            **{"direction": "outbound", "status": "accepted", "attempt": 1, "accepted_at": MOMENT, "provider_message_id": f"wamid.{uuid4()}"} | fields,
        )
        for _ in range(count)
    ]  # fmt: skip
    with system_transaction():
        return Message.objects.bulk_create(made)


def said(word: str, wamid: str | None, *, after: int | None = None, **more: Any) -> dict[str, Any]:
    """A status as Meta writes it, so many seconds after noon; by default each word has its own moment."""
    facts: dict[str, Any] = {"errors": [FAULT]} if word == "failed" else {}
    after = WORDS.index(word) + 1 if after is None else after
    return meta.status(word, wamid=str(wamid), at=meta.NOON + after, **facts | more)


def merge(told: Iterable[dict[str, Any]]) -> None:
    happenings = get_provider("cloud").parse(meta.body(meta.statuses(*told)))
    with system_transaction():
        inbound.merge([Delivery("cloud", happenings, MOMENT)])


def row(message: Message) -> tuple[Any, ...]:
    with system_transaction():
        return Message.objects.values_list(*ROW).get(pk=message.pk)


def rows(messages: Sequence[Message]) -> list[tuple[Any, ...]]:
    with system_transaction():
        found = {found[0]: found[1:] for found in Message.objects.values_list("pk", *ROW)}
    return [found[message.pk] for message in messages]


def agreed(ends: Iterable[tuple[Any, ...]], subset: Sequence[str]) -> tuple[Any, ...]:
    """The one row that all came to; checked against the ranks that whatsapp.statuses defines."""
    (end,) = set(ends)
    assert end[0] == merged_all("accepted", subset)
    return end


happened = st.tuples(
    st.sampled_from(WORDS),
    st.integers(0, 3),  # seconds: the same moment is common
    st.sampled_from([{}, {"pricing": PRICING}]),
    st.sampled_from([{}, {"errors": [FAULT]}, {"errors": [{"code": 131000, "title": "Something went wrong"}]}, {"errors": []}]),
)  # fmt: skip


@st.composite
def two_tellings(draw: st.DrawFn) -> tuple[list, list[list], list[list]]:
    """The same statuses told twice: other order, other repetitions, other batches."""
    facts = draw(st.lists(happened, min_size=1, max_size=6))

    def telling() -> list[list]:
        told = draw(st.permutations(facts + draw(st.lists(st.sampled_from(facts), max_size=4))))
        cuts = sorted(draw(st.lists(st.integers(0, len(told)), max_size=3)))
        return [told[start:end] for start, end in zip([0, *cuts], [*cuts, len(told)], strict=True)]

    return facts, telling(), telling()


def tell(batch: list, wamid: str | None, **mark: Any) -> list[dict[str, Any]]:
    return [
        said(word, wamid, after=after, **pricing, **(errors if word == "failed" else {}), **mark)
        for word, after, pricing, errors in batch
    ]
