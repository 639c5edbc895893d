"""Sending with templates: what the provider gets, when it was last used, and what a refusal makes us do."""

from datetime import timedelta

import pytest

from crm import bells
from tests.crm.outbound.conftest import dispatch, now, reload, say
from whatsapp.models import Template as StoredTemplate
from whatsapp.outgoing import Template

pytestmark = pytest.mark.django_db


@pytest.fixture
def stored(ours, simulator) -> StoredTemplate:
    """One of the simulator's own."""
    with ours.transaction():
        return StoredTemplate.objects.create(
            tenant=ours.tenant, waba_id=ours.number.waba_id, name="recordatorio_pago", language="es",
            category="UTILITY", status="APPROVED",
            components=[{"type": "BODY", "text": "Hola {{1}}, tu pedido {{2}} está reservado hasta las {{3}}."}],
        )  # fmt: skip


def written(*values: str) -> Template:
    parameters = [{"type": "text", "text": value} for value in values]
    return Template("recordatorio_pago", "es", "UTILITY", [{"type": "body", "parameters": parameters}])


def used_at(ours):
    with ours.transaction():
        return StoredTemplate.objects.get(name="recordatorio_pago").last_used_at


def test_sending_with_it_is_remembered_once_a_minute(ours, rosa, stored, simulator):
    say(ours, rosa, written("Rosa", "A-1", "18:00"))
    dispatch(ours)
    first = used_at(ours)
    assert now() - first < timedelta(seconds=30)
    assert simulator.ledger()[0]["type"] == "template"

    say(ours, rosa, written("Rosa", "A-2", "18:00"))
    dispatch(ours)
    assert used_at(ours) == first
    with ours.transaction():
        StoredTemplate.objects.update(last_used_at=now() - timedelta(hours=1))
    say(ours, rosa, written("Rosa", "A-3", "18:00"))
    dispatch(ours)
    assert used_at(ours) > first


def test_what_was_refused_was_not_used_and_the_templates_are_fetched_anew(
    ours, rosa, stored, simulator, monkeypatch, django_capture_on_commit_callbacks
):
    rung = []
    monkeypatch.setattr(bells, "_ring", lambda task, *arguments: rung.append((task.name, *arguments)))
    simulator.faults(error_code=132015, error_next=1)
    message = say(ours, rosa, written("Rosa", "A-1", "18:00"))

    with django_capture_on_commit_callbacks(execute=True):
        dispatch(ours)

    assert reload(ours, message).error_code == 132015
    assert used_at(ours) is None
    assert ("whatsapp.tasks.sync_templates", str(ours.tenant.pk)) in rung
