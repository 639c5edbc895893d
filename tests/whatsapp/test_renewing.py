"""Tokens of system users, exchanged before they end; every other kind is a person's to replace."""

from datetime import timedelta

import pytest

from tenants import clock
from tenants.models import Alert
from tests.whatsapp.providers.meta import meta
from whatsapp import tasks
from whatsapp.checking import TOKEN_EXPIRES, TOKEN_REFUSED
from whatsapp.models import HealthChange, Number
from whatsapp.providers.cloud import Cloud

pytestmark = pytest.mark.django_db

FACTS = {
    "id": "100000000000001",
    "display_phone_number": "+51 1 555 0101",
    "health_status": {"can_send_message": "AVAILABLE"},
}


@pytest.fixture
def graph_api(settings):
    settings.META_APP_ID, settings.META_APP_SECRET = "77", "secret-of-the-app"
    with meta() as there:
        settings.GRAPH_API_URL = there.url
        there.token = {"is_valid": True, "type": "SYSTEM_USER", "app_id": "77"}
        there.fresh = 200, {"access_token": "EAAfresh", "token_type": "bearer", "expires_in": 5_183_944}

        def answer(handler):
            if "oauth/access_token" in handler.path:
                return there.fresh
            return (200, {"data": there.token}) if "debug_token" in handler.path else (200, FACTS)

        there.answer = answer
        yield there


def ends_in(graph_api, days: float) -> None:
    graph_api.token |= {"expires_at": int((clock.now() + timedelta(days=days)).timestamp())}


def check(company) -> Number:
    tasks.check_connection(str(company.tenant.pk), str(company.number.pk))
    with company.transaction():
        return Number.objects.defer(None).get(pk=company.number.pk)


def open_alerts(company) -> set[str]:
    with company.transaction():
        return set(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True))


def exchanges(graph_api) -> int:
    return sum("oauth/access_token" in asked.path for asked in graph_api.asked)


def test_it_is_exchanged_within_two_weeks_of_its_end_and_the_alert_goes(ours, graph_api):
    ends_in(graph_api, 13)

    number = check(ours)

    assert number.token == "EAAfresh"
    assert number.token_expires_at - clock.now() > timedelta(days=59)
    assert open_alerts(ours) == set()
    with ours.transaction():
        assert HealthChange.objects.get().after == "renewed"
    (asked,) = [asked.path for asked in graph_api.asked if "oauth" in asked.path]
    assert (
        "grant_type=fb_exchange_token" in asked
        and "client_id=77" in asked
        and "set_token_expires_in_60_days=true" in asked
    )


@pytest.mark.parametrize("days", [15, 40])
def test_one_that_lives_long_enough_is_left_alone(ours, graph_api, days):
    ends_in(graph_api, days)

    assert check(ours).token == "token-of-ours-000001"
    assert exchanges(graph_api) == 0


@pytest.mark.parametrize(
    "facts",
    [{"type": "USER"}, {"type": "PAGE"}, {"app_id": "88"}, {"is_valid": False}, {"type": "SYSTEM_USER", "app_id": ""}],
)
def test_any_other_token_is_a_persons_to_replace(ours, graph_api, facts):
    ends_in(graph_api, 3)
    graph_api.token |= facts

    assert check(ours).token == "token-of-ours-000001"
    assert exchanges(graph_api) == 0
    assert open_alerts(ours) & {TOKEN_EXPIRES, TOKEN_REFUSED}


def test_without_the_apps_id_and_secret_nothing_is_exchanged(ours, graph_api, settings):
    settings.META_APP_ID = ""
    ends_in(graph_api, 3)

    check(ours)

    assert exchanges(graph_api) == 0 and open_alerts(ours) == {TOKEN_EXPIRES}


@pytest.mark.parametrize("answer", [(400, {"error": {"code": 190, "message": "no"}}), (500, {}), (200, {})])
def test_an_exchange_that_fails_leaves_the_old_one_and_the_alert(ours, graph_api, answer):
    ends_in(graph_api, 3)
    graph_api.fresh = answer

    assert check(ours).token == "token-of-ours-000001"
    assert open_alerts(ours) == {TOKEN_EXPIRES}


def test_a_token_that_a_person_pasted_meanwhile_stays(ours, graph_api, monkeypatch):
    ends_in(graph_api, 3)
    exchange = Cloud.refresh_token

    def pasted_meanwhile(self, account, **app):
        fresh = exchange(self, account, **app)
        with ours.transaction():
            number = Number.objects.get(pk=ours.number.pk)
            number.token = "EAApasted"
            number.save(update_fields=["token"])
        return fresh

    monkeypatch.setattr(Cloud, "refresh_token", pasted_meanwhile)

    assert check(ours).token == "EAApasted" and exchanges(graph_api) == 1


def test_the_environments_token_is_not_replaced(ours, graph_api, settings):
    settings.WHATSAPP_ACCESS_TOKEN = "EAAenvironment"
    with ours.transaction():
        ours.number.token = ""
        ours.number.save(update_fields=["token"])
    ends_in(graph_api, 3)

    assert check(ours).token == "" and exchanges(graph_api) == 0
