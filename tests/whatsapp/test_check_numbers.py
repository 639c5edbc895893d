"""What the operator sees when asking how the numbers are."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from tests.whatsapp.providers.meta import meta
from whatsapp.checking import problems_of
from whatsapp.models import Number, TokenState

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def run(**options) -> str:
    out = io.StringIO()
    call_command("check_numbers", stdout=out, **options)
    return out.getvalue()


def healthy(**changes) -> Number:
    known = {
        "phone_number_id": "100000000000001",
        "token": "EAA",
        "token_state": TokenState.VALID,
        "queue_id": "0195a3c8-0000-7000-8000-000000000001",
        "last_webhook_at": NOW - timedelta(minutes=5),
    }
    return Number(**known | changes)


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"queue_id": None}, ["no queue: its conversations go to triage"]),
        ({"is_active": False}, ["inactive"]),
        ({"token": ""}, ["no token"]),
        ({"token_state": TokenState.EXPIRED}, ["its token is refused"]),
        ({"paused_reason": "billing"}, ["paused: billing"]),
        ({"last_webhook_at": None}, ["no webhook yet"]),
        ({"last_webhook_at": NOW - timedelta(days=2)}, []),
        ({"last_webhook_at": NOW - timedelta(days=2, seconds=1)}, ["no webhook for 2 days"]),
        ({"phone_number_id": "wsp-12345"}, ["its id was made up by an earlier system"]),
        ({"phone_number_id": "wsp-12345", "provider": "lite"}, []),
    ],
)
def test_what_is_wrong_with_a_number(settings, changes, problems):
    settings.WHATSAPP_ACCESS_TOKEN = ""

    assert problems_of(healthy(**changes), now=NOW) == problems


def test_the_environments_token_is_named_as_what_it_is(settings):
    settings.WHATSAPP_ACCESS_TOKEN = "EAA-environment"

    assert problems_of(healthy(token=""), now=NOW) == ["no token of its own: the environment's is used"]


def test_every_company_is_listed_and_no_token_printed(ours, theirs):
    printed = run()

    assert "ours ventas" in printed and "theirs ventas" in printed
    assert "token-of" not in printed
    assert "2 numbers, 2 with something wrong." in printed


def test_one_company_only(ours, theirs):
    printed = run(tenant="ours")

    assert "100000000000001" in printed and "theirs" not in printed


def test_an_unknown_company_is_an_error():
    with pytest.raises(CommandError, match="no company"):
        run(tenant="nobody")


def test_live_asks_whatsapp_and_shows_what_it_says(ours, settings):
    with meta() as graph_api:
        settings.GRAPH_API_URL = graph_api.url
        graph_api.answers(401, {"error": {"code": 190, "message": "Invalid OAuth access token"}})

        printed = run(tenant="ours", live=True)

    assert "its token is refused" in printed
    with ours.transaction():
        assert Number.objects.get().token_state == TokenState.EXPIRED
