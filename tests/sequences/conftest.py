"""A company with a sequence, and people who may be in it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from crm.models import Conversation, Message
from sequences import enrolling, runner
from sequences.definition import Definition, Delay, Step, Template, Unit, Variant
from sequences.models import Enrollment, ManualTask, Sequence, SequenceVersion, StepRun
from tests.cast import Company, signed_in
from tests.crm.views.talk import NOON, conversation
from whatsapp.models import Template as StoredTemplate
from whatsapp.models import TemplateStatus


def step(text: str = "hola {name}", *, template: str = "", hours: int = 0, **more: Any) -> Step:
    variant = Variant(text=text, template=Template(template, "es", {"1": "{name}"}) if template else None)
    return Step("", Delay(count=hours, unit=Unit.HOURS), (variant,), **more)


def build(
    company: Company, *steps: Step, name: str = "Carrito", sequence: Sequence | None = None, **rules: Any
) -> Sequence:
    """A sequence in use at any hour unless `rules` says otherwise; with `sequence`, its next version."""
    trigger = {key: rules.pop(key) for key in ("trigger", "trigger_value", "activated_at") if key in rules}
    definition = Definition(steps=steps, **{"quiet_from": "00:00", "quiet_to": "00:00"} | rules)
    sequence = sequence or Sequence.objects.create(tenant=company.tenant, name=name, is_active=True, **trigger)
    number = SequenceVersion.objects.filter(sequence=sequence).count() + 1
    sequence.version = SequenceVersion.objects.create(
        tenant=company.tenant, sequence=sequence, number=number, definition=definition.as_json()
    )
    sequence.save()
    return sequence


def approve(company: Company, name: str = "carrito", *, category: str = "MARKETING") -> StoredTemplate:
    return StoredTemplate.objects.create(
        tenant=company.tenant, waba_id=company.number.waba_id, name=name, language="es", category=category,
        status=TemplateStatus.APPROVED, components=[{"type": "BODY", "text": "Hola {{1}}, tu carrito espera."}],
    )  # fmt: skip


@pytest.fixture
def begin(ours: Company) -> Callable[..., Enrollment]:
    """One person in a sequence of these steps, since NOON."""

    def begin(*steps: Step, talk: dict[str, Any] | None = None, rules: dict[str, Any] | None = None) -> Enrollment:
        with ours.transaction():
            sequence = Sequence.objects.filter(name="Carrito").first() or build(ours, *steps, **rules or {})
            someone = conversation(ours, **talk or {})
            enrolling.enroll(sequence, [someone], now=NOON)
            return Enrollment.objects.get(conversation=someone)

    return begin


class Told:
    """What there is now, read anew."""

    def __init__(self, company: Company, enrollment: Enrollment) -> None:
        with company.transaction():
            self.enrollment = Enrollment.objects.get(pk=enrollment.pk)
            self.runs = [(run.position, run.action, run.why) for run in StepRun.objects.filter(enrollment=enrollment)]
            self.tasks = list(ManualTask.objects.filter(enrollment=enrollment).order_by("position"))
            sent = Message.objects.filter(conversation_id=enrollment.conversation_id, direction="outbound")
            self.sent = [(message.type, message.text) for message in sent.order_by("sent_at", "id")]

    @property
    def state(self) -> tuple[str, int, str]:
        return self.enrollment.state, self.enrollment.position, self.enrollment.reason


def run(hours: float = 0, *, after: datetime = NOON) -> int:
    return runner.run_due(after + timedelta(hours=hours))


def shut(company: Company, enrollment: Enrollment) -> None:
    with company.transaction():
        Conversation.objects.filter(pk=enrollment.conversation_id).update(window_expires_at=NOON)


@pytest.fixture
def supervisor(ours) -> Client:
    return signed_in(ours.supervisor)


def written(*texts: str, **fields) -> dict:
    """The editor's form as a browser sends it."""
    data = {
        "name": "Carrito", "trigger": "manual", "trigger_value": "", "numbers": [], "steps": str(len(texts)),
        "quiet_from": "00:00", "quiet_to": "00:00", "weekdays": ["0", "1", "2", "3", "4", "5", "6"], "on_reply": "pause",
    }  # fmt: skip
    for number, text in enumerate(texts):
        data |= {
            f"s{number}-text": text,
            f"s{number}-count": "2",
            f"s{number}-unit": "hours",
            f"s{number}-kind": "send",
        }
    return data | fields
