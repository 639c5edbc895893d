"""The Flows of each account as Meta's Flows API keeps them: drafts, their JSON and its faults, and what becomes of them."""

import itertools
import json
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from . import flow_json
from .errors import GraphError

CATEGORIES = (
    "SIGN_UP", "SIGN_IN", "APPOINTMENT_BOOKING", "LEAD_GENERATION", "CONTACT_US", "CUSTOMER_SUPPORT", "SURVEY", "OTHER",
)  # fmt: skip
THROTTLED_PER_HOUR = 10
DRAFT, PUBLISHED, DEPRECATED, BLOCKED, THROTTLED = "DRAFT", "PUBLISHED", "DEPRECATED", "BLOCKED", "THROTTLED"


@dataclass(slots=True)
class Flow:
    id: str
    account_id: str
    name: str
    categories: list[str]
    endpoint_uri: str = ""
    status: str = DRAFT
    source: str = ""
    faults: list[dict[str, Any]] = field(default_factory=list)

    @property
    def definition(self) -> dict[str, Any]:
        try:
            found = json.loads(self.source)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def described(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "categories": self.categories,
            "validation_errors": self.faults,
            "endpoint_uri": self.endpoint_uri,
            "json_version": str(self.definition.get("version", "")),
            "data_api_version": str(self.definition.get("data_api_version", "")),
        }


class Flows:
    def __init__(self) -> None:
        self._flows: dict[str, Flow] = {}
        self._ids = itertools.count(880_000_000_000_100)
        self._sent: dict[str, deque[float]] = {}

    def of(self, account_id: str) -> list[Flow]:
        return [flow for flow in self._flows.values() if flow.account_id == account_id]

    def get(self, flow_id: str) -> Flow | None:
        return self._flows.get(flow_id)

    def add(self, *, account_id: str, name: str, categories: Any, endpoint_uri: str) -> Flow:
        if not name or len(name) > 200:
            raise GraphError(100, "The parameter name is required and has at most 200 characters.")
        if not isinstance(categories, list) or not categories or not set(categories) <= set(CATEGORIES):
            raise GraphError(100, f"Param categories must be a list of {{{', '.join(CATEGORIES)}}}")
        if any(flow.name == name for flow in self.of(account_id)):
            raise GraphError(
                100, "Flow with this name already exists in your WhatsApp Business Account.", subcode=4016019
            )
        flow = Flow(str(next(self._ids)), account_id, name, categories, endpoint_uri)
        self._flows[flow.id] = flow
        return flow

    def upload(self, flow: Flow, source: str) -> list[dict[str, Any]]:
        if flow.status != DRAFT:
            raise GraphError(139001, "Flow can't be updated: it is not in Draft state.")
        flow.source, flow.faults = source, flow_json.faults(source)
        return flow.faults

    def publish(self, flow: Flow, *, has_key: bool) -> None:
        if flow.status != DRAFT:
            raise GraphError(139002, "Publishing Flow in invalid state")
        if not flow.source or flow.faults:
            raise GraphError(139002, "Publishing Flow with validation errors")
        if flow.definition.get("data_api_version"):
            if not flow.endpoint_uri:
                raise GraphError(139002, "Publishing Flow without specifying endpoint URI")
            if not has_key:
                raise GraphError(
                    139002, "Publishing Flow without public key: upload one for a phone number of the account"
                )
        flow.status = PUBLISHED

    def deprecate(self, flow: Flow) -> None:
        if flow.status not in (PUBLISHED, THROTTLED):
            raise GraphError(139003, "Deprecating Flow in invalid state")
        flow.status = DEPRECATED

    def remove(self, flow: Flow) -> None:
        if flow.status != DRAFT:
            raise GraphError(139004, "Deleting Flow in invalid state: only drafts can be deleted.")
        del self._flows[flow.id]

    def check_sending(self, *, account_id: str, parameters: dict[str, Any]) -> None:
        """Raise what Meta raises when a message names a Flow that cannot be sent."""
        flow = self._flows.get(str(parameters.get("flow_id") or ""))
        if flow is None or flow.account_id != account_id:
            raise GraphError(131009, "Parameter value is not valid: flow_id does not exist in this account.")
        if flow.status == BLOCKED:
            raise GraphError(132068)
        if flow.status == THROTTLED:
            self._take(flow)
        elif flow.status != PUBLISHED and not (flow.status == DRAFT and parameters.get("mode") == "draft"):
            raise GraphError(131009, f"Flow is not published: its status is {flow.status}.")

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(flow) for flow in self._flows.values()]

    def restore(self, saved: list[dict[str, Any]]) -> None:
        for one in saved:
            flow = Flow(**{name: one[name] for name in Flow.__slots__ if name in one})
            self._flows[flow.id] = flow
        if self._flows:
            self._ids = itertools.count(max(int(id) for id in self._flows) + 1)

    def _take(self, flow: Flow) -> None:
        sent, now = self._sent.setdefault(flow.id, deque()), time.monotonic()
        while sent and sent[0] < now - 3600:
            sent.popleft()
        if len(sent) >= THROTTLED_PER_HOUR:
            raise GraphError(132069)
        sent.append(now)
