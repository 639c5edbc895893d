"""What a phone hands over: asked for once a connection, told to WhatsApp outside of transactions, and watched as it comes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenants.context import system_transaction
from tests.whatsapp.providers.meta import meta
from whatsapp import handing_over, health, tasks
from whatsapp.events import Notice
from whatsapp.handing_over import CannotAsk
from whatsapp.models import Handover, HandoverKind, HandoverState, HealthKind, Number

pytestmark = pytest.mark.django_db

CONTACTS, HISTORY = HandoverKind.CONTACTS, HandoverKind.HISTORY
NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def graph_api(settings):
    with meta() as there:
        settings.GRAPH_API_URL = there.url
        there.answers(200, {"messaging_product": "whatsapp", "request_id": "r-1"})
        yield there


@pytest.fixture
def shared(ours) -> Number:
    """Our number, which the app on a phone uses too, connected an hour ago."""
    with ours.transaction():
        ours.number.findings = {"is_coexistent": True}
        ours.number.save(update_fields=["findings"])
        health.note(ours.number, HealthKind.CONNECTED, after=ours.number.phone_number_id, at=NOW - HOUR)
    return ours.number


def ask(company, kind=CONTACTS, *, now=NOW) -> Handover:
    with company.transaction():
        return handing_over.ask(number=Number.objects.get(pk=company.number.pk), kind=kind, now=now)


def perform(company) -> None:
    handing_over.perform(tenant_id=company.tenant.pk, number_id=company.number.pk)


def stored(company, kind=CONTACTS) -> Handover:
    with company.transaction():
        return Handover.objects.get(kind=kind)


def change(company, **values: Any) -> None:
    with company.transaction():
        Handover.objects.update(**values)


def lease_is_over(company) -> None:
    change(company, claimed_until=datetime(2020, 1, 1, tzinfo=UTC))


def refused(graph_api, code: int, **more: Any) -> None:
    graph_api.answers(400, {"error": {"code": code, "message": "no", **more}})


def told(company, field: str = "history", *, at=NOW + MINUTE, times: int = 1, **value: Any) -> None:
    notice = Notice(field, "3", company.number.phone_number_id, value, at)
    with system_transaction():
        handing_over.merge([(notice, at)] * times)


def chunk(progress: Any = 40, **more: Any) -> dict[str, Any]:
    return {"history": [{"metadata": {"phase": 0, "chunk_order": 1, "progress": progress}, **more}]}


@pytest.mark.parametrize(("kind", "word"), [(CONTACTS, "smb_app_state_sync"), (HISTORY, "history")])
def test_whatsapp_is_asked_with_the_numbers_own_token(ours, shared, graph_api, kind, word):
    ask(ours, kind)
    perform(ours)

    (asked,) = graph_api.asked
    assert (asked.method, asked.path) == ("POST", f"/v25.0/{shared.phone_number_id}/smb_app_data")
    assert asked.body == {"messaging_product": "whatsapp", "sync_type": word}
    assert asked.headers["Authorization"] == "Bearer token-of-ours-000001"
    handover = stored(ours, kind)
    assert (handover.state, handover.request_id, handover.asked_at) == (HandoverState.TAKEN, "r-1", NOW)


def test_both_are_asked_for_the_contacts_first(ours, shared, graph_api):
    ask(ours, HISTORY)
    ask(ours, CONTACTS)
    perform(ours)

    assert [asked.body["sync_type"] for asked in graph_api.asked] == ["smb_app_state_sync", "history"]


@pytest.mark.parametrize("state", [HandoverState.ASKED, HandoverState.TAKEN, HandoverState.DECLINED])
def test_a_second_time_is_refused_and_says_when_it_was_asked(ours, shared, graph_api, state):
    ask(ours)
    change(ours, state=state)

    with pytest.raises(CannotAsk) as refusal:
        ask(ours, now=NOW + HOUR)

    assert refusal.value.reason == "handed_over"
    assert refusal.value.earlier.asked_at == NOW == stored(ours).asked_at
    assert graph_api.asked == []


def test_each_kind_is_asked_for_by_itself(ours, shared):
    ask(ours, CONTACTS)

    assert ask(ours, HISTORY).state == HandoverState.ASKED


def test_what_whatsapp_refused_may_be_asked_for_again(ours, shared, graph_api):
    ask(ours)
    refused(graph_api, 190)
    perform(ours)
    assert (stored(ours).state, stored(ours).reason) == (HandoverState.REFUSED, "auth")

    ask(ours, now=NOW + HOUR)
    graph_api.answers(200, {"request_id": "r-2"})
    perform(ours)

    again = stored(ours)
    assert (again.state, again.reason, again.request_id, again.asked_at) == ("taken", "", "r-2", NOW + HOUR)


@pytest.mark.parametrize("happened", ["PARTNER_REMOVED", "ACCOUNT_RECONNECTED", "PARTNER_ADDED"])
def test_so_may_everything_once_the_number_was_connected_anew(ours, shared, happened):
    ask(ours)
    change(ours, state=HandoverState.TAKEN, progress=70)
    with ours.transaction():
        health.note(shared, HealthKind.ACCOUNT, after=happened, at=NOW + HOUR)

    again = ask(ours, now=NOW + 2 * HOUR)

    assert (again.state, again.progress) == (HandoverState.ASKED, None)


def test_a_number_that_no_phone_shares_has_nothing_to_hand_over(ours):
    with pytest.raises(CannotAsk) as refusal:
        ask(ours)

    assert refusal.value.reason == handing_over.NOT_SHARED


def test_what_we_were_told_of_a_number_counts_as_well(ours):
    with ours.transaction():
        Number.objects.update(is_coexistence=True)

    assert ask(ours).state == HandoverState.ASKED


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        ({"code": 2593107}, "refused", "handed_over"),
        ({"code": 2593108}, "refused", "handover_late"),
        ({"code": 100, "error_subcode": 2593108}, "refused", "handover_late"),
        ({"code": 2593109}, "declined", "history_declined"),
        ({"code": 133010}, "refused", "not_registered"),
        ({"code": 100}, "refused", "invalid"),
        ({"code": 2593999}, "refused", "unknown"),
    ],
)
def test_a_refusal_is_kept_by_its_reason(ours, shared, graph_api, error, state, reason):
    ask(ours)
    refused(graph_api, **error)
    perform(ours)

    kept = stored(ours)
    assert (kept.state, kept.reason, kept.detail) == (state, reason, "no")


@pytest.mark.parametrize("trouble", [(503, {}), (400, {"error": {"code": 4, "message": "too many"}})])
def test_what_passes_is_tried_again_by_the_sweep_and_not_before(ours, shared, graph_api, trouble):
    ask(ours)
    graph_api.answers(*trouble)
    perform(ours)
    perform(ours)
    assert len(graph_api.asked) == 1 and stored(ours).state == HandoverState.ASKED
    assert handing_over.due() == []

    lease_is_over(ours)
    assert handing_over.due() == [(ours.tenant.pk, shared.pk)]
    graph_api.answers(200, {"request_id": "r-2"})
    perform(ours)

    assert stored(ours).state == HandoverState.TAKEN


def test_a_try_that_had_arrived_after_all_was_taken(ours, shared, graph_api):
    ask(ours)
    graph_api.answers(503, {})
    perform(ours)
    lease_is_over(ours)
    refused(graph_api, 2593107)
    perform(ours)

    assert stored(ours).state == HandoverState.TAKEN


def test_after_eight_tries_a_person_is_told(ours, shared, graph_api):
    ask(ours)
    graph_api.answers(503, {})
    for _ in range(Handover.MOST_ATTEMPTS):
        lease_is_over(ours)
        perform(ours)

    assert (stored(ours).state, stored(ours).reason) == (HandoverState.REFUSED, "unreachable")
    assert handing_over.due() == []


def test_the_sweep_finds_what_no_bell_told(ours, theirs, shared, monkeypatch):
    ask(ours)
    rung = []
    monkeypatch.setattr(tasks.hand_over, "delay", lambda *which: rung.append(which))

    tasks.sweep_handovers()

    assert rung == [(str(ours.tenant.pk), str(shared.pk))]


def test_another_company_cannot_have_it_asked_for(ours, theirs, shared, graph_api):
    ask(ours)

    with pytest.raises(Number.DoesNotExist):
        handing_over.perform(tenant_id=theirs.tenant.pk, number_id=shared.pk)
    assert graph_api.asked == []


def test_who_asked_and_what_came_of_it_stays_in_the_history(ours, shared, graph_api):
    ask(ours)
    refused(graph_api, 2593108)
    perform(ours)

    with ours.transaction():
        kept = Handover.objects.get().history.order_by("pgh_id")
        assert [(line.pgh_label, line.state) for line in kept] == [("insert", "asked"), ("update", "refused")]


class TestWhatComes:
    @pytest.fixture(autouse=True)
    def _taken(self, ours, shared):
        for kind in HandoverKind:
            ask(ours, kind)
        change(ours, state=HandoverState.TAKEN)

    def seen(self, company, kind=HISTORY) -> tuple[str, int | None, datetime | None]:
        handover = stored(company, kind)
        return handover.state, handover.progress, handover.heard_at

    def test_the_past_says_how_much_is_here(self, ours):
        told(ours, **chunk(40))
        told(ours, at=NOW + 2 * MINUTE, **chunk(70))

        assert self.seen(ours) == ("taken", 70, NOW + 2 * MINUTE)

    def test_late_and_twice_it_changes_nothing(self, ours):
        told(ours, at=NOW + 2 * MINUTE, times=3, **chunk(70))
        told(ours, **chunk(40))

        assert self.seen(ours) == ("taken", 70, NOW + 2 * MINUTE)

    def test_contacts_say_that_they_come(self, ours):
        told(ours, "smb_app_state_sync", state_sync=[])

        assert self.seen(ours, CONTACTS) == ("taken", None, NOW + MINUTE)
        assert self.seen(ours) == ("taken", None, None)

    def test_a_past_that_is_not_shared_is_told(self, ours):
        told(ours, history=[{"errors": [{"code": 2593109, "title": "declined"}]}])

        assert self.seen(ours)[0] == "declined"

    def test_what_came_before_it_was_asked_for_does_not_count(self, ours):
        told(ours, at=NOW - HOUR, **chunk(100))
        told(ours, at=NOW - HOUR, history=[{"errors": [{"code": 2593109}]}])

        assert self.seen(ours) == ("taken", None, None)

    @pytest.mark.parametrize("progress", ["70", None, True, -5, 10**9, [1]])
    def test_odd_words_spoil_nothing(self, ours, progress):
        told(ours, **chunk(progress, errors=[7, {"code": "2593109"}, {"code": True}]))
        told(ours, history=[7, {"metadata": 7, "errors": 7}])
        told(ours, history=7)

        state, shown, _heard = self.seen(ours)
        assert state == "taken" and shown in (None, 0, 100)

    def test_of_a_number_that_nobody_asked_it_changes_nothing(self, ours, theirs):
        told(theirs, **chunk(70))

        with theirs.transaction():
            assert not Handover.objects.exists()
