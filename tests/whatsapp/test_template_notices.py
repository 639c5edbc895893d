"""What Meta tells of templates by webhook: merged in any order, any number of times, with the alert that goes with it."""

import itertools
from datetime import UTC, datetime

import pytest
from django.db import connection

from crm import bells, inbound
from tenants.context import system_transaction
from tenants.models import Alert
from tests import meta
from tests.isolation.conftest import rows_of
from whatsapp.models import Template
from whatsapp.providers import get_provider
from whatsapp.template_notices import merge

pytestmark = pytest.mark.django_db
NOON = 1_763_640_000
BODY = {"type": "BODY", "text": "Hola {{1}}, tu pedido va hoy.", "example": {"body_text": [["Rosa"]]}}


@pytest.fixture
def template(ours) -> Template:
    with ours.transaction():
        return Template.objects.create(
            tenant=ours.tenant, waba_id=ours.number.waba_id, name="pedido", language="es_PE", category="UTILITY",
            status="APPROVED", components=[BODY, {"type": "FOOTER", "text": "Nube"}],
        )  # fmt: skip


@pytest.fixture(autouse=True)
def rung(monkeypatch) -> list:
    bells_rung: list = []
    monkeypatch.setattr(bells, "_ring", lambda task, *arguments: bells_rung.append((task.name, *arguments)))
    return bells_rung


def told(field: str, *, at: int = NOON, name: str = "pedido", language: str = "es-PE", **value) -> int:
    about = {"message_template_id": 7, "message_template_name": name, "message_template_language": language}
    body = meta.envelope(about | value, field=field)
    body["entry"][0]["time"] = at
    return meta.store(meta.json.dumps(body).encode())


def status(event: str, *, at: int = NOON, **more) -> int:
    return told("message_template_status_update", event=event, at=at, **more)


def reloaded(ours) -> Template:
    with ours.transaction():
        return Template.objects.get(name="pedido")


def alerts(ours) -> list[tuple[str, bool]]:
    with ours.transaction():
        found = Alert.objects.filter(kind="template-stopped").order_by("raised_at")
        return [(alert.facts["status"], alert.resolved_at is None) for alert in found]


def test_a_pause_is_stored_with_its_reason_and_alerts_until_it_is_over(ours, template):
    status("PAUSED", other_info={"title": "FIRST_PAUSE", "description": "Paused for 3 hours."})
    inbound.drain()

    paused = reloaded(ours)
    assert (paused.status, paused.reason, paused.advice) == ("PAUSED", "FIRST_PAUSE", "Paused for 3 hours.")
    assert alerts(ours) == [("PAUSED", True)]

    status("REINSTATED", at=NOON + 60)
    inbound.drain()
    assert (reloaded(ours).status, reloaded(ours).reason) == ("APPROVED", "")
    assert alerts(ours) == [("PAUSED", False)]


def test_a_rejection_keeps_why_and_what_to_do(ours, template):
    status("REJECTED", reason="INVALID_FORMAT", rejection_info={"reason": "Form", "recommendation": "Write it anew."})
    inbound.drain()
    assert (reloaded(ours).reason, reloaded(ours).advice) == ("Form", "Write it anew.")


def test_every_order_gives_the_same(ours, template):
    told_of = [("PENDING", 0), ("APPROVED", 0), ("PAUSED", 50), ("DISABLED", 90)]
    for order in itertools.permutations(told_of):
        with ours.transaction():
            Template.objects.update(status="PENDING", status_at=None)
        for event, later in order:
            status(event, at=NOON + later)
            inbound.drain()
        assert reloaded(ours).status == "DISABLED", order


@pytest.mark.parametrize("order", [("APPROVED", "PENDING"), ("PENDING", "APPROVED")])
@pytest.mark.parametrize("is_one_batch", [True, False])
def test_of_the_same_second_the_later_in_a_templates_life_counts(ours, template, order, is_one_batch):
    for event in order:
        status(event)
        if not is_one_batch:
            inbound.drain()
    inbound.drain()
    assert reloaded(ours).status == "APPROVED"


def test_quality_category_and_words(ours, template):
    told("message_template_quality_update", previous_quality_score="GREEN", new_quality_score="YELLOW")
    told("template_category_update", correct_category="MARKETING", new_category="UTILITY",
         category_update_timestamp=NOON + 86_400)  # fmt: skip
    told("message_template_components_update", message_template_element="Hola {{1}}, otra cosa va hoy.",
         message_template_buttons=[{"message_template_button_type": "QUICK_REPLY", "message_template_button_text": "Sí"}])  # fmt: skip
    inbound.drain()

    announced = reloaded(ours)
    assert (announced.quality, announced.category, announced.coming_category) == ("YELLOW", "UTILITY", "MARKETING")
    assert announced.category_changes_at == datetime.fromtimestamp(NOON + 86_400, UTC)
    assert announced.components == [
        BODY | {"text": "Hola {{1}}, otra cosa va hoy."},
        {"type": "FOOTER", "text": "Nube"},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Sí"}]},
    ]

    told("template_category_update", previous_category="UTILITY", new_category="MARKETING", at=NOON + 86_400)
    inbound.drain()
    changed = reloaded(ours)
    assert (changed.category, changed.previous_category, changed.coming_category) == ("MARKETING", "UTILITY", "")


def test_telling_it_all_again_changes_no_row(ours, template):
    stored = [
        status("PAUSED", at=NOON + 5),
        told("message_template_quality_update", new_quality_score="RED"),
        told("template_category_update", previous_category="UTILITY", new_category="MARKETING"),
        told("message_template_components_update", message_template_element="Hola, {{1}} va hoy mismo."),
    ]
    inbound.drain()
    before = {name: rows for name, rows in rows_of(ours).items() if name != "whatsapp_webhookevent"}

    inbound.replay(stored)

    assert {name: rows for name, rows in rows_of(ours).items() if name != "whatsapp_webhookevent"} == before


def test_a_template_we_know_nothing_of_is_fetched(ours, template, rung, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        status("APPROVED", name="nueva")
        inbound.drain()
    assert ("whatsapp.tasks.sync_templates", str(ours.tenant.pk)) in rung


def test_what_is_malformed_changes_nothing_and_spoils_nothing(ours, template):
    told("message_template_status_update", event={"a": 1})
    told("message_template_status_update", event="PAUSED", name=["x"])
    told("message_template_quality_update", new_quality_score=5)
    told("template_category_update", new_category=None)
    told("message_template_components_update", message_template_buttons="no", message_template_element=3)
    status("FLAGGED", at=NOON + 1)
    inbound.drain()
    now = reloaded(ours)
    assert (now.status, now.quality, now.category, now.components[0]) == ("APPROVED", "", "UTILITY", BODY)


def test_another_account_with_the_same_name_stays_as_it_is(ours, theirs, template):
    with theirs.transaction():
        Template.objects.create(tenant=theirs.tenant, waba_id="300000000000002", name="pedido", language="es_PE",
                                category="UTILITY", status="APPROVED")  # fmt: skip
    status("DISABLED")
    inbound.drain()
    with theirs.transaction():
        assert Template.objects.get().status == "APPROVED"


def test_a_batch_takes_as_many_statements_as_one(ours, template):
    def statements(count: int) -> int:
        values = [
            {"message_template_name": f"t{n}", "message_template_language": "es", "event": "PAUSED"}
            for n in range(count)
        ]
        notices = get_provider("cloud").parse(meta.body(*values, field="message_template_status_update"))
        with system_transaction(), connection.cursor() as cursor:
            counted = Counting(cursor)
            merge(counted, notices)
        return counted.executed

    assert statements(1) == statements(200) == 3


class Counting:
    """A cursor that counts what it is asked."""

    def __init__(self, cursor) -> None:
        self._cursor, self.executed = cursor, 0

    def execute(self, *arguments) -> None:
        self.executed += 1
        self._cursor.execute(*arguments)

    def fetchall(self) -> list:
        return self._cursor.fetchall()
