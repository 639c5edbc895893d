"""A broadcast: a frozen list with a reason for whoever gets nothing, each message once, pausing by hand and by itself."""

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F

from crm.models import Budget, Contact, Conversation, DeliveryIssue, Message
from sequences import audience, broadcasting, freezing
from sequences.audience import NotAList
from sequences.broadcasting import Pause
from sequences.freezing import Skip
from sequences.models import Broadcast, BroadcastState, Fate, Recipient
from tenants.models import Alert
from tests.crm.views.talk import NOON, conversation
from tests.sequences.conftest import approve
from whatsapp.models import Number, Template

pytestmark = pytest.mark.django_db
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def write(company, *, rows=(), variables=None, **fields) -> Broadcast:
    """A broadcast of the template “carrito”, whose variable is the first name, prepared and frozen."""
    with company.transaction():
        if not Template.objects.filter(name="carrito").exists():
            approve(company)
        defaults = {"per_minute": 4800, "template_category": "marketing"}
        broadcast = Broadcast.objects.create(
            tenant=company.tenant, name="Oferta", number=company.number, template_name="carrito",
            template_language="es", variables={"1": "{first_name}"} if variables is None else variables,
            rows=list(rows), created_at=NOON, **defaults | fields,
        )  # fmt: skip
        freezing.prepare(broadcast)
    broadcasting.run(NOON)
    return refreshed(company, broadcast)


def refreshed(company, broadcast) -> Broadcast:
    with company.transaction():
        return Broadcast.objects.get(pk=broadcast.pk)


def people(company, *names: str, **fields) -> list[Conversation]:
    with company.transaction():
        return [conversation(company, name, **fields) for name in names]


def lines(company) -> list[tuple]:
    with company.transaction():
        return list(Recipient.objects.order_by("position").values_list("fate", "reason"))


def begin(company, broadcast, **options) -> None:
    with company.transaction():
        assert broadcasting.start(broadcast, now=NOON, **options)


def ticks(company, count: int = 1, *, at=NOON) -> int:
    """So many beats, a second apart by the database's clock."""
    sent = 0
    for _ in range(count):
        with company.transaction():
            Broadcast.objects.update(paced_at=None)
        sent += broadcasting.run(at)
    return sent


def said(company) -> list[str]:
    with company.transaction():
        return [message.text for message in Message.objects.filter(source="broadcast").order_by("id")]


def test_everybody_of_the_list_gets_it_once_with_their_own_words(ours):
    people(ours, "Rosa Quispe", "Luis Paz")
    broadcast = write(ours)
    assert broadcast.state == BroadcastState.READY
    begin(ours, broadcast)
    ticks(ours, 4)
    assert sorted(said(ours)) == ["Hola Luis, tu carrito espera.", "Hola Rosa, tu carrito espera."]
    assert refreshed(ours, broadcast).state == BroadcastState.DONE
    with ours.transaction():
        message = Message.objects.filter(source="broadcast").first()
        assert (message.priority, message.status, message.template_category) == (2, "queued", "marketing")
        assert message.cost_amount > 0


def test_a_page_that_was_sent_but_not_written_down_sends_nothing_twice(ours):
    people(ours, "Rosa", "Luis")
    broadcast = write(ours)
    begin(ours, broadcast)
    ticks(ours, 1)
    with ours.transaction():
        Recipient.objects.update(fate=Fate.WAITING, message=None)
    ticks(ours, 2)
    assert len(said(ours)) == 2
    assert lines(ours) == [("sent", "")] * 2


def test_the_list_does_not_grow_after_it_was_frozen(ours):
    people(ours, "Rosa")
    broadcast = write(ours)
    people(ours, "Tarde")
    begin(ours, broadcast)
    ticks(ours, 3)
    assert len(said(ours)) == 1


def test_the_audience_is_a_label_and_how_lately_they_wrote_on_this_number(ours):
    vip, old, _other = people(ours, "Vip", "Vieja", "Otra")
    with ours.transaction():
        Contact.objects.filter(pk__in=[vip.contact_id, old.contact_id]).update(labels=["vip"])
        Conversation.objects.filter(pk=old.pk).update(last_inbound_at=NOON - timedelta(days=40))
    broadcast = write(ours, audience={"label": "vip", "days": 30})
    with ours.transaction():
        assert [one.conversation_id for one in Recipient.objects.filter(broadcast=broadcast)] == [vip.pk]


def test_each_row_of_a_file_that_cannot_be_used_says_why(ours):
    file = audience.read(
        "Teléfono;Nombre;Pedido\n+51 900 555 001;Rosa;A1\n12;Corto;A2\n900555001;Repetida;A3\n+51900555002;Sin pedido;\n"
        "\n+51 900 555 003;Ana;A5\n".encode()
    )
    assert file.columns == ["nombre", "pedido"]
    broadcast = write(ours, rows=file.rows, variables={"1": "{nombre}: {pedido}", "2": "{pedido}"})
    assert lines(ours) == [
        ("waiting", ""), ("refused", Skip.NOT_A_PHONE), ("refused", Skip.TWICE), ("refused", Skip.EMPTY), ("waiting", ""),
    ]  # fmt: skip
    with ours.transaction():
        assert [one.line for one in Recipient.objects.order_by("position")] == [2, 3, 4, 5, 7]
        assert Recipient.objects.get(reason=Skip.EMPTY).detail == "2"
        assert Recipient.objects.order_by("position")[0].values == {"1": "Rosa: A1", "2": "A1"}
        assert Contact.objects.count() == 3  # also the one whose row lacks a value is known from now on
        assert Recipient.objects.order_by("position")[0].conversation.queue == ours.sales
    assert broadcast.forecast[0]["count"] == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "empty"), ("phone\n", "empty"), ("name,city\nRosa,Lima\n", "no_phone_column"),
        (",".join(["phone", *(f"c{n}" for n in range(40))]) + "\n", "too_many_columns"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_list_says_what_is_missing(content, reason):
    with pytest.raises(NotAList) as refusal:
        audience.read(content.encode())
    assert refusal.value.reason == reason


def test_a_file_of_another_alphabet_and_separator_is_read():
    assert audience.read("telefono\tnombre\n51900555001\tÑandú\n".encode("latin-1")).rows == [
        [2, "51900555001", {"telefono": "51900555001", "nombre": "Ñandú"}]
    ]


def test_who_stopped_marketing_or_has_blocked_us_is_left_out_and_shown(ours):
    stopped, _blocked, _rosa = (
        *people(ours, "Stop"), *people(ours, "Bloqueó", suspicion="probable"), *people(ours, "Rosa"),
    )  # fmt: skip
    with ours.transaction():
        Contact.objects.filter(pk=stopped.contact_id).update(marketing_stopped=True)
    broadcast = write(ours)
    assert sorted(lines(ours)) == [("skipped", Skip.BLOCKED), ("skipped", Skip.OPTED_OUT), ("waiting", "")]
    assert broadcast.forecast[0]["count"] == 1


def test_who_stops_or_blocks_between_freezing_and_sending_gets_nothing(ours):
    stopped, blocked, _rosa = people(ours, "Stop", "Bloqueó", "Rosa")
    broadcast = write(ours)
    with ours.transaction():
        Contact.objects.filter(pk=stopped.contact_id).update(marketing_stopped=True)
        Conversation.objects.filter(pk=blocked.pk).update(suspicion="very_likely")
    begin(ours, broadcast)
    ticks(ours, 2)
    assert sorted(lines(ours)) == [("sent", ""), ("skipped", Skip.BLOCKED), ("skipped", "opted_out")]


def test_the_forecast_is_by_country_and_says_what_it_does_not_know(ours):
    rosa, ana = people(ours, "Rosa", "Ana")
    with ours.transaction():
        Contact.objects.filter(pk=rosa.contact_id).update(phone="51900555001")
        Contact.objects.filter(pk=ana.contact_id).update(phone="5511955501234")
    forecast = {row["country"]: row for row in write(ours).forecast}
    assert set(forecast) == {"PE", "BR"}
    assert all(Decimal(row["amount"]) > 0 and row["unknown"] == 0 for row in forecast.values())


def test_it_goes_no_faster_than_its_pace_nor_ahead_of_what_was_sent(ours):
    people(ours, *(f"P{n}" for n in range(30)))
    broadcast = write(ours, per_minute=300)
    begin(ours, broadcast)
    assert [ticks(ours) for _ in range(4)] == [5, 5, 0, 0]  # two seconds of it wait in the outbox
    with ours.transaction():
        Message.objects.filter(source="broadcast").update(status="accepted")
    assert ticks(ours) == 5


def test_pausing_holds_what_waits_and_resuming_lets_it_go(ours):
    people(ours, *(f"P{n}" for n in range(12)))
    broadcast = write(ours, per_minute=300)
    begin(ours, broadcast)
    ticks(ours, 1)
    with ours.transaction():
        assert broadcasting.pause(broadcast)
        assert not broadcasting.pause(broadcast)
        assert not Message.objects.filter(source="broadcast", next_attempt_at__isnull=False).exists()
    assert ticks(ours, 2) == 0
    with ours.transaction():
        assert broadcasting.resume(refreshed(ours, broadcast), now=NOON)
        assert Message.objects.filter(source="broadcast", next_attempt_at__isnull=False).count() == 5
    assert ticks(ours, 1) == 5


def test_cancelling_ends_it_for_good(ours):
    people(ours, *(f"P{n}" for n in range(8)))
    broadcast = write(ours, per_minute=300)
    begin(ours, broadcast)
    ticks(ours, 1)
    with ours.transaction():
        assert broadcasting.cancel(broadcast, now=NOON)
        assert not broadcasting.cancel(broadcast, now=NOON)
        assert not broadcasting.resume(broadcast, now=NOON)
        assert set(Message.objects.filter(source="broadcast").values_list("status", "error_reason")) == {
            ("failed", "cancelled")
        }
    assert lines(ours)[5:] == [("skipped", Skip.CANCELLED)] * 3
    assert ticks(ours, 2) == 0


def test_a_scheduled_one_begins_in_its_time(ours):
    people(ours, "Rosa")
    broadcast = write(ours)
    begin(ours, broadcast, at=NOON + HOUR)
    assert ticks(ours, 1, at=NOON + HOUR - SECOND) == 0
    assert broadcasting.next_start(NOON) == NOON + HOUR
    assert ticks(ours, 1, at=NOON + HOUR) == 1


@pytest.fixture
def under_way(ours) -> Broadcast:
    people(ours, *(f"P{n}" for n in range(60)))
    broadcast = write(ours, per_minute=1500)
    begin(ours, broadcast)
    ticks(ours, 1)
    return refreshed(ours, broadcast)


def paused(company, broadcast) -> str:
    """What it pauses for at its next beat; empty when it goes on."""
    ticks(company, 1)
    found = refreshed(company, broadcast)
    with company.transaction():
        assert Alert.objects.filter(kind="broadcast-paused", resolved_at=None).exists() == (found.state == "paused")
    return found.reason


@pytest.mark.parametrize(
    ("failed", "reason", "expected"),
    [(2, "undeliverable", ""), (3, "undeliverable", Pause.FAILURES), (20, "marketing_cap", ""), (20, "experiment", "")],
)
def test_it_pauses_by_itself_when_too_many_fail(ours, under_way, failed, reason, expected):
    with ours.transaction():
        ids = list(Message.objects.filter(source="broadcast").values_list("pk", flat=True))
        Message.objects.filter(pk__in=ids).update(status="delivered")
        Message.objects.filter(pk__in=ids[:failed]).update(status="failed", error_reason=reason)
    assert len(ids) == 25 and paused(ours, under_way) == expected


def test_after_resuming_the_old_failures_are_forgiven(ours, under_way):
    with ours.transaction():
        Message.objects.filter(source="broadcast").update(status="failed", error_reason="undeliverable")
    assert paused(ours, under_way) == Pause.FAILURES
    with ours.transaction():
        broadcasting.resume(refreshed(ours, under_way), now=NOON + HOUR)
    assert paused(ours, under_way) == ""


def test_it_pauses_when_nobody_knows_whether_anything_arrives(ours, under_way):
    with ours.transaction():
        Message.objects.filter(source="broadcast").update(status="unknown")
    assert paused(ours, under_way) == Pause.FAILURES


def test_it_pauses_when_the_number_is_rated_worse(ours, under_way):
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(quality="YELLOW")
    assert paused(ours, under_way) == Pause.QUALITY


def test_it_pauses_when_the_number_cannot_send(ours, under_way):
    with ours.transaction():
        Number.objects.filter(pk=ours.number.pk).update(paused_reason="auth")
    assert paused(ours, under_way) == Pause.NUMBER


def test_it_pauses_when_meta_takes_the_template_back(ours, under_way):
    with ours.transaction():
        Message.objects.filter(source="broadcast").update(status="accepted")
        Template.objects.update(status="PAUSED")
    assert paused(ours, under_way) == Pause.TEMPLATE
    assert lines(ours).count(("waiting", "")) == 35


def test_it_pauses_when_the_month_is_spent(ours, under_way):
    with ours.transaction():
        Budget.objects.create(tenant=ours.tenant, monthly_limit=Decimal("0.01"))
    assert paused(ours, under_way) == Pause.BUDGET


def test_it_pauses_when_people_block_the_number(ours, under_way):
    with ours.transaction():
        for one in Recipient.objects.filter(fate=Fate.SENT)[:3]:
            DeliveryIssue.objects.create(
                tenant=ours.tenant, conversation=one.conversation, number=ours.number, level="probable", likelihood=0.96,
                misses=2, since=NOON, found_at=NOON + HOUR, judged_at=NOON,
            )  # fmt: skip
    assert paused(ours, under_way) == Pause.BLOCKS


def test_what_became_of_it_is_counted_by_one_query(ours, under_way, django_assert_num_queries):
    with ours.transaction():
        ids = list(Message.objects.filter(source="broadcast").values_list("pk", flat=True))
        Message.objects.filter(pk__in=ids[:4]).update(status="read", accepted_at=NOON)
        with django_assert_num_queries(1):
            found = broadcasting.summary([under_way])[under_way.pk]
    assert (found["total"], found["waiting"], found["sent"], found["read"], found["queued"]) == (60, 35, 25, 4, 21)


def test_another_companys_broadcasts_are_their_own(ours, theirs):
    people(theirs, "Ajena")
    people(ours, "Rosa")
    mine, other = write(ours), write(theirs)
    begin(ours, mine)
    begin(theirs, other)
    ticks(ours, 2)
    assert len(said(ours)) == 1 and len(said(theirs)) == 1


def passes(company, seconds: float) -> None:
    """So much time by the database's clock since the pace was last used."""
    with company.transaction():
        Broadcast.objects.update(paced_at=F("paced_at") - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("per_minute", "least", "most"), [(1, 3, 3), (10, 30, 31), (90, 270, 272), (600, 1_800, 1_802)]
)
def test_any_pace_is_kept_beat_by_beat(ours, per_minute, least, most):
    """Three minutes of it, a beat a second: a slow one is not rounded away, nor is what does not divide evenly."""
    people(ours, "Rosa")
    broadcast = write(ours, per_minute=per_minute)
    begin(ours, broadcast)
    with ours.transaction():
        one = Recipient.objects.get()
        Recipient.objects.bulk_create(
            Recipient(tenant=ours.tenant, broadcast=broadcast, position=n, conversation=None) for n in range(1, 2_000)
        )
        Recipient.objects.filter(pk=one.pk).delete()
    began = time.monotonic()
    broadcasting.run(NOON)
    for _ in range(180):
        passes(ours, 1)
        broadcasting.run(NOON)
    took = time.monotonic() - began  # passes for the database, too
    with ours.transaction():
        gone = Recipient.objects.exclude(fate=Fate.WAITING).count()
    first = max(per_minute / 60, 1)
    assert per_minute * 3 <= gone <= per_minute / 60 * (180 + took) + first + 1


def test_one_that_cannot_go_on_stops_no_other(ours, theirs, monkeypatch, caplog):
    people(ours, "Rosa")
    people(theirs, "Ajena")
    for company in (ours, theirs):
        begin(company, write(company))
    real = broadcasting._hand_over

    def broken(broadcast, now):
        if broadcast.tenant_id == ours.tenant.pk:
            raise RuntimeError("cannot go on")
        return real(broadcast, now)

    monkeypatch.setattr(broadcasting, "_hand_over", broken)
    assert broadcasting.run(NOON) == 1
    assert len(said(theirs)) == 1 and "broadcast not gone on with" in caplog.text
