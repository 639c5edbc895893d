"""Drafts of Flows: made, filled with their JSON, and read again (Flows, "Flows API")."""

import io
from collections.abc import Sequence
from typing import Any

from whatsapp.providers import downloading
from whatsapp.providers.base import Account, FlowFault, OutcomeUnknown
from whatsapp.providers.cloud import records
from whatsapp.providers.cloud.client import Graph
from whatsapp.providers.downloading import CannotFetch

_NAME = "flow.json"
LARGEST = 10 * 1024 * 1024


def create(graph: Graph, account: Account, *, name: str, categories: Sequence[str], endpoint_url: str) -> str:
    """The id of a new, empty draft."""
    body: dict[str, Any] = {"name": name, "categories": list(categories)}
    if endpoint_url:
        body["endpoint_uri"] = endpoint_url
    flow_id = graph.post(account, account.business_id, "flows", body=body).get("id")
    if not isinstance(flow_id, str) or not flow_id:
        raise OutcomeUnknown("HTTP 200 without a Flow's id")
    return flow_id


def fetch(graph: Graph, account: Account, *, flow_id: str) -> str:
    """The draft's or published Flow's JSON, from the address that Meta names for it."""
    listed = graph.get(account, flow_id, "assets").get("data")
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    url = next((each.get("download_url") for each in found if each.get("asset_type") == "FLOW_JSON"), None)
    if not isinstance(url, str) or not url:
        return ""
    into = io.BytesIO()
    downloading.fetch(url, into=into, max_bytes=LARGEST, account=account)
    try:
        return into.getvalue().decode()
    except UnicodeDecodeError:
        raise CannotFetch("the file is not text in UTF-8", is_final=True) from None


def upload(graph: Graph, account: Account, *, flow_id: str, source: bytes) -> tuple[FlowFault, ...]:
    """Replace the draft's JSON; what Meta finds wrong with it."""
    fields = {"name": _NAME, "asset_type": "FLOW_JSON"}
    file = (_NAME, io.BytesIO(source), "application/json")
    return records.flow_faults(graph.upload(account, flow_id, "assets", fields=fields, file=file))
