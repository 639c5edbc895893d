"""The inbox's own time on the server, from the request to the rendered answer, with few and with many conversations."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm.garbage import keep_what_is_loaded
from crm.models import Attachment, Conversation, Direction, FileState, Message, Source
from crm.views.filters import Filters, Mode
from crm.views.log import PAGE
from tenants import context
from tenants.models import Membership
from tests.bench import crowd
from tests.bench.load import percentile
from tests.bench.options import Options
from tests.bench.report import Figure, milliseconds
from tests.bench.stage import Stage
from tests.bench.watching import session_of
from tests.cast import Company, found_company

NUMBER = "900000000000001"
FEW = 1_000
FIRST_PAGE, FILES = "first page", "a thread full of pictures"
HOLD = 0.03
# Flat: what grows with the number of conversations would be ten or a hundred times as much.
FLAT = 1.5
FENCE = 1.10
FENCED_TRIES = 1_000  # of 300 the p95 varied by a tenth
_OPEN_ROLE = "bench_without_row_security"


def measure(stage: Stage, options: Options) -> Iterator[Figure]:
    """Sessions, rights, row-level security, queries and templates included; the network and granian are not."""
    many = min(options.conversations, 10_000) if options.quick else options.conversations
    company = found_company("inbox", number_id=NUMBER)
    keep_what_is_loaded()  # as a web process does at its start
    crowd.populate(stage, company, last=FEW, messages=10)
    few_times = _times(company, options)
    crowd.populate(stage, company, first=FEW + 1, last=many, messages=10, say=options.say)
    many_times = _times(company, options)
    for what, (latencies, queries) in many_times.items():
        half, late = percentile(latencies, 0.5), percentile(latencies, 0.95)
        growth = half / percentile(few_times[what][0], 0.5)
        measured = f"{milliseconds(half)} · {milliseconds(late)}, {queries} queries; {growth:.1f} × that at {FEW:,}"
        if what.startswith(FIRST_PAGE):
            hold = f"p50 ≤ {milliseconds(HOLD)} at {many:,}, flat"
            yield Figure(f"{what}, p50 · p95", measured, hold, half <= HOLD and growth <= FLAT)
        elif what.startswith(FILES):
            yield Figure(f"{what}, p50 · p95", measured, f"p50 ≤ {milliseconds(HOLD)}", half <= HOLD)
        else:
            yield Figure(f"{what}, p50 · p95", measured)
    for what, membership, address in (
        ("to answer, agent", company.ana, "/inbox/"),
        ("everything, supervisor", company.supervisor, f"/inbox/?{Filters(mode=Mode.ALL).query}"),
    ):
        fenced, open_ = _fenced_and_open(stage, membership, address, tries=40 if options.quick else FENCED_TRIES)
        ratio = percentile(fenced, 0.95) / percentile(open_, 0.95)
        late = f"{milliseconds(percentile(fenced, 0.95))} · {milliseconds(percentile(open_, 0.95))}"
        half = percentile(fenced, 0.5) / percentile(open_, 0.5)
        measured = f"{late}; {ratio:.2f} ×, the p50 {half:.2f} ×"
        hold = f"≤ {FENCE:.2f} ×"
        yield Figure(f"{FIRST_PAGE}, {what}, p95 with · without row security", measured, hold, ratio <= FENCE)


def _fenced_and_open(
    stage: Stage, membership: Membership, address: str, *, tries: int
) -> tuple[list[float], list[float]]:
    """Seconds of the same page as the application's role, and as one that row security does not hold.

    Nothing else differs: the second has the rights of the first, and the application's own conditions name the company.
    Which of them goes first is left to chance: garbage is collected after so many pages, and in turns always after the same.
    """
    client = _client_of(membership)
    roles = {context.APP_ROLE: [], _OPEN_ROLE: []}
    with stage.owner() as owner:
        owner.execute(f"CREATE ROLE {_OPEN_ROLE} NOLOGIN BYPASSRLS; GRANT {context.APP_ROLE} TO {_OPEN_ROLE}")
        try:
            if [_is_fenced(role, membership) for role in roles] != [True, False]:
                raise RuntimeError("Row security holds both roles, or neither.")
            answers = {role: _as(role, lambda: client.get(address))[1].content.count(b"conv-") for role in roles}
            if len(set(answers.values())) != 1:
                raise RuntimeError(f"Not the same page: {answers}.")
            for _ in range(tries):
                for role in random.sample(list(roles), len(roles)):
                    roles[role].append(_as(role, lambda: client.get(address))[0])
        finally:
            connection.close()
            owner.execute(f"DROP OWNED BY {_OPEN_ROLE}; DROP ROLE {_OPEN_ROLE}")
    fenced, open_ = roles.values()
    return fenced, open_


def _is_fenced(role: str, membership: Membership) -> bool:
    with (
        mock.patch.object(context, "APP_ROLE", role),
        context.tenant_transaction(membership.tenant_id),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT row_security_active('crm_conversation')")
        return cursor.fetchone()[0]


def _as(role: str, ask: Callable) -> tuple[float, Any]:
    """Every transaction of a request chooses its role itself; in this process, for this one, another."""
    with mock.patch.object(context, "APP_ROLE", role):
        began = time.perf_counter()
        answer = ask()
        return time.perf_counter() - began, answer


def _times(company: Company, options: Options) -> dict[str, tuple[list[float], int]]:
    """By what was asked: seconds of each try, and the number of queries."""
    found, everything = {}, Filters(mode=Mode.ALL).query
    for name, membership in (("agent", company.ana), ("supervisor", company.supervisor)):
        with company.transaction():
            shown = Conversation.objects.visible_to(membership).order_by("-last_message_at")
            ids = [str(id) for id in shown.values_list("pk", flat=True)[:20]]
            pictured = _pictured(shown.last())
        addresses = {
            f"{FIRST_PAGE}, to answer, {name}": "/inbox/",
            f"{FIRST_PAGE}, everything, {name}": f"/inbox/?{everything}",
            f"a thread, {name}": f"/inbox/{ids[0]}/",
            f"{FILES}, opened by {name}": f"/inbox/{pictured}/",
            f"changes of 20, {name}": f"/inbox/changes/?{everything}&ids={','.join(ids)}&open={ids[0]}&writes=text",
        }
        client = _client_of(membership)
        for what, address in addresses.items():
            # A click opens the thread alone, beside the list that is there.
            headers = {"HX-Request": "true"} if what.startswith(FILES) else {}
            found[what] = _timed(
                lambda client=client, address=address, headers=headers: client.get(address, headers=headers),
                tries=15 if options.quick else 60,
            )
    return found


def _pictured(talk: Conversation) -> str:
    """A conversation whose newest page is nothing but pictures, kept and drawn small."""
    now = timezone.now()
    at = max(now, talk.last_message_at)
    messages = Message.objects.bulk_create(
        Message(
            tenant_id=talk.tenant_id, conversation=talk, number_id=talk.number_id, direction=Direction.INBOUND,
            source=Source.CUSTOMER, type="image", text="Así llegó", payload={"id": str(place)}, status="received",
            provider_message_id=f"wamid.{uuid4().hex}", sent_at=at + timedelta(milliseconds=place),
        )
        for place in range(PAGE)
    )  # fmt: skip
    Attachment.objects.bulk_create(
        Attachment(
            tenant_id=talk.tenant_id, message=message, mime_type="image/jpeg", filename="foto.jpg", size=90_000,
            stored_as=f"{message.pk}", thumbnail=f"{message.pk}.small", width=900, height=600, state=FileState.THERE,
        )
        for message in messages
    )  # fmt: skip
    return str(talk.pk)


def _client_of(membership: Membership) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.cookies[settings.SESSION_COOKIE_NAME] = session_of(membership)
    return client


def _timed(ask: Callable, *, tries: int) -> tuple[list[float], int]:
    with CaptureQueriesContext(connection) as queries:
        answer = ask()
    count = len(queries)
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.request['PATH_INFO']} answered {answer.status_code}.")
    latencies = []
    for _ in range(tries):
        began = time.perf_counter()
        ask()
        latencies.append(time.perf_counter() - began)
    return latencies, count
