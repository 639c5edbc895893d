"""How a number has been: the hourly answer and the webhooks as one timeline, and alerts for what got worse."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from crm import inbound
from tenants.context import system_transaction
from tenants.models import Alert
from tests import meta as webhooks
from tests.whatsapp.providers.meta import meta
from whatsapp import health
from whatsapp.checking import TOKEN_EXPIRES, check_connection, urgency
from whatsapp.models import HealthChange, Number, WebhookEvent

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
FACTS = {
    "id": "100000000000001",
    "display_phone_number": "+51 1 555 0101",
    "verified_name": "Nube Calzado",
    "status": "CONNECTED",
    "quality_rating": "GREEN",
    "name_status": "APPROVED",
    "throughput": {"level": "STANDARD"},
    "whatsapp_business_manager_messaging_limit": "TIER_10K",
    "health_status": {"can_send_message": "AVAILABLE"},
}


@pytest.fixture
def graph_api(settings):
    with meta() as there:
        settings.GRAPH_API_URL = there.url
        there.facts, there.token = FACTS, {"is_valid": True, "expires_at": 0, "app_id": "7"}
        there.apps = [{"whatsapp_business_api_data": {"id": "7"}}]

        def answer(handler):
            if "debug_token" in handler.path:
                return 200, {"data": there.token}
            return 200, ({"data": there.apps} if "subscribed_apps" in handler.path else there.facts)

        there.answer = answer
        yield there


@pytest.fixture
def strangers(theirs):
    """Another company, whose number is of another business account."""
    with theirs.transaction():
        Number.objects.update(waba_id="400000000000001")
    return theirs


def check(company, *, hours: int = 0) -> None:
    check_connection(tenant_id=company.tenant.pk, number_id=company.number.pk, now=NOW + timedelta(hours=hours))


def timeline(company) -> list[tuple[str, str, str]]:
    with company.transaction():
        return list(HealthChange.objects.order_by("at", "pk").values_list("kind", "before", "after"))


def alerts(company) -> dict[str, str]:
    with company.transaction():
        return dict(Alert.objects.filter(resolved_at=None).values_list("kind", "severity"))


def stored(company) -> Number:
    with company.transaction():
        return Number.objects.get(pk=company.number.pk)


def happens(field: str, *, at: int = webhooks.NOON, waba: str = "300000000000001", **value) -> int:
    envelope = webhooks.envelope(value, field=field, waba=waba)
    envelope["entry"][0]["time"] = at

    event = webhooks.store(json.dumps(envelope).encode())
    inbound.drain()
    return event


def test_the_first_answer_is_no_change(ours, graph_api):
    check(ours)

    number = stored(ours)
    assert (number.quality, number.messaging_limit, number.throughput, number.verified_name) == (
        "GREEN", "TIER_10K", "STANDARD", "Nube Calzado",
    )  # fmt: skip
    assert timeline(ours) == [] and alerts(ours) == {}


@pytest.mark.parametrize(("quality", "severity"), [("YELLOW", "warning"), ("RED", "critical")])
def test_a_quality_that_falls_is_told_until_it_is_high_again(ours, graph_api, quality, severity):
    check(ours)
    graph_api.facts = FACTS | {"quality_rating": quality}
    check(ours, hours=1)
    check(ours, hours=2)
    assert timeline(ours) == [("quality", "GREEN", quality)]
    assert alerts(ours) == {health.LOW_QUALITY: severity}

    graph_api.facts = FACTS
    check(ours, hours=3)
    assert timeline(ours)[-1] == ("quality", quality, "GREEN") and alerts(ours) == {}


def test_a_limit_is_told_when_it_falls_and_not_when_it_rises(ours, graph_api):
    check(ours)
    graph_api.facts = FACTS | {"whatsapp_business_manager_messaging_limit": "TIER_100K"}
    check(ours, hours=1)
    assert alerts(ours) == {}

    graph_api.facts = FACTS | {"whatsapp_business_manager_messaging_limit": "TIER_2K"}
    check(ours, hours=2)
    assert alerts(ours) == {health.LOWER_LIMIT: "warning"}
    assert [line[1:] for line in timeline(ours)] == [("TIER_10K", "TIER_100K"), ("TIER_100K", "TIER_2K")]


def test_what_meta_lets_it_send_is_a_line_too(ours, graph_api):
    check(ours)
    graph_api.facts = FACTS | {"health_status": {"can_send_message": "LIMITED"}}
    check(ours, hours=1)

    assert timeline(ours) == [("sending", "AVAILABLE", "LIMITED")]


def test_an_app_that_is_not_subscribed_is_told(ours, graph_api):
    graph_api.apps = [{"whatsapp_business_api_data": {"id": "of somebody else"}}]
    check(ours)
    assert alerts(ours) == {health.NOT_SUBSCRIBED: "critical"}

    graph_api.apps.append({"whatsapp_business_api_data": {"id": "7"}})
    check(ours, hours=1)
    assert alerts(ours) == {}


@pytest.mark.parametrize(
    ("left", "severity"),
    [
        (timedelta(days=14), None),
        (timedelta(days=14, seconds=-1), "info"),
        (timedelta(days=7), "info"),
        (timedelta(days=7, seconds=-1), "warning"),
        (timedelta(days=1), "warning"),
        (timedelta(days=1, seconds=-1), "critical"),
    ],
)
def test_the_end_of_a_token_is_told_more_and_more_urgently(ours, graph_api, left, severity):
    graph_api.token = graph_api.token | {"expires_at": int((NOW + left).timestamp())}
    check(ours)

    assert alerts(ours).get(TOKEN_EXPIRES) == severity
    assert stored(ours).token_expires_at == NOW + left
    assert severity is None or urgency(NOW + left, now=NOW) == severity


def test_what_grew_worse_waits_for_somebody_again(ours, graph_api):
    for days in (10, 9):
        graph_api.token = graph_api.token | {"expires_at": int((NOW + timedelta(days=days)).timestamp())}
        check(ours)
        with ours.transaction():
            Alert.objects.update(acknowledged_at=NOW)
    check(ours)
    with ours.transaction():
        assert Alert.objects.get().acknowledged_at == NOW

    graph_api.token = graph_api.token | {"expires_at": int((NOW + timedelta(days=3)).timestamp())}
    check(ours)

    with ours.transaction():
        assert Alert.objects.get().acknowledged_at is None


# --- Webhooks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("phone_number_quality_update", {"event": "ONBOARDING", "max_daily_conversations_per_business": "TIER_2K"},
         ("limit", "", "TIER_2K")),
        ("phone_number_quality_update", {"event": "DOWNGRADE", "current_limit": "TIER_250"}, ("limit", "", "TIER_250")),
        ("phone_number_quality_update", {"event": "THROUGHPUT_UPGRADE"}, ("throughput", "", "HIGH")),
        ("phone_number_quality_update", {"event": "FLAGGED"}, ("status", "", "FLAGGED")),
        ("business_capability_update", {"max_daily_conversations_per_business": 2000}, ("limit", "", "TIER_2K")),
        ("business_capability_update", {"max_daily_conversation_per_phone": -1}, ("limit", "", "TIER_UNLIMITED")),
        ("phone_number_name_update", {"decision": "APPROVED"}, ("name_review", "", "APPROVED")),
        ("account_update", {"event": "VERIFIED_ACCOUNT"}, ("account", "", "VERIFIED_ACCOUNT")),
        ("security", {"event": "PIN_CHANGED"}, ("security", "", "PIN_CHANGED")),
    ],
)  # fmt: skip
def test_each_webhook_about_a_number_is_a_line_of_its_timeline(ours, strangers, field, value, line):
    happens(field, **value)

    assert timeline(ours) == [line]
    assert timeline(strangers) == []


@pytest.mark.parametrize(
    ("field", "value", "kind", "severity"),
    [
        ("account_update", {"event": "ACCOUNT_RESTRICTION", "restriction_info": [
            {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"}]}, health.RESTRICTED, "critical"),
        ("account_update", {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}},
         health.RESTRICTED, "critical"),
        ("account_update", {"event": "PARTNER_REMOVED", "disconnection_info": {"reason": "PRIMARY_INACTIVITY"}},
         health.DISCONNECTED, "critical"),
        ("account_update", {"event": "ACCOUNT_OFFBOARDED"}, health.DISCONNECTED, "critical"),
        ("account_update", {"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "SCAM"}},
         health.ACCOUNT_WARNING, "warning"),
        ("account_alerts", {"entity_type": "BUSINESS", "entity_id": "1", "alert_info": {
            "alert_severity": "CRITICAL", "alert_status": "ACTIVE", "alert_type": "OBA_REJECTED",
            "alert_description": "x"}}, health.ACCOUNT_WARNING, "critical"),
        ("account_review_update", {"decision": "REJECTED"}, health.RESTRICTED, "critical"),
        ("phone_number_name_update", {"decision": "REJECTED", "rejection_reason": "NAME_NOT_CONSISTENT"},
         health.NAME_REJECTED, "warning"),
        ("security", {"event": "PIN_RESET_REQUEST"}, health.PIN_ASKED, "warning"),
    ],
)  # fmt: skip
def test_what_is_bad_news_is_an_alert(ours, strangers, field, value, kind, severity):
    happens(field, **value)

    assert alerts(ours) == {kind: severity}
    assert alerts(strangers) == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("account_update", {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}),
        ("account_update", {"event": "ACCOUNT_VIOLATION"}),
        ("account_review_update", {"decision": "REJECTED"}),
        ("account_alerts", {"alert_info": {"alert_severity": "WARNING", "alert_status": "ACTIVE", "alert_type": "X"}}),
    ],
)
def test_what_concerns_an_account_is_a_line_of_each_number_and_one_alert(ours, field, value):
    with ours.transaction():
        Number.objects.create(
            tenant=ours.tenant, alias="otro", phone_number_id="100000000000008", waba_id="300000000000001"
        )

    happens(field, **value)

    assert len(timeline(ours)) == 2
    with ours.transaction():
        assert Alert.objects.filter(resolved_at=None).count() == 1


def fails(company, *errors: dict, after: timedelta = timedelta()) -> int:
    """Meta delivers errors of the whole number as it does: without a moment and without an id."""
    event = webhooks.store(webhooks.body(webhooks.value(errors=list(errors))))
    with system_transaction():
        WebhookEvent.objects.filter(pk=event).update(received_at=NOW + after)
    inbound.drain()
    return event


LOST = {"code": 131000, "title": "Something went wrong", "error_data": {"details": "for +51900555014"}}
LOCKED = {"code": "131031", "message": "Account has been locked"}


def test_errors_of_the_whole_number_are_lines_and_one_alert(ours, strangers):
    fails(ours, LOST, LOCKED, {"nothing": "known"})

    assert [line[2] for line in timeline(ours)] == [
        "Something went wrong (131000)",
        "Account has been locked (131031)",
        "?",
    ]
    assert alerts(ours) == {health.ERRORS: "warning"}
    with ours.transaction():
        assert Alert.objects.get().facts["codes"] == [131000, 131031, None] and "51900555014" not in str(
            Alert.objects.get().facts
        )
    assert timeline(strangers) == [] and alerts(strangers) == {}


def test_errors_that_are_delivered_again_are_none_and_those_that_are_new_are_told_to_who_saw_the_others(ours):
    first = fails(ours, LOST)
    with ours.transaction():
        Alert.objects.update(acknowledged_at=NOW)

    fails(ours, LOST, after=timedelta(days=6))
    inbound.replay([first])
    assert len(timeline(ours)) == 1
    with ours.transaction():
        assert [alert.acknowledged_at for alert in Alert.objects.all()] == [NOW]

    fails(ours, LOST, LOCKED, after=timedelta(days=6))
    assert len(timeline(ours)) == 2
    with ours.transaction():
        told = Alert.objects.get(resolved_at=None)
    assert told.acknowledged_at is None and told.facts["details"] == ["Account has been locked (131031)"]

    fails(ours, LOST, after=timedelta(days=8))
    assert len(timeline(ours)) == 3


@pytest.mark.parametrize("errors", [None, {}, "x", [None], [[]], []])
def test_errors_that_are_no_list_of_objects_say_nothing(ours, errors):
    webhooks.store(webhooks.body(webhooks.value(errors=errors)))
    inbound.drain()

    assert timeline(ours) == [] and alerts(ours) == {}


def test_a_restriction_that_is_over_is_resolved(ours):
    happens("account_update", event="DISABLED_UPDATE", ban_info={"waba_ban_state": "DISABLE"})
    happens("account_update", at=webhooks.NOON + 60, event="DISABLED_UPDATE", ban_info={"waba_ban_state": "REINSTATE"})

    assert alerts(ours) == {}


@pytest.mark.parametrize("event", ["ACCOUNT_RECONNECTED", "PARTNER_ADDED", "PARTNER_APP_INSTALLED"])
def test_a_phone_that_is_connected_again_is_no_alert_any_more(ours, event):
    happens("account_update", event="PARTNER_REMOVED", disconnection_info={"reason": "COMPANION_INACTIVITY"})
    assert alerts(ours) == {health.DISCONNECTED: "critical"}

    happens("account_update", at=webhooks.NOON + 60, event=event)

    assert alerts(ours) == {}


def test_a_number_that_sends_again_is_connected(ours, graph_api):
    happens("account_update", event="PARTNER_REMOVED", disconnection_info={"reason": "COMPANION_INACTIVITY"})

    check(ours)

    assert health.DISCONNECTED not in alerts(ours)


def test_a_notice_for_one_number_of_an_account_does_not_touch_the_others(ours):
    with ours.transaction():
        other = Number.objects.create(
            tenant=ours.tenant, alias="otro", phone_number_id="100000000000008", waba_id="300000000000001",
            display_number="+51 1 555 0108", messaging_limit="TIER_10K",
        )  # fmt: skip

    happens(
        "phone_number_quality_update", display_phone_number="5115550101", event="DOWNGRADE", current_limit="TIER_250"
    )

    with ours.transaction():
        assert Number.objects.get(pk=other.pk).messaging_limit == "TIER_10K"
        assert Number.objects.get(pk=ours.number.pk).messaging_limit == "TIER_250"


def test_a_webhook_again_late_or_replayed_changes_nothing(ours, graph_api):
    happens("business_capability_update", max_daily_conversations_per_business="TIER_2K")
    happens("business_capability_update", max_daily_conversations_per_business="TIER_2K")
    happens("business_capability_update", at=webhooks.NOON + 60, max_daily_conversations_per_business="TIER_100K")
    before = timeline(ours), alerts(ours), stored(ours).messaging_limit
    assert before[2] == "TIER_100K" and len(before[0]) == 2

    with system_transaction():
        inbound.replay(list(WebhookEvent.objects.values_list("pk", flat=True)))
    happens("business_capability_update", at=webhooks.NOON - 60, max_daily_conversations_per_business="TIER_250")

    assert (timeline(ours), alerts(ours), stored(ours).messaging_limit) == before


@pytest.mark.parametrize(
    "value", [{}, {"event": 7}, {"event": None, "ban_info": []}, {"alert_info": "x"}, {"decision": {}}]
)
@pytest.mark.parametrize("field", sorted(health._READERS))
def test_a_webhook_of_another_shape_costs_nothing(ours, field, value):
    event = happens(field, **value)

    with system_transaction():
        assert WebhookEvent.objects.get(pk=event).state == "done"
    assert alerts(ours) == {}


def test_old_lines_are_forgotten(ours):
    with ours.transaction():
        health.note(ours.number, "quality", before="GREEN", after="RED", at=NOW - timedelta(days=400))
        health.note(ours.number, "quality", before="RED", after="GREEN", at=NOW - timedelta(days=300))

    assert health.forget(before=NOW - timedelta(days=365)) == 1
    assert timeline(ours) == [("quality", "RED", "GREEN")]
