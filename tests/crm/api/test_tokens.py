"""Getting a token, and what it opens: one company, as long as the person belongs there."""

import time
from collections.abc import Iterator

import pytest
import time_machine
from allauth.mfa.totp.internal import auth as totp
from rest_framework.test import APIClient

from tenants.founding import join
from tenants.models import ApiToken, Membership, Role
from tests.cast import PASSWORD

URL = "/api/v1/auth/token/"
CONVERSATIONS = "/api/v1/conversations/"

pytestmark = pytest.mark.django_db


def ask(**body):
    return APIClient(raise_request_exception=False).post(URL, body, format="json")


def opens(token: str, url: str = CONVERSATIONS) -> int:
    return APIClient().get(url, headers={"Authorization": f"Token {token}"}).status_code


def test_a_password_becomes_a_token_that_opens_the_api(ours):
    answer = ask(email="ana@ours.test", password=PASSWORD)

    assert answer.status_code == 200
    assert answer.json()["tenant"] == "ours"
    assert answer.headers["Cache-Control"] == "no-store"
    assert opens(answer.json()["token"]) == 200


def test_an_email_is_the_same_in_any_case(ours):
    assert ask(email="ANA@Ours.test", password=PASSWORD).status_code == 200


def test_only_the_hash_of_a_token_is_kept(ours):
    token = ask(email="ana@ours.test", password=PASSWORD).json()["token"]

    with ours.transaction():
        assert token not in str(ApiToken.objects.values().get())


def test_an_unknown_email_and_a_wrong_password_are_told_alike(ours):
    wrong = ask(email="ana@ours.test", password="not this one")
    unknown = ask(email="nobody@ours.test", password="not this one")

    assert wrong.status_code == unknown.status_code == 400
    assert wrong.json() == unknown.json() == {"detail": "That e-mail and password do not go together."}


def test_a_person_who_was_switched_off_gets_no_token(ours):
    ours.ana.user.is_active = False
    ours.ana.user.save(update_fields=["is_active"])

    assert ask(email="ana@ours.test", password=PASSWORD).status_code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "ana@ours.test"}, "password"),
        ({"email": "no mail", "password": "x"}, "email"),
        ({"email": ["ana@ours.test"], "password": "x"}, "email"),
        ({"email": "ana@ours.test", "password": {"$ne": ""}}, "password"),
        ({"email": "ana@ours.test", "password": "a\x00b"}, "detail"),
    ],
)
def test_bad_input_is_told_by_field(ours, body, field):
    answer = APIClient(raise_request_exception=False).post(URL, body, format="json")

    assert answer.status_code == 400
    assert field in answer.json()


def test_guessing_one_account_is_stopped_wherever_it_comes_from(ours):
    def guess(address: int) -> int:
        client = APIClient(REMOTE_ADDR=f"198.51.100.{address}")
        return client.post(URL, {"email": "ana@ours.test", "password": "guess"}, format="json").status_code

    assert [guess(address) for address in range(11)] == [400] * 10 + [429]


def test_guessing_from_one_address_is_stopped_whatever_the_account(ours):
    tries = [ask(email=f"person{number}@ours.test", password="guess") for number in range(11)]

    assert [answer.status_code for answer in tries] == [400] * 10 + [429]
    assert int(tries[-1].headers["Retry-After"]) > 0


def test_signing_in_correctly_is_never_too_often(ours):
    assert {ask(email="ana@ours.test", password=PASSWORD).status_code for _ in range(15)} == {200}


def test_a_right_password_does_not_wash_away_wrong_ones(ours):
    for _ in range(9):
        ask(email="ana@ours.test", password="guess")
    ask(email="ana@ours.test", password=PASSWORD)
    ask(email="ana@ours.test", password="guess")

    assert ask(email="ana@ours.test", password="guess").status_code == 429


def test_a_revoked_token_opens_nothing(ours):
    token = ask(email="ana@ours.test", password=PASSWORD).json()["token"]
    other = ask(email="ana@ours.test", password=PASSWORD).json()["token"]

    answer = APIClient().delete(URL, headers={"Authorization": f"Token {token}"})

    assert answer.status_code == 204
    assert opens(token) == 401
    assert opens(other) == 200


@pytest.mark.parametrize("header", ["", "Token", "Token ", "Token nonsense", "Basic YTpi", "Token a b", "Token \xff"])
def test_without_a_good_token_there_is_401(ours, header):
    answer = APIClient(raise_request_exception=False).get(CONVERSATIONS, headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Token"


def test_the_token_of_a_deactivated_member_opens_nothing(ours):
    token = ask(email="ana@ours.test", password=PASSWORD).json()["token"]

    with ours.transaction():
        Membership.objects.filter(pk=ours.ana.pk).update(is_active=False)

    assert opens(token) == 401
    assert ask(email="ana@ours.test", password=PASSWORD).json() == {"detail": "This login belongs to no company."}


@pytest.fixture
def ana_in_both(ours, theirs) -> Membership:
    with theirs.transaction():
        return join(email="ana@ours.test", role=Role.OWNER)


def test_who_belongs_to_several_companies_chooses_one(ours, theirs, ana_in_both, our_talk, their_talk):
    def shown(**body) -> str:
        token = ask(email="ana@ours.test", password=PASSWORD, **body).json()["token"]
        return APIClient().get(CONVERSATIONS, headers={"Authorization": f"Token {token}"}).content.decode()

    assert str(our_talk.conversation.pk) in shown()
    assert str(our_talk.conversation.pk) in shown(tenant="ours")
    assert str(their_talk.conversation.pk) in shown(tenant="theirs")
    assert str(our_talk.conversation.pk) not in shown(tenant="theirs")


def test_a_company_one_does_not_belong_to_cannot_be_chosen(ours, theirs):
    answer = ask(email="ana@ours.test", password=PASSWORD, tenant="theirs")

    assert answer.status_code == 400
    assert list(answer.json()) == ["tenant"]


def test_who_is_signed_in_to_one_company_may_ask_for_a_token_of_another_person(ours, theirs, api):
    answer = api(ours.ana).post(URL, {"email": "owner@theirs.test", "password": PASSWORD}, format="json")

    assert answer.status_code == 200
    assert answer.json()["tenant"] == "theirs"


@pytest.fixture
def secret(ours) -> Iterator[str]:
    """Ana signs in in two steps; the clock stands still, so that a code does not expire between two lines."""
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(ours.ana.user, secret)
    with time_machine.travel(time.time(), tick=False):
        yield secret


def code_of(secret: str) -> str:
    return totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))


def test_with_two_steps_the_password_alone_is_not_enough(ours, secret):
    answer = ask(email="ana@ours.test", password=PASSWORD)

    assert answer.status_code == 400
    assert answer.json() == {"code": ["This login takes two steps: send the code of your app too."]}


def test_with_two_steps_the_code_opens_once(ours, secret):
    code = code_of(secret)

    assert ask(email="ana@ours.test", password=PASSWORD, code=code).status_code == 200
    assert "code" in ask(email="ana@ours.test", password=PASSWORD, code=code).json()


@pytest.mark.parametrize("code", ["000000", "abc", "１２３４５６", "-", " "])
def test_a_wrong_code_opens_nothing(ours, secret, code):
    answer = ask(email="ana@ours.test", password=PASSWORD, code=code)

    assert answer.status_code == 400
    assert list(answer.json()) == ["code"]


def test_a_code_cannot_be_guessed(ours, secret):
    tries = [ask(email="ana@ours.test", password=PASSWORD, code=f"{number:06}").status_code for number in range(11)]

    assert tries[-1] == 429


def test_a_session_needs_the_csrf_token_to_change_something(ours, our_talk):
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(ours.owner.user, backend="allauth.account.auth_backends.AuthenticationBackend")

    assert browser.get(our_talk.url).status_code == 200
    assert browser.post(f"{our_talk.url}close/").status_code == 403
