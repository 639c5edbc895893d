"""Drafts of Flows: made, and filled with their JSON (Flows, "Flows API")."""

import io
from collections.abc import Sequence
from typing import Any

from whatsapp.providers.base import Account, FlowFault, OutcomeUnknown
from whatsapp.providers.cloud import records
from whatsapp.providers.cloud.client import Graph

_NAME = "flow.json"


def create(graph: Graph, account: Account, *, name: str, categories: Sequence[str], endpoint_url: str) -> str:
    """The id of a new, empty draft."""
    body: dict[str, Any] = {"name": name, "categories": list(categories)}
    if endpoint_url:
        body["endpoint_uri"] = endpoint_url
    flow_id = graph.post(account, account.business_id, "flows", body=body).get("id")
    if not isinstance(flow_id, str) or not flow_id:
        raise OutcomeUnknown("HTTP 200 without a Flow's id")
    return flow_id


def upload(graph: Graph, account: Account, *, flow_id: str, source: bytes) -> tuple[FlowFault, ...]:
    """Replace the draft's JSON; what Meta finds wrong with it."""
    fields = {"name": _NAME, "asset_type": "FLOW_JSON"}
    file = (_NAME, io.BytesIO(source), "application/json")
    return records.flow_faults(graph.upload(account, flow_id, "assets", fields=fields, file=file))
