"""Which queue answers a number, and what WhatsApp says of it when asked."""

from datetime import UTC, datetime, timedelta

import pytest

from tenants.models import Alert
from tests.whatsapp.providers.meta import meta
from whatsapp.alerting import tell
from whatsapp.checking import CANNOT_SEND, PAUSED, TOKEN_EXPIRES, TOKEN_REFUSED, check_connection
from whatsapp.connecting import announce, route
from whatsapp.models import Number, TokenState
from whatsapp.signals import numbers_routed

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
FACTS = {
    "id": "100000000000001",
    "display_phone_number": "+51 1 555 0101",
    "quality_rating": "GREEN",
    "health_status": {"can_send_message": "AVAILABLE"},
}
REFUSED = {"error": {"code": 190, "message": "Invalid OAuth access token"}}
NO_SUCH_ID = {"error": {"code": 100, "message": "Unsupported get request"}}


@pytest.fixture
def graph_api(settings):
    with meta() as there:
        settings.GRAPH_API_URL = there.url
        there.facts, there.token = (200, FACTS), (200, {"data": {"is_valid": True, "expires_at": 0}})
        there.answer = lambda handler: there.token if "debug_token" in handler.path else there.facts
        yield there


@pytest.fixture
def heard():
    calls = []

    def listen(sender, tenant_id, number_ids, **kwargs):
        calls.append((tenant_id, number_ids))

    numbers_routed.connect(listen)
    yield calls
    numbers_routed.disconnect(listen)


def check(company):
    return check_connection(tenant_id=company.tenant.pk, number_id=company.number.pk, now=NOW)


def stored(company):
    with company.transaction():
        return Number.objects.defer(None).get(pk=company.number.pk)


def open_alerts(company):
    with company.transaction():
        return set(Alert.objects.filter(resolved_at=None).values_list("kind", flat=True))


def change(company, **values):
    with company.transaction():
        Number.objects.filter(pk=company.number.pk).update(**values)


def test_a_new_queue_is_stored_and_heard_of_after_commit(ours, heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        with ours.transaction():
            route(number=ours.number, queue=ours.support)
        assert heard == []

    assert heard == [(ours.tenant.pk, [ours.number.pk])]
    assert stored(ours).queue_id == ours.support.pk


def test_no_numbers_no_signal(ours, heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        announce(tenant_id=ours.tenant.pk, number_ids=[])

    assert heard == []


def test_a_number_that_answers_is_valid_with_its_quality(ours, graph_api):
    change(ours, display_number="")

    found = check(ours)

    number = stored(ours)
    assert found.token_state == TokenState.VALID and found.problems == ()
    assert (number.token_state, number.quality, number.checked_at) == (TokenState.VALID, "GREEN", NOW)
    assert number.display_number == "+51 1 555 0101"
    assert open_alerts(ours) == set()


def test_it_asks_with_the_numbers_own_token(ours, graph_api, settings):
    settings.WHATSAPP_ACCESS_TOKEN = "token-of-the-environment"

    check(ours)

    assert {asked.headers["Authorization"] for asked in graph_api.asked} == {"Bearer token-of-ours-000001"}


def test_a_refused_token_pauses_the_number_and_raises_an_alert(ours, graph_api):
    graph_api.facts = (401, REFUSED)

    check(ours)

    assert stored(ours).token_state == TokenState.EXPIRED
    assert stored(ours).paused_reason == "auth"
    assert open_alerts(ours) == {TOKEN_REFUSED}


def test_a_token_that_works_again_lets_the_number_send(ours, graph_api):
    change(ours, paused_reason="auth", token_state=TokenState.EXPIRED)
    with ours.transaction():
        tell(ours.number, TOKEN_REFUSED, True)
        tell(ours.number, PAUSED, True)

    check(ours)

    assert stored(ours).can_send
    assert open_alerts(ours) == set()


@pytest.mark.parametrize(("health", "paused"), [("AVAILABLE", ""), ("BLOCKED", "billing")])
def test_another_pause_ends_only_when_whatsapp_says_it_can_send(ours, graph_api, health, paused):
    change(ours, paused_reason="billing")
    graph_api.facts = (200, FACTS | {"health_status": {"can_send_message": health}})

    check(ours)

    assert stored(ours).paused_reason == paused
    assert (CANNOT_SEND in open_alerts(ours)) == bool(paused)


def test_without_any_token_it_is_missing_and_nobody_is_asked(ours, graph_api):
    with ours.transaction():
        ours.number.token = ""
        ours.number.save(update_fields=["token"])

    check(ours)

    assert stored(ours).token_state == TokenState.MISSING
    assert graph_api.asked == []


def test_an_id_that_whatsapp_does_not_know_is_no_fault_of_the_token(ours, graph_api):
    graph_api.facts = (400, NO_SUCH_ID)

    found = check(ours)

    assert found.token_state == TokenState.VALID
    assert stored(ours).paused_reason == ""
    assert open_alerts(ours) == {CANNOT_SEND}


def test_a_token_that_ends_soon_is_told_in_time(ours, graph_api):
    ends_at = NOW + timedelta(days=3)
    graph_api.token = (200, {"data": {"is_valid": True, "expires_at": int(ends_at.timestamp())}})

    found = check(ours)

    assert found.problems == ("its token expires on 2026-03-05",)
    assert open_alerts(ours) == {TOKEN_EXPIRES}


def test_a_provider_that_will_not_talk_about_tokens_is_no_problem(ours, graph_api):
    graph_api.token = (403, {"error": {"code": 10, "message": "Permission denied"}})

    assert check(ours).token_state == TokenState.VALID


@pytest.mark.parametrize("answer", [(500, {}), (429, {"error": {"code": 4, "message": "slow down"}})])
def test_an_answer_that_says_nothing_changes_nothing(ours, graph_api, answer):
    change(ours, token_state=TokenState.VALID)
    graph_api.facts = answer

    found = check(ours)

    assert found.token_state is None and "could not be reached" in found.problems[0]
    assert (stored(ours).token_state, stored(ours).checked_at) == (TokenState.VALID, None)


def test_whatsapp_is_never_asked_inside_a_transaction(ours, graph_api):
    with ours.transaction(), pytest.raises(AssertionError):
        check(ours)

    assert graph_api.asked == []


def test_a_number_of_another_company_cannot_be_checked(ours, theirs, graph_api):
    with pytest.raises(Number.DoesNotExist):
        check_connection(tenant_id=ours.tenant.pk, number_id=theirs.number.pk, now=NOW)

    assert graph_api.asked == []
