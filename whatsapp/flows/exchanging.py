"""An exchange with a phone, once it is open: who speaks, whether they may, and what the layer above answers."""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from tenants.context import current_tenant_id
from whatsapp.models import Flow, FlowToken

log = logging.getLogger(__name__)

OK, TOKEN_OVER = 200, 427
SUCCESS = "SUCCESS"
_ERROR_WORD = re.compile(r"[a-z0-9_\-]{1,60}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What somebody's phone asks: `action` is INIT, data_exchange or BACK; `holder` is whom the token was made for."""

    action: str
    screen: str
    data: dict[str, Any] = field(repr=False)
    flow: Flow
    holder: UUID
    now: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """The screen to show next. `error_message` in the data is shown above it."""

    screen: str
    data: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """The Flow ends; the values come back as its answer, a message in the conversation."""

    values: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any] = field(repr=False)
    outcome: str = "answered"


Screens = Callable[[Exchange], Shown | Done | None]
"""What the layer above is: None when whom the token was made for is gone."""


def answer(request: dict[str, Any], *, now: datetime) -> Answer:
    """What to say to the phone, in the number's tenant's transaction. A finished Flow uses its token up."""
    action = str(request.get("action") or "")
    data = request.get("data") if isinstance(request.get("data"), dict) else {}
    assert isinstance(data, dict)
    if action == "ping":
        return Answer(OK, {"data": {"status": "active"}}, "ping")
    if data.get("error"):
        word = str(data["error"])
        log.warning("A phone could not use our answer", extra={"error": word if _ERROR_WORD.fullmatch(word) else ""})
        return Answer(OK, {"data": {"acknowledged": True}}, "error")
    secret, digest = str(request.get("flow_token") or ""), _digest(request)
    # Locked: a phone that sends twice at once finishes once.
    tokens = FlowToken.objects.select_for_update(of=("self",)).select_related("flow")
    token = tokens.filter(digest=FlowToken.digest_of(secret)).first()
    if token is None or token.is_over(now) or (token.used_at and token.last_request != digest):
        return _over()
    exchange = Exchange(action, str(request.get("screen") or ""), data, token.flow, token.holder, now)
    reply = import_string(settings.FLOW_SCREENS)(exchange)
    if reply is None:
        return _over()
    if isinstance(reply, Shown):
        return Answer(OK, {"screen": reply.screen, "data": reply.data})
    if token.used_at is None:
        token.used_at, token.last_request = now, digest
        token.save(update_fields=["used_at", "last_request"])
    params = {**reply.values, "flow_token": secret}
    return Answer(OK, {"screen": SUCCESS, "data": {"extension_message_response": {"params": params}}}, "finished")


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who may fill in a Flow; whoever shows the token speaks for them."""

    flow_id: UUID
    number_id: UUID
    holder: UUID
    token: str = field(repr=False)


def invite(invitations: Iterable[Invitation], *, now: datetime) -> None:
    """Let whoever shows one of the tokens fill in its Flow, once, for its `holder`, until it expires."""
    FlowToken.objects.bulk_create(
        FlowToken(
            tenant_id=current_tenant_id(),
            digest=FlowToken.digest_of(each.token),
            number_id=each.number_id,
            flow_id=each.flow_id,
            holder=each.holder,
            expires_at=now + FlowToken.LIFETIME,
        )
        for each in invitations
    )


def _over() -> Answer:
    """The phone shows the sentence and takes the message's button away."""
    said = _("This form is no longer open. Write to us and we will send you a new one.")
    return Answer(TOKEN_OVER, {"error_msg": said}, "token")


def _digest(request: dict[str, Any]) -> str:
    """Of a whole request, its token included, so that nobody can guess from it what was filled in."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
