import re

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from fido2.utils import websafe_encode

from tenants.models import User
from tests.cast import PASSWORD, Company
from tests.tenants.passkey import Passkey

pytestmark = pytest.mark.django_db

SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def _no_tries_yet():
    cache.clear()


def sign_in(client, email, password=PASSWORD, **headers):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **headers)


def present_code(secret=SECRET) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


@pytest.mark.parametrize("who", ["owner", "admin", "supervisor", "ana", "luis"])
def test_each_of_the_cast_signs_in(client, ours: Company, who):
    answer = sign_in(client, f"{who}@ours.test")

    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert client.session["_auth_user_id"] == str(getattr(ours, who).user_id)


def test_an_address_may_be_typed_in_capitals(client, ours: Company):
    assert sign_in(client, "Ana@Ours.TEST").status_code == 302


def test_the_operator_who_belongs_to_no_company_goes_to_the_admin(client, db):
    User.objects.create_superuser("operator@ventana.test", PASSWORD)

    assert sign_in(client, "operator@ventana.test")["Location"] == reverse("admin:index")


def test_a_wrong_password_is_refused_in_words(client, ours: Company):
    answer = sign_in(client, "ana@ours.test", "not-the-password")

    assert answer.status_code == 200
    assert "That e-mail and password do not go together." in answer.content.decode()
    assert "_auth_user_id" not in client.session


def test_an_unknown_address_gets_the_same_answer_as_a_wrong_password(client, ours: Company):
    wrong = sign_in(client, "ana@ours.test", "not-the-password").content.decode()
    unknown = sign_in(client, "nobody@ours.test", "not-the-password").content.decode()

    assert _without_what_differs(wrong) == _without_what_differs(unknown)


def test_a_login_that_is_switched_off_does_not_sign_in(client, ours: Company):
    User.objects.filter(pk=ours.ana.user_id).update(is_active=False)

    sign_in(client, "ana@ours.test")

    assert "_auth_user_id" not in client.session


def test_after_five_wrong_passwords_even_the_right_one_waits(client, ours: Company):
    for _try in range(5):
        sign_in(client, "ana@ours.test", "not-the-password")

    answer = sign_in(client, "ana@ours.test")

    assert "Too many attempts." in answer.content.decode()
    assert "_auth_user_id" not in client.session
    assert sign_in(client, "luis@ours.test").status_code == 302


def test_signing_in_changes_the_session_key(client, ours: Company):
    client.session["planted"] = True
    client.session.save()
    client.get(reverse("account_login"))
    before = client.session.session_key

    sign_in(client, "ana@ours.test")

    assert client.session.session_key != before


def test_the_session_cookie_is_for_our_server_alone(client, ours: Company):
    cookie = sign_in(client, "ana@ours.test").cookies[settings.SESSION_COOKIE_NAME]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["domain"]


def test_signing_out_takes_a_click_and_empties_the_session(client, ours: Company):
    sign_in(client, "ana@ours.test")

    assert client.get(reverse("account_logout")).status_code == 200
    assert "_auth_user_id" in client.session
    answer = client.post(reverse("account_logout"))

    assert answer["Location"] == reverse("account_login")
    assert "_auth_user_id" not in client.session


def test_signing_in_does_not_lead_to_another_site(client, ours: Company):
    answer = client.post(
        reverse("account_login"), {"login": "ana@ours.test", "password": PASSWORD, "next": "https://elsewhere.test/"}
    )

    assert answer["Location"] == "/"


def test_nobody_signs_up_from_outside(client, db):
    answer = client.post(reverse("account_signup"), {"email": "new@ours.test", "password1": PASSWORD})

    assert answer["Location"] == reverse("account_login")
    assert not User.objects.filter(email="new@ours.test").exists()


def test_nobody_takes_another_address_by_themselves(client, ours: Company):
    sign_in(client, "ana@ours.test")

    client.post(reverse("account_email"), {"action_add": "", "email": "owner@theirs.test"})

    assert User.objects.get(pk=ours.ana.user_id).email == "ana@ours.test"
    assert mail.outbox == []


def test_the_mailed_link_sets_a_new_password(client, ours: Company):
    answer = client.post(reverse("account_reset_password"), {"email": "ana@ours.test"})
    assert answer["Location"] == reverse("account_reset_password_done")
    [letter] = mail.outbox
    assert letter.to == ["ana@ours.test"]

    page = client.get(_link_in(letter), follow=True)
    answer = client.post(
        page.redirect_chain[-1][0], {"password1": "a-quiet-window-4", "password2": "a-quiet-window-4"}, follow=True
    )

    assert "Your password is changed" in answer.content.decode()
    assert sign_in(client, "ana@ours.test", "a-quiet-window-4").status_code == 302


def test_the_mailed_link_works_once(client, ours: Company):
    client.post(reverse("account_reset_password"), {"email": "ana@ours.test"})
    link = _link_in(mail.outbox[0])
    page = client.get(link, follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": "a-quiet-window-4", "password2": "a-quiet-window-4"})

    assert "does not work any more" in client.get(link, follow=True).content.decode()


def test_a_weak_password_is_refused(client, ours: Company):
    client.post(reverse("account_reset_password"), {"email": "ana@ours.test"})
    page = client.get(_link_in(mail.outbox[0]), follow=True)

    client.post(page.redirect_chain[-1][0], {"password1": "12345678", "password2": "12345678"})

    assert sign_in(client, "ana@ours.test").status_code == 302


def test_asking_for_a_link_does_not_tell_who_has_a_login(client, ours: Company):
    known = client.post(reverse("account_reset_password"), {"email": "ana@ours.test"})
    unknown = client.post(reverse("account_reset_password"), {"email": "nobody@ours.test"})

    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_mail_is_written_in_the_language_of_who_reads_it(client, ours: Company):
    User.objects.filter(pk=ours.ana.user_id).update(locale="es")

    client.post(reverse("account_reset_password"), {"email": "ana@ours.test"}, HTTP_ACCEPT_LANGUAGE="en")

    assert mail.outbox[0].subject == "Elige una contraseña nueva"
    assert "Hola Ana," in mail.outbox[0].body


def test_changing_the_password_signs_other_browsers_out(client, ours: Company):
    elsewhere = Client()
    sign_in(elsewhere, "ana@ours.test")
    sign_in(client, "ana@ours.test")

    client.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": "a-quiet-window-4", "password2": "a-quiet-window-4"},
    )

    assert client.get(reverse("mfa_index")).status_code == 200
    assert elsewhere.get(reverse("mfa_index")).status_code == 302


def test_the_authenticator_app_is_turned_on_and_then_asked_for(client, ours: Company):
    sign_in(client, "ana@ours.test")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    page = client.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret

    client.post(reverse("mfa_activate_totp"), {"code": present_code(secret)})

    assert Authenticator.objects.filter(user_id=ours.ana.user_id, type="totp").exists()
    cache.clear()  # a code works once: the next is the same half minute's
    later = Client()
    assert sign_in(later, "ana@ours.test")["Location"] == reverse("mfa_authenticate")
    assert "_auth_user_id" not in later.session
    assert later.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code == 200
    assert later.post(reverse("mfa_authenticate"), {"code": present_code(secret)})["Location"] == "/"
    assert later.session["_auth_user_id"] == str(ours.ana.user_id)


def test_a_recovery_code_signs_in_once(client, ours: Company):
    TOTP.activate(ours.ana.user, SECRET)
    code = RecoveryCodes.activate(ours.ana.user).get_unused_codes()[0]

    sign_in(client, "ana@ours.test")
    assert client.post(reverse("mfa_authenticate"), {"code": code}).status_code == 302
    again = Client()
    sign_in(again, "ana@ours.test")

    assert again.post(reverse("mfa_authenticate"), {"code": code}).status_code == 200


def test_a_passkey_signs_in_without_a_password(client, ours: Company):
    passkey = Passkey()
    sign_in(client, "ana@ours.test")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    options = client.get(reverse("mfa_add_webauthn")).context["js_data"]["creation_options"]
    client.post(
        reverse("mfa_add_webauthn"), {"name": "My phone", "credential": passkey.register(options), "passwordless": "on"}
    )

    later = Client()
    options = later.get(reverse("mfa_login_webauthn"), HTTP_ACCEPT="application/json").json()["request_options"]
    answer = later.post(reverse("mfa_login_webauthn"), {"credential": passkey.sign(options)})

    assert answer["Location"] == "/"
    assert later.session["_auth_user_id"] == str(ours.ana.user_id)


def test_another_passkey_does_not_sign_in(client, ours: Company):
    options = client.get(reverse("mfa_login_webauthn"), HTTP_ACCEPT="application/json").json()["request_options"]
    stranger = Passkey(user_handle=websafe_encode(str(ours.ana.user_id).encode()))

    client.post(reverse("mfa_login_webauthn"), {"credential": stranger.sign(options)})

    assert "_auth_user_id" not in client.session


def test_the_secret_of_the_app_is_sealed_at_rest(ours: Company):
    TOTP.activate(ours.ana.user, SECRET)

    [stored] = Authenticator.objects.values_list("data", flat=True)
    assert SECRET not in str(stored)


def test_a_mail_tells_that_the_password_was_changed(client, ours: Company):
    User.objects.filter(pk=ours.ana.user_id).update(locale="pt-br")
    sign_in(client, "ana@ours.test")

    client.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": "a-quiet-window-4", "password2": "a-quiet-window-4"},
    )

    assert [(letter.to, letter.subject) for letter in mail.outbox] == [(["ana@ours.test"], "Sua senha foi alterada")]


def test_a_password_is_changed_even_when_the_mail_about_it_fails(client, ours: Company, monkeypatch):
    monkeypatch.setattr("django.core.mail.message.EmailMessage.send", _fail)
    sign_in(client, "ana@ours.test")

    answer = client.post(
        reverse("account_change_password"),
        {"oldpassword": PASSWORD, "password1": "a-quiet-window-4", "password2": "a-quiet-window-4"},
    )

    assert answer["Location"] == reverse("profile")
    assert sign_in(Client(), "ana@ours.test", "a-quiet-window-4").status_code == 302


def test_the_second_step_of_another_is_not_asked_for(client, ours: Company, theirs: Company):
    TOTP.activate(theirs.ana.user, SECRET)

    assert sign_in(client, "ana@ours.test")["Location"] == "/"


def _fail(*args, **kwargs):
    raise ConnectionRefusedError


def _link_in(letter) -> str:
    return re.search(r"https?://\S+", letter.body)[0]


def _without_what_differs(page: str) -> str:
    return re.sub(r'value="[^"]*"|"X-CSRFToken": "[^"]*"', "", page)
