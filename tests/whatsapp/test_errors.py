import pytest

from whatsapp.errors import Reason, Scope, classify, handling


@pytest.mark.parametrize(
    ("provider", "code", "reason"),
    [
        ("cloud", 131047, Reason.WINDOW_CLOSED),
        ("cloud", 470, Reason.WINDOW_CLOSED),
        ("cloud", 131026, Reason.UNDELIVERABLE),
        ("cloud", 131049, Reason.MARKETING_CAP),
        ("cloud", 131050, Reason.OPTED_OUT),
        ("cloud", 130472, Reason.EXPERIMENT),
        ("cloud", 130403, Reason.BLOCKED_BY_US),
        ("cloud", 130429, Reason.RATE_NUMBER),
        ("cloud", 131056, Reason.RATE_PAIR),
        ("cloud", 80007, Reason.RATE_API),
        ("cloud", 132001, Reason.TEMPLATE_STATE),
        ("cloud", 132015, Reason.TEMPLATE_STATE),
        ("cloud", 132000, Reason.TEMPLATE_PARAMS),
        ("cloud", 2388040, Reason.TEMPLATE_DEFINITION),
        ("cloud", 190, Reason.AUTH),
        ("cloud", 0, Reason.AUTH),
        ("cloud", 200, Reason.AUTH),
        ("cloud", 299, Reason.AUTH),
        ("cloud", 300, Reason.UNKNOWN),
        ("cloud", 131042, Reason.BILLING),
        ("cloud", 368, Reason.POLICY),
        ("cloud", 131031, Reason.POLICY),
        ("cloud", 131048, Reason.QUALITY),
        ("cloud", 131053, Reason.MEDIA),
        ("cloud", 131016, Reason.TRANSIENT),
        ("cloud", 133004, Reason.TRANSIENT),
        ("cloud", 133010, Reason.NOT_REGISTERED),
        ("cloud", 133006, Reason.NOT_REGISTERED),
        ("cloud", 133016, Reason.RATE_API),
        ("cloud", 138001, Reason.UNSUPPORTED),
        ("cloud", 987654, Reason.UNKNOWN),
        ("cloud", -1, Reason.UNKNOWN),
        ("cloud", None, Reason.UNKNOWN),
        ("twilio", 63016, Reason.WINDOW_CLOSED),
        ("twilio", 63024, Reason.UNDELIVERABLE),
        ("twilio", 63014, Reason.BLOCKED_BY_CONTACT),
        ("twilio", 21610, Reason.OPTED_OUT),
        ("twilio", 63049, Reason.MARKETING_CAP),
        ("twilio", 63001, Reason.AUTH),
        ("twilio", 131047, Reason.UNKNOWN),
        ("carrier pigeon", 1, Reason.UNKNOWN),
    ],
)
def test_a_code_has_one_reason(provider, code, reason):
    assert classify(provider, code) is reason


def test_an_expired_token_pauses_the_number_and_fails_no_message():
    expired = handling(Reason.AUTH)

    assert expired.pauses_number
    assert expired.scope is Scope.NUMBER
    assert expired.retries_after(1_000)


def test_the_marketing_cap_waits_a_day_whatever_the_provider_asks():
    capped = handling(Reason.MARKETING_CAP)

    assert capped.retry
    assert capped.delay(1, retry_after=10) == 24 * 3600
    assert capped.delay(2) == 48 * 3600
    assert not capped.suppresses_marketing


def test_an_opt_out_suppresses_marketing_and_never_tries_again():
    opted_out = handling(Reason.OPTED_OUT)

    assert opted_out.suppresses_marketing
    assert not opted_out.retries_after(0)


def test_a_closed_window_fails_at_once():
    assert not handling(Reason.WINDOW_CLOSED).retry


def test_a_bad_quality_pauses_marketing_and_lets_answers_go():
    assert handling(Reason.QUALITY).pauses_marketing
    assert not handling(Reason.QUALITY).pauses_number


def test_the_pair_limit_waits_by_powers_of_four_for_this_person_only():
    paced = handling(Reason.RATE_PAIR)

    assert [paced.delay(tries) for tries in (1, 2, 3)] == [4, 16, 64]
    assert paced.scope is Scope.RECIPIENT


def test_what_the_provider_asks_for_wins_when_it_is_longer():
    assert handling(Reason.RATE_NUMBER).delay(1, retry_after=90) == 90
    assert handling(Reason.RATE_NUMBER).delay(4, retry_after=1) == 8


def test_a_delay_stays_bounded_after_any_number_of_tries():
    assert handling(Reason.TRANSIENT).delay(100_000) == 3600
    assert handling(Reason.AUTH).delay(10_000_000) == 3600


def test_transient_trouble_ends_after_six_tries():
    assert handling(Reason.TRANSIENT).retries_after(5)
    assert not handling(Reason.TRANSIENT).retries_after(6)


def test_an_unknown_reason_fails_visibly_and_touches_nothing_else():
    unknown = handling(Reason.UNKNOWN)

    assert not unknown.retry
    assert unknown.scope is Scope.MESSAGE
    assert not (unknown.pauses_number or unknown.pauses_marketing or unknown.suppresses_marketing)


@pytest.mark.parametrize("reason", list(Reason))
def test_whatever_is_tried_again_waits_first(reason):
    instructions = handling(reason)

    assert not instructions.retry or instructions.delay(1) > 0
