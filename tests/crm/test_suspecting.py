"""Blocks are looked for in what messages say, and taken back by whatever shows that the person is reached."""

from datetime import timedelta

import pytest

from crm import suspecting
from crm.blocking import Level, Weight
from crm.models import Activity, Conversation, DeliveryIssue, Examination, IssueState, Message
from crm.reports import rollups
from crm.signals import contacts_replied
from tests.cast import Company
from tests.crm.views.talk import NOON, conversation, outbound

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def told(talk, days_ago: float, *, status: str = "sent", **fields) -> Message:
    at = NOON - days_ago * DAY
    return outbound(talk, at=at, accepted_at=at, status=status, country="PE", **fields)


def reached(talk, days_ago: float, *, after: timedelta = timedelta(seconds=3), **fields) -> Message:
    return told(talk, days_ago, status="delivered", delivered_at=NOON - days_ago * DAY + after, **fields)


def others(company: Company, *days_ago: float, status: str = "delivered", count: int = 4) -> None:
    """People who were written to as well, and got it, unless said otherwise."""
    for _ in range(count):
        talk = conversation(company)
        for days in days_ago:
            reached(talk, days) if status == "delivered" else told(talk, days, status=status)


def silent(company: Company, *days_ago: float, **fields) -> Conversation:
    """Somebody who was reached three weeks ago, and with nothing since."""
    talk = conversation(company, "Silencia", wrote_at=NOON - 22 * DAY, waiting_since=None, **fields)
    reached(talk, 21)
    for days in days_ago:
        told(talk, days)
    return talk


def examine(at=NOON) -> int:
    rollups.refresh(at)
    return suspecting.run(at)


def issue(company: Company, talk: Conversation) -> DeliveryIssue | None:
    with company.transaction():
        return DeliveryIssue.objects.filter(conversation=talk).order_by("-found_at").first()


def suspicion(company: Company, talk: Conversation) -> str:
    with company.transaction():
        return Conversation.objects.get(pk=talk.pk).suspicion


@pytest.mark.parametrize(("left_at", "suspected"), [(None, False), (NOON - 8 * DAY, True)])
def test_what_a_phone_sent_speaks_only_where_its_statuses_are_reported(ours, left_at, suspected):
    with ours.transaction():
        others(ours, 8, 5)
        talk = silent(ours)
        for days in (8, 5):
            told(talk, days, source="phone", client_id=None, left_at=left_at)

    examine()

    assert (suspicion(ours, talk) != "") is suspected


def test_two_misses_of_different_days_are_probable_with_their_evidence(ours, theirs):
    with ours.transaction():
        talk = silent(ours, 5, 4.9, 4, 1)
        others(ours, 5, 4)
    with theirs.transaction():
        others(theirs, 5, 4)
    examine()
    found = issue(ours, talk)
    assert (found.level, found.misses, found.state) == ("probable", 2, "open")
    assert found.likelihood >= 0.95 and found.since == NOON - 5 * DAY
    assert [line["weight"] for line in found.evidence] == [
        Weight.COUNTED, Weight.SAME_DAY, Weight.COUNTED, Weight.TOO_SOON,
    ]  # fmt: skip
    assert found.evidence[0]["others_delivered"] == 4
    assert suspicion(ours, talk) == "probable"
    with ours.transaction():
        assert DeliveryIssue.objects.count() == 1
        assert Activity.objects.get(conversation=talk).facts == {"percent": suspecting.percent(found.likelihood)}


def test_examining_again_says_the_same_once(ours):
    with ours.transaction():
        talk = silent(ours, 6, 5, 4)
        others(ours, 6, 5, 4)
    for hours in (0, 6, 12, 18):
        examine(NOON + hours * HOUR)
    assert issue(ours, talk).level == "very_likely"
    with ours.transaction():
        assert (DeliveryIssue.objects.count(), Activity.objects.count(), Examination.objects.count()) == (1, 1, 1)


def test_it_is_examined_in_full_every_six_hours_and_followed_up_between(ours):
    with ours.transaction():
        talk = silent(ours, 5, 3)
        others(ours, 5, 3)
    examine(NOON - HOUR)
    assert issue(ours, talk).misses == 1
    examine(NOON + HOUR)
    assert issue(ours, talk).misses == 1
    examine(NOON + 5 * HOUR)
    assert issue(ours, talk).misses == 2


@pytest.mark.parametrize("fate", ["sent", "failed"])
def test_a_number_that_reaches_nobody_suspects_nobody(ours, fate):
    with ours.transaction():
        talk = silent(ours, 6, 5, 4)
        others(ours, 6, 5, 4, status=fate, count=12)
    examine()
    assert issue(ours, talk) is None and suspicion(ours, talk) == ""
    with ours.transaction():
        assert not DeliveryIssue.objects.filter(level__in=["probable", "very_likely"]).exists()


def test_undeliverable_after_success_counts_at_once_without_waiting_for_six_hours(ours):
    with ours.transaction():
        others(ours, 1)
    examine()
    with ours.transaction():
        talk = silent(ours)
        for days in (1, 0):
            told(talk, days, status="failed", error_reason="undeliverable", failed_at=NOON - days * DAY)
    examine(NOON + timedelta(minutes=1))
    assert issue(ours, talk).level == "probable"


@pytest.mark.parametrize("reason", ["marketing_cap", "experiment", "rate_pair", "opted_out"])
def test_what_is_no_block_is_no_evidence(ours, reason):
    with ours.transaction():
        talk = silent(ours)
        for days in (3, 2, 1):
            told(talk, days, status="failed", error_reason=reason, failed_at=NOON)
    examine()
    assert issue(ours, talk) is None


def test_twilio_says_so_itself(ours):
    with ours.transaction():
        talk = silent(ours)
        told(talk, 0, status="failed", error_reason="blocked_by_contact", failed_at=NOON)
    examine()
    assert issue(ours, talk).level == "very_likely"


@pytest.fixture
def suspected(ours) -> Conversation:
    with ours.transaction():
        talk = silent(ours, 6, 5, 4)
        others(ours, 6, 5, 4)
    examine()
    assert suspicion(ours, talk) == "very_likely"
    return talk


def test_a_second_tick_takes_it_back_within_a_minute(ours, suspected):
    with ours.transaction():
        last = Message.objects.filter(conversation=suspected, status="sent").latest("sent_at")
        Message.objects.filter(pk=last.pk).update(status="delivered", delivered_at=NOON + HOUR)
    examine(NOON + HOUR + timedelta(minutes=1))
    assert issue(ours, suspected).state == IssueState.REACHED and suspicion(ours, suspected) == ""
    with ours.transaction():
        assert [one.kind for one in Activity.objects.order_by("at")] == ["suspected", "reached"]


def test_a_reply_takes_it_back_at_once(ours, suspected):
    with ours.transaction():
        Conversation.objects.filter(pk=suspected.pk).update(last_inbound_at=NOON)
    contacts_replied.send(None, tenant_id=ours.tenant.pk, contact_ids=[suspected.contact_id], at=NOON)
    assert issue(ours, suspected).state == IssueState.REACHED and suspicion(ours, suspected) == ""


def test_a_reply_on_another_number_says_nothing_about_this_one(ours, suspected):
    contacts_replied.send(None, tenant_id=ours.tenant.pk, contact_ids=[suspected.contact_id], at=NOON)
    assert issue(ours, suspected).state == IssueState.OPEN


def test_a_person_says_otherwise_and_what_was_sent_until_then_is_forgotten(ours, suspected):
    with ours.transaction():
        found = DeliveryIssue.objects.get()
        assert suspecting.dismiss(found, by=ours.ana, now=NOON)
        assert not suspecting.dismiss(found, by=ours.ana, now=NOON)
    examine(NOON + 7 * HOUR)
    found = issue(ours, suspected)
    assert (found.state, found.decided_by_id) == (IssueState.DISMISSED, ours.ana.pk)
    assert suspicion(ours, suspected) == ""
    with ours.transaction():
        # What the number has learned: a silence of six days that was none.
        assert Examination.objects.get().learned[str(ours.number.pk)] == {"ended": [6 * 86400], "never": 0}


def test_a_confirmed_block_stays_until_they_are_reached(ours, suspected):
    with ours.transaction():
        found = DeliveryIssue.objects.get()
        assert suspecting.confirm(found, by=ours.ana, now=NOON)
        assert not suspecting.confirm(found, by=ours.ana, now=NOON)
    examine(NOON + 7 * HOUR)
    assert issue(ours, suspected).state == IssueState.CONFIRMED and suspicion(ours, suspected) == Level.VERY_LIKELY
    with ours.transaction():
        assert Examination.objects.get().learned[str(ours.number.pk)]["never"] == 1
        Conversation.objects.filter(pk=suspected.pk).update(last_inbound_at=NOON + 8 * HOUR)
    examine(NOON + 8 * HOUR)
    assert issue(ours, suspected).state == IssueState.REACHED and suspicion(ours, suspected) == ""


def test_a_number_learns_how_long_its_silences_last_but_not_from_its_own_outages(ours):
    with ours.transaction():
        late = conversation(ours)
        reached(late, 20, after=5 * DAY)
        others(ours, 20)
        others(ours, 12, status="sent")
        for _ in range(6):  # on this day everything came late
            reached(conversation(ours), 12, after=4 * DAY)
    examine()
    with ours.transaction():
        assert Examination.objects.get().learned[str(ours.number.pk)]["ended"] == [5 * 86400]


def test_whoever_was_slow_before_is_not_suspected_so_soon(ours):
    with ours.transaction():
        talk = silent(ours, 5, 4)
        for days in (60, 50, 40):
            reached(talk, days, after=6 * DAY)
        others(ours, 60, 50, 40, 5, 4)
    examine()
    assert issue(ours, talk).level == "possible"


def test_the_page_of_a_thousand_costs_as_many_queries_as_of_two(ours, django_assert_max_num_queries):
    with ours.transaction():
        for _ in range(30):
            silent(ours, 6, 5, 4)
        others(ours, 6, 5, 4)
    rollups.refresh(NOON)
    with django_assert_max_num_queries(60):
        assert suspecting.run(NOON) >= 30


@pytest.mark.parametrize("is_confirmed", [True, False])
def test_a_suspicion_outlives_its_evidence(ours, suspected, is_confirmed):
    """Nobody reached them; the messages have only become too old to be looked at."""
    if is_confirmed:
        with ours.transaction():
            suspecting.confirm(DeliveryIssue.objects.get(), by=ours.ana, now=NOON)
    before = issue(ours, suspected)
    for days in (39, 41, 80, 200):
        examine(NOON + days * DAY)
    found = issue(ours, suspected)
    assert (found.state, found.level, found.misses) == (before.state, "very_likely", 3)
    assert suspicion(ours, suspected) == "very_likely"


def test_a_number_does_not_learn_blocks_from_those_who_were_never_reached(ours):
    with ours.transaction():
        stranger = conversation(ours)
        Conversation.objects.filter(pk=stranger.pk).update(last_inbound_at=None)
        for days in (30, 25, 20):
            told(stranger, days)
        others(ours, 30, 25, 20)
    examine()
    assert issue(ours, stranger).level == "possible"
    examine(NOON + 7 * HOUR)
    with ours.transaction():
        assert Examination.objects.get().learned.get(str(ours.number.pk), {"never": 0})["never"] == 0


def test_a_run_that_is_killed_is_done_again(ours, suspected, monkeypatch):
    with ours.transaction():
        before = Examination.objects.get().examined_at
    monkeypatch.setattr(suspecting, "_judge_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        examine(NOON + 7 * HOUR)
    with ours.transaction():
        assert Examination.objects.get().examined_at == before
