"""Templates at Meta: written, changed and deleted under the business account; the example of a header is uploaded before.

developers.facebook.com/documentation/business-messaging/whatsapp/templates/template-management and
developers.facebook.com/docs/graph-api/guides/upload
"""

from typing import IO, Any

from whatsapp.providers.base import Account, OutcomeUnknown, RemoteTemplate, TemplateDraft
from whatsapp.providers.cloud.client import Graph

_THE_TOKENS_OWN_APP = "app"


def create(graph: Graph, account: Account, draft: TemplateDraft) -> RemoteTemplate:
    body: dict[str, Any] = {
        "name": draft.name,
        "language": draft.language,
        "category": draft.category,
        "parameter_format": "NAMED" if draft.is_named else "POSITIONAL",
        "components": draft.components,
    }
    answer = graph.post(account, account.business_id, "message_templates", body=body)
    template_id = answer.get("id")
    if not template_id:
        raise OutcomeUnknown("HTTP 200 without a template id")
    return RemoteTemplate(
        template_id=str(template_id),
        name=draft.name,
        language=draft.language,
        status=str(answer.get("status") or "PENDING"),
        # Meta may put it into another category than the one that was asked for.
        category=str(answer.get("category") or draft.category),
        components=draft.components,
    )


def edit(graph: Graph, account: Account, template_id: str, draft: TemplateDraft) -> None:
    category = {"category": draft.category} if draft.category else {}
    graph.post(account, template_id, body={**category, "components": draft.components})


def delete(graph: Graph, account: Account, name: str, template_id: str) -> None:
    named = {"name": name, "hsm_id": template_id} if template_id else {"name": name}
    graph.delete(account, account.business_id, "message_templates", **named)


def upload(graph: Graph, account: Account, file: IO[bytes], size: int, mime_type: str, filename: str) -> str:
    about = {"file_name": filename or "file", "file_length": size, "file_type": mime_type}
    session = graph.post(account, _THE_TOKENS_OWN_APP, "uploads", body=about).get("id")
    if not isinstance(session, str) or not session:
        raise OutcomeUnknown("HTTP 200 without an upload session")
    handle = graph.resume(account, session, file=file).get("h")
    if not isinstance(handle, str) or not handle:
        raise OutcomeUnknown("HTTP 200 without the file's handle")
    return handle
