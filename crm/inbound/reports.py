"""What is reported of one message of ours, taken together: plain values, before anything of it is written.

Each status has the earliest moment that was reported; of two failures the earliest one counts. Whatever the order in which
statuses are added, the report is the same.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from crm.inbound.directory import Line
from crm.references import read_reference
from whatsapp.errors import classify
from whatsapp.events import StatusChanged
from whatsapp.statuses import Status

COLUMN = {
    Status.SENT: "left_at",
    Status.DELIVERED: "delivered_at",
    Status.READ: "read_at",
    Status.PLAYED: "played_at",
    Status.FAILED: "failed_at",
}


@dataclass(slots=True)
class Report:
    """All that is reported of one message of ours, by its provider id."""

    number_id: UUID
    tenant_id: UUID
    provider_message_id: str
    message_id: UUID | None = None  # by our own reference
    accepted_at: datetime | None = None
    left_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    played_at: datetime | None = None
    failed_at: datetime | None = None
    error_reason: str = ""
    error_code: int | None = None
    error_detail: str = ""
    pricing_category: str = ""
    pricing_type: str = ""
    billable: bool | None = None

    def add(self, status: str, at: datetime, facts: dict[str, Any]) -> None:
        """Take in one status; `facts` as `facts_of` makes them."""
        column = COLUMN.get(status)  # type: ignore[call-overload]
        if column is not None:
            earlier = getattr(self, column)
            if status == Status.FAILED:
                self._fail(at, facts.get("reason", ""), facts.get("code"), facts.get("detail", ""))
            setattr(self, column, at if earlier is None else min(earlier, at))
        self.accepted_at = at if self.accepted_at is None else min(self.accepted_at, at)
        self.pricing_category = max(self.pricing_category, facts.get("category", ""))
        self.pricing_type = max(self.pricing_type, facts.get("type", ""))
        if facts.get("billable") is not None:
            self.billable = bool(self.billable) or facts["billable"]
        if facts.get("message_id"):
            self.message_id = UUID(facts["message_id"])

    def _fail(self, at: datetime, reason: str, code: int | None, detail: str) -> None:
        """The earliest failure is the one that counts; of two at one moment, the one that says more (as where it is merged)."""
        if (
            self.failed_at is None
            or at < self.failed_at
            or (at == self.failed_at and (reason, detail) > (self.error_reason, self.error_detail))
        ):
            self.error_reason, self.error_code, self.error_detail = reason, code, detail


def reports_of_parked(rows: Iterable[tuple[Any, ...]]) -> list[Report]:
    """What was parked as (number, tenant, provider id, status, facts), one report a message."""
    reports: dict[tuple[UUID, str], Report] = {}
    for number_id, tenant_id, wamid, status, told in rows:
        report = reports.setdefault((number_id, wamid), Report(number_id, tenant_id, wamid))
        for facts in json.loads(told):  # Django's connections give jsonb as text
            report.add(status, datetime.fromtimestamp(facts["at"], UTC), facts)
    return list(reports.values())


def facts_of(line: Line, event: StatusChanged) -> dict[str, Any]:
    """What a status says beside its word, as it is kept while parked."""
    facts: dict[str, Any] = {}
    if event.faults:
        fault = event.faults[0]
        facts |= {
            "reason": classify(line.provider, fault.code).value,
            "code": fault.code,
            "detail": (fault.detail or fault.title)[:500],
        }
    if event.pricing:
        facts |= {
            "category": (event.pricing.category or "")[:40],
            "type": (event.pricing.type or "")[:40],
            "billable": event.pricing.billable,
        }
    if mark := read_reference(event.reference):
        facts["message_id"] = str(mark[0])
    return facts
