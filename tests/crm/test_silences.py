"""A number that usually hears something at this hour and hears nothing; few false alarms, and none of a quiet number."""

from datetime import UTC, datetime, timedelta

import pytest

from crm import bells, silences
from crm.models import MessageHour
from crm.silences import HOUR, WEEK, counted, judge
from tenants import clock
from tenants.models import Alert
from whatsapp.models import Number

NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HALF_PAST = NOW - 30 * MINUTE


def usual(*weeks: int, at: datetime = NOW, around: int = 14) -> dict[datetime, int]:
    """So many messages an hour, in each hour around this one, one, two, three and four weeks ago."""
    hour = at.replace(minute=0)
    return {
        hour - (week + 1) * WEEK + offset * HOUR: each
        for week, each in enumerate(weeks)
        for offset in range(-around, 2)
    }


@pytest.mark.parametrize(
    ("said", "weeks", "minutes", "is_silent"),
    [
        ("busy, and nothing for an hour", (60, 60, 60, 60), 60, True),
        ("one a minute, nothing for twenty minutes", (60, 60, 60, 60), 20, True),
        ("shorter than any silence that counts", (600, 600, 600, 600), 14, False),
        ("one every two minutes, 40 minutes", (30, 30, 30, 30), 40, True),
        ("one every two minutes, 38 minutes", (30, 30, 30, 30), 38, False),
        ("two an hour: half a morning is nothing", (2, 2, 2, 2), 5 * 60, False),
        ("two an hour: ten hours are", (2, 2, 2, 2), 10 * 60, True),
        ("nothing is usual at this hour", (0, 0, 0, 0), 12 * 60, False),
        ("a number of two weeks only", (60, 60, 0, 0), 60, False),
        ("one holiday among the four weeks", (60, 60, 0, 60), 60, True),
        ("two weeks were a campaign", (90, 90, 5, 5), 60, False),
        ("it grew lately", (60, 40, 30, 20), 60, True),
        ("silent since ever: more than the span that is compared", (2, 2, 2, 2), 30 * 24 * 60, True),
        ("silent since ever, and it hardly ever heard anything", (0, 1, 0, 0), 30 * 24 * 60, False),
    ],
)
def test_when_it_is_too_quiet(said, weeks, minutes, is_silent):
    found = judge(now=NOW, last_at=NOW - minutes * MINUTE, hours=usual(*weeks))

    assert (found is not None) == is_silent, said


def test_how_long_and_what_is_usual():
    found = judge(now=NOW, last_at=NOW - 47 * MINUTE, hours=usual(30, 30, 30, 30))

    assert found is not None
    assert (found.length, round(found.expected, 1), found.is_certain) == (47 * MINUTE, 23.5, False)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (HALF_PAST, NOW, 30.0),
        (HALF_PAST, NOW + 30 * MINUTE, 45.0),
        (NOW, NOW, 0.0),
        (NOW - HOUR, NOW + HOUR, 90.0),
        (NOW + 15 * MINUTE, NOW + 30 * MINUTE, 7.5),
    ],
)
def test_of_an_hour_that_is_partly_between_two_moments_its_share_counts(start, end, expected):
    assert counted({NOW - HOUR: 60, NOW: 30}, start, end) == expected


def test_the_nightly_pause_of_a_shop_is_no_silence():
    """Open 9 to 19: at 9:20 nothing was heard since 19:00, and it was like that in every week."""
    opening = NOW.replace(hour=9)
    hours = {}
    for week in range(1, 5):
        for hour in range(9, 19):
            for day in (0, 1):
                hours[opening.replace(hour=hour) - day * timedelta(days=1) - week * WEEK] = 12

    assert judge(now=opening + 20 * MINUTE, last_at=opening - 14 * HOUR, hours=hours) is None
    assert judge(now=opening + 105 * MINUTE, last_at=opening - 14 * HOUR, hours=hours) is not None


# --- The sweep ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(ours):
    """Thirty messages an hour at this hour of the week, and the last webhook an hour ago."""
    now = clock.now()
    with ours.transaction():
        MessageHour.objects.bulk_create(
            MessageHour(
                tenant=ours.tenant, hour=hour, number=ours.number, direction="inbound", source="customer", messages=each
            )
            for hour, each in usual(30, 30, 30, 30, at=now.replace(second=0, microsecond=0)).items()
        )
        Number.objects.update(last_webhook_at=now - HOUR)
    return ours


def silent(company) -> list[Alert]:
    with company.transaction():
        return list(Alert.objects.filter(kind=silences.SILENT, resolved_at=None))


@pytest.mark.django_db
def test_the_sweep_tells_of_it_once_and_takes_it_back_when_a_webhook_comes(busy, theirs):
    bells.silence()
    bells.silence()

    (alert,) = silent(busy)
    assert (alert.subject, alert.facts["number"], alert.facts["every"]) == (str(busy.number.pk), "ours ventas", 2)
    assert 59 <= alert.facts["minutes"] <= 60 and alert.severity == "warning"
    assert silent(theirs) == []

    with busy.transaction():
        Number.objects.update(last_webhook_at=clock.now())
    bells.silence()
    assert silent(busy) == []


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"is_active": False}, {"last_webhook_at": None}])
def test_a_number_that_is_off_or_was_never_heard_is_not_watched(busy, change):
    with busy.transaction():
        Number.objects.update(**change)

    assert bells.silence() == 0 and silent(busy) == []


@pytest.mark.django_db
def test_what_we_send_says_nothing_about_what_customers_write(busy):
    with busy.transaction():
        MessageHour.objects.update(direction="outbound")

    assert bells.silence() == 0


@pytest.mark.django_db
def test_it_is_few_queries_however_many_numbers_there_are(busy, theirs, django_assert_max_num_queries):
    with busy.transaction():
        for digit in range(8):
            Number.objects.create(
                tenant=busy.tenant, alias=f"n{digit}", phone_number_id=f"10000000000010{digit}",
                last_webhook_at=clock.now() - HOUR,
            )  # fmt: skip

    with django_assert_max_num_queries(14):
        assert bells.silence() == 1
