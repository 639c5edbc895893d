"""What the clock starts: watching numbers, mirroring templates, importing the configured file, replaying webhooks."""

import json
from datetime import timedelta

import pytest
from celery import current_app

from tenants import clock
from tenants.alerts import raise_alert
from tenants.context import system_transaction
from tenants.models import Alert, Severity
from tests.whatsapp.providers.meta import meta
from whatsapp import tasks, watching
from whatsapp.checking import WITHOUT_QUEUE
from whatsapp.models import EventState, Number, Template, TokenState, WebhookEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def rung(monkeypatch):
    """The bells that were rung, as (task, arguments), instead of ringing them."""
    bells = []
    for name in ("check_connection", "sync_templates", "replay_number"):
        monkeypatch.setattr(getattr(tasks, name), "delay", lambda *args, name=name: bells.append((name, args)))
    return bells


@pytest.fixture
def graph_api(settings):
    with meta() as there:
        settings.GRAPH_API_URL = there.url
        there.answers(200, {"data": []})
        yield there


def change(company, **values):
    with company.transaction():
        Number.objects.filter(pk=company.number.pk).update(**values)


def open_alerts():
    with system_transaction():
        return {(a.tenant_id, a.kind, a.subject) for a in Alert.objects.filter(resolved_at=None)}


def store(body: dict, *, tenant=None, state=EventState.DONE, unrouted=()) -> int:
    with system_transaction():
        event = WebhookEvent.objects.create(
            tenant=tenant, body=json.dumps(body).encode(), state=state, attempts=3, unrouted_number_ids=list(unrouted)
        )
    return event.pk


def state_of(pk: int) -> str:
    with system_transaction():
        return WebhookEvent.objects.get(pk=pk).state


def template(name, *, status="APPROVED", language="es"):
    components = [{"type": "BODY", "text": f"Hola {name}"}]
    return {
        "id": "7",
        "name": name,
        "language": language,
        "status": status,
        "category": "UTILITY",
        "components": components,
    }


def test_the_names_the_schedule_uses_exist(settings):
    scheduled = {
        item["task"] for item in settings.CELERY_BEAT_SCHEDULE.values() if item["task"].startswith("whatsapp.")
    }

    assert scheduled <= set(current_app.tasks)


def test_an_active_number_without_queue_raises_an_alert_until_it_has_one(ours, theirs, rung):
    change(ours, queue=None)
    change(theirs, queue=None, is_active=False)

    tasks.watch_numbers()
    tasks.watch_numbers()

    assert open_alerts() == {(ours.tenant.pk, WITHOUT_QUEUE, str(ours.number.pk))}

    change(ours, queue=ours.sales)
    tasks.watch_numbers()

    assert open_alerts() == set()


def test_numbers_nobody_asked_about_are_checked_every_hour(ours, theirs, rung):
    change(theirs, checked_at=clock.now() - timedelta(minutes=59), token_state=TokenState.VALID)

    tasks.watch_numbers()

    assert rung == [("check_connection", (str(ours.tenant.pk), str(ours.number.pk)))]


def test_webhooks_of_an_unknown_number_alert_the_operator_alone(ours, rung):
    store({}, state=EventState.UNROUTED, unrouted=["999000000000009"])
    store({}, state=EventState.UNROUTED, unrouted=["999000000000009"])

    tasks.watch_numbers()

    assert open_alerts() == {(None, watching.UNROUTED, "999000000000009")}
    with system_transaction():
        assert Alert.objects.get().facts["events"] == 2
    with ours.transaction():
        assert not Alert.objects.exists()


def test_the_alert_goes_when_the_number_is_there(ours, rung):
    store({}, state=EventState.UNROUTED, unrouted=["999000000000009"])
    tasks.watch_numbers()

    change(ours, phone_number_id="999000000000009")
    tasks.watch_numbers()

    assert open_alerts() == set()


def test_the_alert_of_a_dead_event_goes_when_it_is_dead_no_more(ours, rung):
    mended, dead = store({}, tenant=ours.tenant), store({}, tenant=ours.tenant, state=EventState.DEAD)
    with system_transaction():
        for pk in (mended, dead):
            raise_alert(tenant_id=None, kind=watching.DEAD, subject=str(pk), severity=Severity.WARNING)

    tasks.watch_numbers()

    assert open_alerts() == {(None, watching.DEAD, str(dead))}


def test_templates_are_mirrored_for_each_company_by_its_own_token(ours, theirs, rung, graph_api):
    tasks.sync_templates()
    assert sorted(rung) == sorted(("sync_templates", (str(company.tenant.pk),)) for company in (ours, theirs))

    graph_api.answers(200, {"data": [template("pedido"), template("pago", status="REJECTED")]})
    tasks.sync_templates(str(ours.tenant.pk))

    assert [asked.headers["Authorization"] for asked in graph_api.asked] == ["Bearer token-of-ours-000001"]
    with ours.transaction():
        rows = set(Template.objects.values_list("waba_id", "name", "status"))
    assert rows == {(ours.number.waba_id, "pedido", "APPROVED"), (ours.number.waba_id, "pago", "REJECTED")}
    with theirs.transaction():
        assert not Template.objects.exists()


def test_a_template_keeps_its_row_when_it_changes_or_goes(ours, graph_api):
    graph_api.answers(200, {"data": [template("pedido"), template("pago")]})
    tasks.sync_templates(str(ours.tenant.pk))
    with ours.transaction():
        before = dict(Template.objects.values_list("name", "pk"))

    graph_api.answers(200, {"data": [template("pedido", status="PAUSED")]})
    tasks.sync_templates(str(ours.tenant.pk))

    with ours.transaction():
        assert dict(Template.objects.values_list("name", "pk")) == before
        assert dict(Template.objects.values_list("name", "status")) == {"pedido": "PAUSED", "pago": "DELETED"}


def test_a_failed_fetch_of_templates_changes_nothing(ours, graph_api):
    graph_api.answers(200, {"data": [template("pedido")]})
    tasks.sync_templates(str(ours.tenant.pk))

    graph_api.answers(401, {"error": {"code": 190, "message": "Invalid OAuth access token"}})
    tasks.sync_templates(str(ours.tenant.pk))

    with ours.transaction():
        assert Template.objects.get().status == "APPROVED"


def test_the_configured_file_is_imported_into_the_configured_company(ours, settings, tmp_path, rung):
    path = tmp_path / "connections.json"
    path.write_text(json.dumps([{"alias": "Nuevo", "phoneNumberId": "100000000000700", "accessToken": "EAA"}]))
    settings.CONNECTIONS_FILE, settings.CONNECTIONS_TENANT = str(path), "ours"

    tasks.sync_connections()

    with ours.transaction():
        new = Number.objects.get(phone_number_id="100000000000700")
    assert rung == [("check_connection", (str(ours.tenant.pk), str(new.pk)))]


def test_an_unusable_configured_file_alerts_until_it_is_mended(ours, settings, tmp_path, rung):
    path = tmp_path / "connections.json"
    settings.CONNECTIONS_FILE, settings.CONNECTIONS_TENANT = str(path), "ours"

    tasks.sync_connections()
    assert open_alerts() == {(ours.tenant.pk, watching.UNUSABLE_FILE, "connections.json")}

    path.write_text("[]")
    tasks.sync_connections()
    assert open_alerts() == set()


def test_without_a_configured_file_nothing_happens(ours, settings, rung):
    settings.CONNECTIONS_FILE = ""

    tasks.sync_connections()

    assert open_alerts() == set()


def test_replaying_a_number_requeues_what_speaks_of_it_and_nothing_else(ours, theirs):
    of_ours = {"entry": [{"changes": [{"value": {"metadata": {"phone_number_id": ours.number.phone_number_id}}}]}]}
    done = store(of_ours, tenant=ours.tenant)
    dead = store(of_ours, tenant=ours.tenant, state=EventState.DEAD)
    unrouted = store(of_ours, state=EventState.UNROUTED, unrouted=[ours.number.phone_number_id])
    of_other_number = store({"phone_number_id": "1"}, tenant=ours.tenant)
    of_theirs = store(of_ours, tenant=theirs.tenant)

    tasks.replay_number(str(ours.tenant.pk), str(ours.number.pk))

    assert [state_of(pk) for pk in (done, dead, unrouted)] == [EventState.NEW] * 3
    assert [state_of(pk) for pk in (of_other_number, of_theirs)] == [EventState.DONE] * 2
    with system_transaction():
        assert WebhookEvent.objects.get(pk=dead).attempts == 0
