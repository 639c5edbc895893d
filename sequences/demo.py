"""The demonstration's sequences: three of them, with people at every point of their way. Local machines only."""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from crm.models import Conversation, ConversationStatus, Message, Source
from sequences import freezing
from sequences.definition import Definition, Delay, Step, Template, Unit, Variant
from sequences.models import (
    Broadcast,
    BroadcastState,
    Enrollment,
    EnrollmentState,
    Fate,
    ManualTask,
    Recipient,
    Sequence,
    SequenceVersion,
    StepRun,
    Trigger,
)
from sequences.saying import blanks_of, words_of
from sequences.schedule import Action, Why, due_after
from tenants.context import system_transaction, tenant_transaction
from tenants.models import Tenant
from whatsapp.models import Number

_QUOTE = Definition(
    steps=(
        Step(
            "Retomar la cotización",
            Delay(count=3, unit=Unit.HOURS),
            (
                Variant(
                    "Hola {first_name}, ¿pudiste ver la cotización? Si quieres te separo el par hasta mañana.",
                    Template("retomar_conversacion", "es", {"1": "{first_name}", "2": "la cotización"}),
                ),
                Variant(
                    "{first_name}, ¿te quedó alguna duda con la cotización? Te ayudo con la talla o el pago.",
                    Template("retomar_conversacion", "es", {"1": "{first_name}", "2": "la cotización"}),
                ),
            ),
        ),
        Step(
            "Ofrecer otra talla",
            Delay(count=1, unit=Unit.DAYS, at="10:00"),
            (Variant("{first_name}, hoy llegaron más tallas del modelo que viste. ¿Te reservo una?"),),
            priority=0,
        ),
        Step(
            "Llamar",
            Delay(weekday=1, at="11:00"),
            (Variant("Llamar y preguntar si sigue interesado. Si no, cerrar la conversación."),),
            is_manual=True,
            priority=2,
        ),
    ),
    stop_label="compró",
)
_AFTER = Definition(
    steps=(
        Step(
            "¿Cómo te fue?",
            Delay(count=2, unit=Unit.DAYS, at="17:00"),
            (
                Variant(
                    "Hola {first_name}, ¿qué tal te quedaron? Si la talla no es la tuya, el cambio es gratis.",
                    Template("encuesta_satisfaccion", "es", {"1": "{first_name}", "2": "de esta semana"}),
                ),
            ),
        ),
        Step(
            "Oferta de temporada",
            Delay(count=20, unit=Unit.DAYS, at="10:30"),
            (Variant("", Template("oferta_temporada", "es", {"1": "{first_name}", "2": "20 %"})),),
        ),
    ),
    stop_on_close=False,
    weekdays=(0, 1, 2, 3, 4, 5),
)
_WELCOME = Definition(
    steps=(Step("Presentarse", Delay(count=15, unit=Unit.MINUTES), (Variant("¡Hola {first_name}! Ya te leemos, en unos minutos te responde una persona."),)),),
    stop_on_reply=True,
)  # fmt: skip


def load(*, now: datetime) -> None:
    """Write them once; running it again changes nothing."""
    with system_transaction():
        tenant = Tenant.objects.filter(slug="demo").first()
    if tenant is None:
        return
    with tenant_transaction(tenant.pk):
        if Sequence.objects.exists():
            return
        quote = _sequence(tenant, "Cotización sin respuesta", _QUOTE, now)
        after = _sequence(tenant, "Poscompra", _AFTER, now)
        _sequence(tenant, "Bienvenida", _WELCOME, now, trigger=Trigger.FIRST_MESSAGE, is_active=False)
        related = Conversation.objects.select_related("contact", "number")
        talks = related.filter(last_inbound_at__isnull=False).order_by("-last_message_at")
        still_open = list(talks.filter(window_expires_at__gt=now)[8:24])
        over = list(talks.filter(window_expires_at__lte=now)[:9])
        for place, talk in enumerate(still_open):
            _enroll(tenant, quote if place % 3 else after, talk, (0, 1, 4, 5)[place % 4] + place // 4 * 6, now)
        for place, talk in enumerate(over):
            _enroll(tenant, after if place % 3 == 2 else quote, talk, (2, 3, 2)[place % 3] + place // 3 * 6, now)
        _broadcasts(tenant, now)


def _broadcasts(tenant: Tenant, now: datetime) -> None:
    """One that is over, with the offers of the last weeks as its messages, and one that waits to be sent."""
    number = Number.objects.get(phone_number_id="100000000000001")
    words = {"template_name": "oferta_temporada", "template_language": "es", "template_category": "marketing"}
    over = Broadcast.objects.create(
        tenant=tenant, name="Oferta de temporada", number=number, variables={"1": "{first_name}", "2": "20 %"},
        state=BroadcastState.DONE, created_at=now - timedelta(days=14), started_at=now - timedelta(days=14),
        ended_at=now - timedelta(days=14), currency=tenant.billing_currency, **words,
    )  # fmt: skip
    offers: dict[UUID, Message] = {}
    for message in Message.objects.filter(source=Source.SEQUENCE, number=number).order_by("sent_at"):
        if message.payload.get("name") == "oferta_temporada":
            offers.setdefault(message.conversation_id, message)
    Recipient.objects.bulk_create(
        Recipient(
            tenant=tenant, broadcast=over, position=place, conversation_id=talk_id, fate=Fate.SENT, message=message,
            values={"1": "", "2": "20 %"},
        )
        for place, (talk_id, message) in enumerate(offers.items())
    )  # fmt: skip
    Message.objects.filter(pk__in=[message.pk for message in offers.values()]).update(source=Source.BROADCAST)
    next_one = Broadcast.objects.create(
        tenant=tenant, name="Llegaron las botas Sierra", number=number, audience={"days": 60}, created_at=now,
        variables={"1": "{first_name}", "2": "15 %"}, **words,
    )  # fmt: skip
    freezing.freeze(next_one, now)


def _sequence(
    tenant: Tenant,
    name: str,
    definition: Definition,
    now: datetime,
    *,
    trigger: Trigger = Trigger.MANUAL,
    is_active: bool = True,
) -> Sequence:
    sequence = Sequence.objects.create(
        tenant=tenant, name=name, trigger=trigger, is_active=is_active, activated_at=now if is_active else None
    )
    sequence.version = SequenceVersion.objects.create(
        tenant=tenant, sequence=sequence, number=1, definition=definition.as_json()
    )
    sequence.save(update_fields=["version"])
    return sequence


def _enroll(tenant: Tenant, sequence: Sequence, talk: Conversation, place: int, now: datetime) -> None:
    """One person, at one of the points where a sequence can be; nothing is sent for it."""
    version, began = sequence.version, now - timedelta(hours=30 + place)
    if version is None:
        return
    zone = ZoneInfo(talk.contact.timezone or tenant.timezone)
    steps = version.content.steps
    enrollment = Enrollment(
        tenant=tenant, sequence=sequence, version=version, conversation=talk, since=talk.last_inbound_at or began,
        variant=place, created_at=began,
    )  # fmt: skip
    kind = place % 6
    position = min(1, len(steps) - 1)
    if kind in (0, 1):
        enrollment.position, enrollment.due_at = position, due_after(steps[position].delay, now, version.content, zone)
    elif kind in (2, 3):
        enrollment.state, enrollment.reason = EnrollmentState.TASK, Why.NO_TEMPLATE
        enrollment.position = position if sequence.name != "Poscompra" else 0
        if kind == 3:
            enrollment.reason = Why.MANUAL_STEP if len(steps) > 2 else Why.TEMPLATE_STATE
            enrollment.position = 2 if len(steps) > 2 else 0
    elif kind == 4:
        enrollment.state, enrollment.reason, enrollment.position = EnrollmentState.PAUSED, Why.REPLIED, position
    else:
        is_closed = talk.status == ConversationStatus.CLOSED
        enrollment.state = EnrollmentState.STOPPED if is_closed else EnrollmentState.DONE
        enrollment.reason, enrollment.ended_at = (Why.CLOSED if is_closed else Why.FINISHED), now - timedelta(hours=2)
        enrollment.position = len(steps) - 1
    enrollment.save()
    if enrollment.position:
        _tell(enrollment, 0, Action.SEND, Why.WINDOW_OPEN, at=began + timedelta(hours=3))
    if enrollment.state == EnrollmentState.TASK:
        _tell(
            enrollment,
            enrollment.position,
            Action.TASK,
            Why(enrollment.reason),
            at=now - timedelta(hours=1 + place * 3),
        )
        _ask(enrollment, steps[enrollment.position], at=now - timedelta(hours=1 + place * 3))
    if enrollment.state == EnrollmentState.PAUSED:
        _tell(enrollment, enrollment.position, Action.PAUSE, Why.REPLIED, at=talk.last_inbound_at or now)


def _tell(enrollment: Enrollment, position: int, action: Action, why: Why, *, at: datetime) -> None:
    talk = enrollment.conversation
    facts = {
        "due_at": at.isoformat(),
        "zone": enrollment.conversation.contact.timezone or "America/Lima",
        "window_until": talk.window_expires_at.isoformat() if talk.window_expires_at else None,
    }
    StepRun.objects.create(
        tenant_id=enrollment.tenant_id,
        enrollment=enrollment,
        position=position,
        action=action,
        why=why,
        facts=facts,
        at=at,
    )


def _ask(enrollment: Enrollment, step: Step, *, at: datetime) -> None:
    chosen = step.variants[0]
    ManualTask.objects.create(
        tenant_id=enrollment.tenant_id,
        enrollment=enrollment,
        conversation=enrollment.conversation,
        position=enrollment.position,
        why=enrollment.reason,
        priority=step.priority,
        text=words_of(chosen, blanks_of(enrollment)),
        template_name=chosen.template.name if chosen.template else "",
        template_language=chosen.template.language if chosen.template else "",
        created_at=at,
    )
