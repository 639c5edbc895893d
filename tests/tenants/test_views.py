import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.test import Client
from django.urls import get_resolver, reverse

from tenants.alerts import raise_alert
from tenants.founding import join
from tenants.middleware import SESSION_KEY
from tenants.models import Role, Severity, User
from tests.cast import PASSWORD, Company
from tests.tenants.passkey import Passkey

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_tries_yet():
    cache.clear()


@pytest.fixture
def ana(ours: Company) -> Client:
    return signed_in("ana@ours.test")


def signed_in(email: str) -> Client:
    client = Client()
    answer = client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def in_two_companies(ours: Company, theirs: Company) -> Client:
    with theirs.transaction():
        join(email="ana@ours.test", role=Role.AGENT)
    return signed_in("ana@ours.test")


def test_one_enters_another_of_ones_companies(ours: Company, theirs: Company):
    client = in_two_companies(ours, theirs)
    assert "You work in Ours as agent." in client.get(reverse("profile")).content.decode()

    answer = client.post(reverse("company-entry", args=[theirs.tenant.pk]))

    assert answer["Location"] == "/"
    assert client.session[SESSION_KEY] == str(theirs.tenant.pk)
    assert "You work in Theirs as agent." in client.get(reverse("profile")).content.decode()


def test_a_company_one_does_not_belong_to_does_not_exist(ana: Client, theirs: Company):
    answer = ana.post(reverse("company-entry", args=[theirs.tenant.pk]))

    assert answer.status_code == 404
    assert SESSION_KEY not in ana.session
    assert "Theirs" not in ana.get(reverse("profile")).content.decode()


def test_a_company_that_was_left_is_not_entered_by_an_old_session(ours: Company, theirs: Company):
    client = in_two_companies(ours, theirs)
    client.post(reverse("company-entry", args=[theirs.tenant.pk]))
    with theirs.transaction():
        User.objects.get(email="ana@ours.test").memberships.filter(tenant=theirs.tenant).update(is_active=False)

    assert "You work in Ours as agent." in client.get(reverse("profile")).content.decode()


def test_entering_a_company_takes_a_post(ana: Client, ours: Company):
    assert ana.get(reverse("company-entry", args=[ours.tenant.pk])).status_code == 405


def test_who_has_no_company_is_told_what_to_do(client, db):
    User.objects.create_user("alone@nowhere.test", PASSWORD)
    client = signed_in("alone@nowhere.test")

    answer = client.get(reverse("profile"))

    assert answer.status_code == 403
    assert "You belong to no company yet" in answer.content.decode()
    assert "alone@nowhere.test" in answer.content.decode()
    assert reverse("account_logout") in answer.content.decode()


def test_the_profile_asks_who_is_signed_out_to_sign_in(client, db):
    assert client.get(reverse("profile"))["Location"] == f"{reverse('account_login')}?next=/profile/"


def test_name_and_language_are_kept(ana: Client, ours: Company):
    answer = ana.post(reverse("profile"), {"name": "Ana María", "locale": "pt-br"}, follow=True)

    user = User.objects.get(pk=ours.ana.user_id)
    assert (user.name, user.locale) == ("Ana María", "pt-br")
    assert "Minha conta" in answer.content.decode()


def test_a_language_we_do_not_speak_is_refused(ana: Client, ours: Company):
    answer = ana.post(reverse("profile"), {"name": "Ana", "locale": "xx"})

    assert answer.status_code == 422
    assert User.objects.get(pk=ours.ana.user_id).locale == ""


def test_the_profile_changes_nobody_elses(ana: Client, ours: Company):
    ana.post(reverse("profile"), {"name": "Ana", "locale": "", "id": str(ours.luis.user_id), "is_superuser": "on"})

    assert User.objects.get(pk=ours.luis.user_id).name == "Luis"
    assert not User.objects.get(pk=ours.ana.user_id).is_superuser


def test_a_chosen_language_stays_with_the_person(ana: Client, ours: Company):
    answer = ana.post(reverse("set_language"), {"language": "es", "next": "/profile/"})

    assert answer["Location"] == "/profile/"
    assert User.objects.get(pk=ours.ana.user_id).locale == "es"
    assert '<html lang="es">' in signed_in("ana@ours.test").get(reverse("profile")).content.decode()


def test_before_signing_in_the_language_stays_with_the_browser(client, db):
    client.post(reverse("set_language"), {"language": "pt-br", "next": "/accounts/login/"})

    assert '<html lang="pt-br">' in client.get(reverse("account_login")).content.decode()


def test_a_language_we_do_not_speak_changes_nothing(ana: Client, ours: Company):
    ana.post(reverse("set_language"), {"language": "xx"})

    assert User.objects.get(pk=ours.ana.user_id).locale == ""


def test_choosing_a_language_does_not_lead_to_another_site(client, db):
    answer = client.post(reverse("set_language"), {"language": "es", "next": "https://elsewhere.test/"})

    assert answer["Location"] == "/"


@pytest.mark.parametrize(("who", "sees"), [("admin", True), ("ana", False)])
def test_only_who_administers_sees_the_way_to_the_settings(ours: Company, who, sees):
    page = signed_in(f"{who}@ours.test").get(reverse("profile")).content.decode()

    assert (f'href="{reverse("admin:index")}"' in page) is sees


def test_the_simulator_is_linked_where_there_is_one(ana: Client, settings):
    settings.SIMULATOR_URL = "http://localhost:8010"
    assert 'href="http://localhost:8010"' in ana.get(reverse("profile")).content.decode()

    settings.SIMULATOR_URL = ""
    assert "localhost:8010" not in ana.get(reverse("profile")).content.decode()


# --- allauth's pages in our layout -----------------------------------------------------------------------------------

SIGNED_OUT = {
    "account_login": "Entrar",
    "account_reset_password": "Restablece tu contraseña",
    "account_reset_password_done": "Revisa tu correo",
    "account_reset_password_from_key_done": "Tu contraseña quedó cambiada",
    "account_inactive": "Este acceso está desactivado",
}
SIGNED_IN = {
    "account_logout": "¿Salir?",
    "account_change_password": "Contraseña actual",
    "account_reauthenticate": "Confirma que eres tú",
    "mfa_reauthenticate": "Confirma que eres tú",
    "mfa_reauthenticate_webauthn": "Confirma que eres tú",
    "mfa_index": "Verificación en dos pasos",
    "mfa_deactivate_totp": "Desactivar la app de autenticación",
    "mfa_view_recovery_codes": "Códigos de recuperación",
    "mfa_generate_recovery_codes": "Crear códigos de recuperación nuevos",
    "mfa_list_webauthn": "Llave azul",
    "mfa_add_webauthn": "Agregar una llave de acceso o de seguridad",
    "mfa_edit_webauthn": "Cambiar el nombre de la llave",
    "mfa_remove_webauthn": "Quitar la llave",
}
# Covered by a test of its own below or in test_accounts, or no page at all.
ELSEWHERE = {
    "account_reset_password_from_key",
    "account_set_password",
    "mfa_activate_totp",
    "mfa_authenticate",
    "mfa_download_recovery_codes",
    "mfa_login_webauthn",  # answers JSON
    # Closed, see tenants.urls.
    "account_signup",
    "account_email",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_confirm_login_code",
}


@pytest.fixture
def proven(ana: Client) -> Client:
    """Ana, who has given her password once more: what protects a login asks for that."""
    ana.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    return ana


@pytest.fixture
def protected(proven: Client, ours: Company) -> Client:
    """… with an app, recovery codes and a key."""
    TOTP.activate(ours.ana.user, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(ours.ana.user)
    options = proven.get(reverse("mfa_add_webauthn")).context["js_data"]["creation_options"]
    proven.post(reverse("mfa_add_webauthn"), {"name": "Llave azul", "credential": Passkey().register(options)})
    return proven


def assert_in_our_layout(answer, sentence: str) -> None:
    page = answer.content.decode()
    assert answer.status_code == 200
    assert '<html lang="es">' in page
    assert "crm/css/ventana.css" in page
    assert sentence in page
    assert "style=" not in page


@pytest.mark.parametrize(("name", "sentence"), SIGNED_OUT.items())
def test_each_page_before_signing_in_is_ours_and_in_spanish(client, db, name, sentence):
    assert_in_our_layout(client.get(reverse(name), HTTP_ACCEPT_LANGUAGE="es-PE"), sentence)


@pytest.mark.parametrize(("name", "sentence"), SIGNED_IN.items())
def test_each_page_of_ones_account_is_ours_and_in_spanish(protected: Client, name, sentence):
    needs_key = name in ("mfa_edit_webauthn", "mfa_remove_webauthn")
    key = [Authenticator.objects.get(type="webauthn").pk] if needs_key else []

    answer = protected.get(reverse(name, args=key), HTTP_ACCEPT_LANGUAGE="es-PE")

    assert_in_our_layout(answer, sentence)


def test_turning_the_app_on_shows_the_code_to_scan(proven: Client):
    answer = proven.get(reverse("mfa_activate_totp"), HTTP_ACCEPT_LANGUAGE="es-PE")

    assert_in_our_layout(answer, "Escribe el código que muestra la app")
    assert "data:image/svg+xml;base64," in answer.content.decode()


def test_who_has_no_password_yet_sets_one(ana: Client, ours: Company):
    User.objects.filter(pk=ours.ana.user_id).update(password=make_password(None))
    client = Client()
    client.force_login(User.objects.get(pk=ours.ana.user_id), backend="tenants.permissions.MembershipBackend")

    assert_in_our_layout(client.get(reverse("account_set_password"), HTTP_ACCEPT_LANGUAGE="es-PE"), "Contraseña nueva")


def test_the_second_step_is_ours_and_in_spanish(protected: Client):
    client = Client()
    client.post(reverse("account_login"), {"login": "ana@ours.test", "password": PASSWORD})

    answer = client.get(reverse("mfa_authenticate"), HTTP_ACCEPT_LANGUAGE="es-PE")

    assert_in_our_layout(answer, "De tu app de autenticación, o un código de recuperación.")


def test_recovery_codes_are_downloaded_as_text(protected: Client):
    answer = protected.get(reverse("mfa_download_recovery_codes"))

    assert answer["Content-Type"].startswith("text/plain")
    assert len(answer.content.split()) == 10


def test_no_page_of_allauth_was_forgotten():
    names = {name for name in get_resolver().reverse_dict if isinstance(name, str)}

    reachable = {name for name in names if name.startswith(("account_", "mfa_"))}

    assert reachable == {*SIGNED_OUT, *SIGNED_IN, *ELSEWHERE}


@pytest.mark.parametrize("path", ["/accounts/login/", "/profile/"])
def test_pages_run_no_script_and_no_style_but_our_files(ana: Client, path):
    policy = ana.get(path)["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_the_demo_logins_show_on_a_local_machine_only(client, db, settings):
    settings.LOCAL = True
    assert "ana@demo.test" in client.get(reverse("account_login")).content.decode()

    settings.LOCAL = False
    assert "demo.test" not in client.get(reverse("account_login")).content.decode()


def test_a_page_that_was_open_too_long_says_so(ours: Company):
    client = Client(enforce_csrf_checks=True)

    answer = client.post(reverse("account_login"), {"login": "ana@ours.test", "password": PASSWORD})

    assert answer.status_code == 403
    assert "Reload this page" in answer.content.decode()


def test_the_rail_counts_what_needs_somebody(ours: Company, theirs: Company):
    with ours.transaction():
        raise_alert(tenant_id=ours.tenant.pk, kind="number_without_queue", subject="1", severity=Severity.WARNING)
    with theirs.transaction():
        raise_alert(tenant_id=theirs.tenant.pk, kind="number_without_queue", subject="2", severity=Severity.WARNING)

    assert 'aria-label="Alerts, 1"' in signed_in("admin@ours.test").get(reverse("profile")).content.decode()
    assert "Alerts" not in signed_in("ana@ours.test").get(reverse("profile")).content.decode()
